"""What a step is trained with: greedy baselines, tokens that earn their KL, values; worked by hand and in whole runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

import sanmai
from rollouts import drawn, paid
from sanmai.learn.credit import Shown, credited
from sanmai.losses import gae, scaled_tokens
from sanmai.policies.text.pack import pack_rollouts
from sanmai.recipes.zero import ZeroConfig
from sanmai.rollout.credit import with_advantages
from sanmai.train.components import LossConfig
from sanmai.types import Graded, Group, InputError, Problem

FAST = {"num_steps": 2, "prompts_per_step": 4, "rollouts_per_prompt": 3, "sampling": {"max_tokens": 24}, "updates_per_step": 2,
        "checkpoints": {"every": 1}, "optimizer": {"lr": 1e-3}, "problems": {"world": {"train": 40, "heldout": 2}}}  # fmt: skip


def group(*rewards: float | None, name: str = "p", tokens: int = 2) -> Group[Graded]:
    problem = Problem(name, ({"role": "user", "content": "x"},), answer="1")
    written = drawn(problem_id=name, prompt_tokens=[1, 2], completion_tokens=[3] * tokens, sampling_logp=[-1.0] * tokens)
    return Group(problem, tuple(written.graded(**paid(reward)) for reward in rewards))


def test_remax_subtracts_the_reward_of_the_greedy_completion():
    loss = LossConfig(preset="remax")
    groups = [group(1.0, 0.0, None), group(1.0, 1.0, name="q"), group(0.0, 1.0, name="s")]
    found = credited(groups, loss, Shown(greedy={"p": 1.0, "q": 0.0, "s": None}))
    # Less 1; less 0, where equal rewards say something too; without a baseline nothing.
    assert [[r.advantage for r in g.rollouts] for g in found] == [[0.0, -1.0, None], [1.0, 1.0], [0.0, 0.0]]


def test_reinforce_plus_plus_with_its_kl_in_the_reward_by_hand():
    # Two rollouts of two tokens, rewards 1 and 0, weight 0.5, log-ratios (1, 2) and (0, -2).
    # Token rewards -0.5, 1 - 1 = 0 and 0, 1. Returns -0.5, 0 and 1, 1: mean 0.375, squares 0.7656 + 0.1406 + 2 x 0.3906 = 1.6875,
    # deviation sqrt(1.6875 / 3) = 0.75.
    loss = LossConfig.read({"preset": "reinforce++", "kl_in_reward": 0.5})
    [found] = credited([group(1.0, 0.0, None)], loss, Shown(log_ratio_B_T=[[1.0, 2.0], [0.0, -2.0], ()]))
    first, second, third = found.rollouts
    assert first.streams["rl"] == pytest.approx([-1.1665, -0.4999], abs=1e-3)
    assert second.streams["rl"] == pytest.approx([0.8332, 0.8332], abs=1e-3)
    assert first.advantage == pytest.approx(-0.8332, abs=1e-3) and third.advantage is None and not third.streams


def test_ppo_takes_gae_and_leaves_targets_for_the_head():
    loss = LossConfig.read({"preset": "ppo", "advantage_scale": "none", "value": {"gae_lambda": 0.5}})
    [found] = credited([group(1.0, None, tokens=3)], loss, Shown(value_B_T=[[0.2, 0.5, 0.4], ()]))
    # As in tests/losses/test_returns.py: 0.4, 0.2, 0.6, and with V: 0.6, 0.7, 1.0.
    streams = found.rollouts[0].streams
    assert streams["rl"] == pytest.approx([0.4, 0.2, 0.6]) and streams["value_target"] == pytest.approx([0.6, 0.7, 1.0])
    whole = LossConfig.read({"preset": "ppo", "advantage_scale": "none"})
    one = credited([group(1.0, tokens=3)], whole, Shown(value_B_T=[[0.2] * 3]))
    assert one[0].rollouts[0].streams["rl"] == pytest.approx([0.8] * 3)  # lambda 1: R - V


@pytest.mark.parametrize("preset", ["ppo", "reinforce++", "remax", "grpo"])
def test_a_step_without_any_reward_has_no_advantages(preset):
    shown = Shown(greedy={"p": None})
    [found] = credited([group(None, None)], LossConfig.read({"preset": preset}), shown)
    assert [(r.advantage, dict(r.streams)) for r in found.rollouts] == [(None, {})] * 2


def test_numbers_per_token_stand_at_their_tokens_and_partial_rollouts_train_their_last():
    r = group(1.0, tokens=4).rollouts[0]
    credit = r.credited_per_token({"rl": [1.0, 2.0, 3.0, 4.0], "value": [5.0, 6.0, 7.0, 8.0]})
    other = group(1.0, tokens=3).rollouts[0].credited(0.5)
    batch = with_advantages(pack_rollouts([credit, other]), [credit, other])
    assert batch.streams["rl"].tolist() == [[0, 0, 1, 2, 3, 4], [0, 0, 0.5, 0.5, 0.5, 0]]
    assert batch.streams["value"].tolist() == [[0, 0, 5, 6, 7, 8], [0] * 6]
    parts = credit.__class__(**{**vars(credit), "segments": ((0, 3), (1, 1))})
    assert with_advantages(pack_rollouts([parts], newest_alone=True), [parts]).streams["rl"].tolist() == [[0, 0, 0, 0, 0, 4]]


@pytest.mark.parametrize(("settings", "says"), [
    ({"loss": {"preset": "dapo", "kl_in_reward": 0.1}}, "kl_in_reward is a reward per token"),
    ({"loss": {"preset": "gspo", "advantage_scale": "none", "baseline": "value"}}, "one ratio per sequence"),
    ({"loss": {"preset": "ppo", "normalise_each": True}}, "normalise_each does not go with baseline 'value'"),
    ({"loss": {"preset": "remax", "advantage_scale": "std"}}, "baseline 'greedy' goes with advantage_scale 'none'"),
    ({"loss": {"preset": "ppo", "advantage_scale": "std"}}, "baseline 'value' goes with advantage_scale"),
    ({"loss": {"preset": "kimi", "baseline": "greedy"}}, "does not go with surrogate 'mirror_token'"),
    ({"loss": {"value": {"gae_lambda": 0.9}}}, r"loss\.value\.gae_lambda = 0\.9 is read only with"),
    ({"loss": {"preset": "remax"}, "length": {"weight": 0.5}}, "a greedy completion has no group to be short in"),
    ({"loss": {"preset": "remax"}, "partial": {"segment_tokens": 8}}, "a greedy completion is written in one step"),
    ({"loss": {"preset": "ppo"}, "refill": {"tries": 1}}, "a group of equal rewards is learned from, too"),
])  # fmt: skip
def test_what_does_not_go_together_is_refused(settings, says):
    with pytest.raises(InputError, match=says):
        ZeroConfig.read(settings)


def run(out: Path, **settings) -> Path:
    return sanmai.run("zero", out=out, **{**FAST, **settings})


def rows_of(folder: Path, step: int) -> list[dict]:
    return pq.read_table(folder / f"rollouts/step-{step:06}.parquet").to_pylist()


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()][1:]


def resumed_after_one(whole: Path, folder: Path, **settings) -> Path:
    shutil.copytree(whole, folder)
    for path in [*(folder / "checkpoints").iterdir(), *(folder / "rollouts").iterdir(), *(folder / "evaluations").iterdir()]:
        if int(path.stem.removeprefix("step-")) > 1:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return run(folder, **settings)


def assert_same(first: Path, second: Path) -> None:
    state = "checkpoints/step-000002/training_state.safetensors"
    for name in ("metrics.jsonl", "rollouts/step-000002.parquet", "checkpoints/step-000002/model.safetensors", state):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_remax_writes_one_greedy_completion_a_problem_counts_it_and_keeps_it(tmp_path):
    settings = {"loss": {"preset": "remax"}, "length": {"reward": "overlong", "weight": 0.5, "cache": 1.0}}
    whole = run(tmp_path / "whole", **settings)
    for line in lines_of(whole):
        rows = rows_of(whole, line["step"])
        greedy, others = {row["problem_id"]: row for row in rows[12:]}, rows[:12]
        assert len(rows) == 16 and set(greedy) == {row["problem_id"] for row in others}
        assert all(row["advantage"] is None and "score/length_reward" in row for row in greedy.values())
        for row in others:
            assert row["advantage"] == row["reward"] - greedy[row["problem_id"]]["reward"]
        assert line["tokens/sampled"] == sum(row["num_tokens"] for row in rows)
        assert line["tokens/trained"] == sum(row["num_tokens"] for row in others)
        assert line["greedy/reward"] == pytest.approx(sum(row["reward"] for row in greedy.values()) / 4)
        assert line["reward/mean"] == pytest.approx(sum(row["reward"] for row in others) / 12)
    assert_same(whole, resumed_after_one(whole, tmp_path / "cut", **settings))


def test_ppo_trains_its_head_moves_both_and_resumes_to_the_byte(tmp_path):
    settings = {"loss": {"preset": "ppo", "kl_in_reward": 0.05, "value": {"gae_lambda": 0.95, "lr": 0.1}}}
    whole = run(tmp_path / "whole", **settings)
    first, second = lines_of(whole)
    rows = [row for row in rows_of(whole, 1) if row["advantage"] is not None]
    # In the first step values and log-ratios to the reference are 0: each token's return is the reward.
    assert all(row["stream/value_target"] == pytest.approx(_decayed(row["reward"], row["num_tokens"]), abs=1e-5) for row in rows)
    expected = scaled_tokens([_decayed(row["reward"], row["num_tokens"]) for row in rows], "batch_std")
    assert [row["stream/rl"] for row in rows] == [pytest.approx(own, abs=1e-4) for own in expected]
    assert abs(first["reward/kl_per_token"]) < 1e-5 < abs(second["reward/kl_per_token"])
    assert any(abs(v) > 1e-3 for row in rows_of(whole, 2) if row["advantage"] is not None for v in row["stream/value"])
    assert {"loss/value", "value/grad_norm", "value/explained_variance"} <= second.keys()
    with safe_open(whole / "checkpoints/step-000002/training_state.safetensors", "pt") as file:
        names = set(file.keys())
        assert file.get_tensor("heads/value_head.weight").abs().max() > 0
    assert {"optimizer/value_head.weight/exp_avg", "optimizer/value_head.bias/step"} <= names
    assert not any("value_head" in name for name in names if name.startswith("reference/"))
    with safe_open(whole / "checkpoints/step-000002/model.safetensors", "pt") as file:  # a plain folder
        assert not any("value_head" in name for name in file.keys())  # noqa: SIM118
    assert_same(whole, resumed_after_one(whole, tmp_path / "cut", **settings))


def _decayed(reward: float, length: int) -> list[float]:
    return gae([0.0] * (length - 1) + [reward], [0.0] * length, decay=0.95)


def test_a_resumed_lora_run_has_its_head_again(tmp_path):
    settings = {"loss": {"preset": "ppo"}, "model": {"lora_rank": 2}}
    whole = run(tmp_path / "whole", **settings)
    assert_same(whole, resumed_after_one(whole, tmp_path / "cut", **settings))


@pytest.mark.slow
def test_ppo_learns_and_the_error_of_its_head_falls(tmp_path):
    long = {"num_steps": 24, "prompts_per_step": 16, "rollouts_per_prompt": 4, "optimizer": {"lr": 3e-4}, "updates_per_step": 1,
            "checkpoints": {"every": 24}, "problems": {"world": {"heldout": 10}}, "sampling": {"max_tokens": 64}}  # fmt: skip
    lines = lines_of(run(tmp_path / "run", **long, loss={"preset": "ppo"}))
    rewards, errors = ([line[name] for line in lines] for name in ("reward/mean", "loss/value"))
    assert sum(rewards[-10:]) / 10 > sum(rewards[:5]) / 5 + 0.15
    assert sum(errors[-5:]) / 5 < errors[0] / 2  # of a mean reward of some 0.8, all of the second moment but the variance
