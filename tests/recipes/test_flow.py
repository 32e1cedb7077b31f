"""Flows are pre-trained, aligned in four ways, killed and resumed, through what texts go through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from sanmai.instruments.control import Multiplier
from sanmai.learn.clip_constraints import ClipConstraints, ClipConstraintsConfig, is_still
from sanmai.learn.clips import OwnClip, OwnClips, clip_metrics
from sanmai.losses import group_advantages
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.policy import load_flow
from sanmai.policies.flow.rectified import clip_columns
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes import flow as flow_module
from sanmai.recipes.flow import FlowConfig, run_flow
from sanmai.report import write_report
from sanmai.rewards.clips import ClipGrades, preferred
from sanmai.types import Drawn, Group, InputError, StopReason
from sanmai.world import shapes

SHAPE = shapes.SHAPE

SMALL = {
    "num_steps": 4, "clips_per_step": 8, "checkpoints": {"every": 2},
    "evaluation": {"clips_per_prompt": 1}, "sampling": {"steps": 3},
}
LIMITS = {"sameness": {"limit": 0.0}, "stillness": {"limit": 0.1}, "every": 2, "clips_per_prompt": 2}
METHODS = {
    "sft": {"own": {"groups": 12}}, "rwr": {"own": {"groups": 12}},
    "dpo": {"own": {"groups": 12}, "curated": 6, "constraints": LIMITS},
    "grpo": {"rollouts_per_prompt": 4, "drawing": {"steps": 3, "noise": "flow_grpo"}, "loss": {"kl_weight": 0.01},
             "constraints": {"harm": {"limit": 0.0, "drives": "cost"}, "every": 2, "clips_per_prompt": 2}},
}  # fmt: skip


def config(method: str, base: Path, **more) -> FlowConfig:
    return FlowConfig.read({**SMALL, "method": method, "model": {"name": str(base)}, **METHODS.get(method, {}), **more})


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A flow that draws something: its output is not that of a new one, which is noise and all ties."""
    folder = tmp_path_factory.mktemp("base") / "model"
    policy = load_flow(FlowModelConfig(width=16, depth=1, heads=2), SHAPE, shapes.WORDS)
    with torch.no_grad():  # towards dark clips: v = eps - x_0 with x_0 near -1
        policy.weights["write.bias"].fill_(0.9)
    policy.save(folder)
    return folder


def own_reward(problem, clip) -> float:
    """Bright clips are better."""
    return float(clip.mean())


def weights_of(run: Path, step: int) -> bytes:
    return (run / "checkpoints" / f"step-{step:06d}" / "model.safetensors").read_bytes()


RUN = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_flow import METHODS, config, own_reward
from sanmai.recipes.flow import FlowSteps, run_flow
update = FlowSteps.update
def dying(self, step):
    if step == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, step)
FlowSteps.update = dying
for method in METHODS:
    child = os.fork()
    if not child:
        run_flow(config(method, Path(sys.argv[2])), Path(sys.argv[3]) / method, reward=own_reward)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.fixture(scope="module")
def killed(base, tmp_path_factory) -> Path:
    """A run of each method that was killed in its last step."""
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run(
        [sys.executable, "-c", RUN, str(Path(__file__).parent), str(base), str(folder)], check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_killed_and_resumed_each_method_is_the_same_to_the_byte(method, base, killed, tmp_path):
    run_flow(config(method, base), tmp_path / "whole", reward=own_reward)
    assert [path.name for path in (killed / method / "checkpoints").iterdir()] == ["step-000002"]
    run_flow(config(method, base), killed / method, reward=own_reward)
    assert weights_of(killed / method, 4) == weights_of(tmp_path / "whole", 4) != weights_of(tmp_path / "whole", 2)
    assert (killed / method / "metrics.jsonl").read_bytes() == (tmp_path / "whole" / "metrics.jsonl").read_bytes()
    if method == "dpo":  # before its first update the policy is the reference
        first = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()][1]
        assert first["loss/dpo"] == pytest.approx(np.log(2.0), abs=1e-6) and first["preference/margin"] == 0.0
        assert first["loss/curated"] > 0 and 0 < first["gradient/auxiliary_share"] < 1


def test_a_run_keeps_its_clips_and_has_a_report_that_shows_them(base, tmp_path):
    run_flow(config("grpo", base), tmp_path / "run", reward=own_reward)
    table = pq.read_table(tmp_path / "run" / "rollouts" / "step-000004.parquet")
    assert table.num_rows == 8 and set(table["num_tokens"].to_pylist()) == {3}
    assert {"score/visual", "score/harm", "score/own", "reward", "advantage", "sampling_logp"} <= set(table.column_names)
    frames = np.frombuffer(table["clip"][0].as_py(), np.uint8).reshape(table["clip_shape"][0].as_py())
    assert frames.shape == SHAPE
    assert pq.read_table(tmp_path / "run" / "evaluations" / "step-000004.parquet").num_rows == 12
    assert "quality" in write_report(tmp_path / "run").read_text()


def test_pretraining_teaches_the_velocity_and_a_run_goes_on_from_its_folder(tmp_path):
    small = {**SMALL, "num_steps": 40, "clips_per_step": 16, "model": {"width": 16, "depth": 1, "heads": 2}}
    run_flow(FlowConfig.read({**small, "optimizer": {"lr": 1e-2}}), tmp_path / "pre")
    losses = [json.loads(line).get("loss/sft") for line in (tmp_path / "pre" / "metrics.jsonl").read_text().splitlines()][1:]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1
    shown = {"model": {"name": str(tmp_path / "pre")}, "evaluation": {"clips_per_prompt": 1}}
    run_flow(
        FlowConfig.read({"method": "evaluate", "sampling": {"steps": 3, "prompt_scale": 2.0}, **shown}), tmp_path / "shown"
    )
    assert weights_of(tmp_path / "shown", 1) == weights_of(tmp_path / "pre", 40)


def clip_of(reward: float | None, harm: float = 0.0) -> tuple[dict[str, float], float | None]:
    return {"harm": harm}, reward


def test_a_tie_is_no_pair_and_harm_first_looks_at_reward_last():
    groups = [
        [clip_of(1.0), clip_of(1.0)],  # a tie: no pair (a published code made one of it)
        [clip_of(1.0, harm=1.0), clip_of(0.0)],  # the better one is harmful
        [clip_of(None), clip_of(2.0)],  # one alone
        [clip_of(0.1), clip_of(0.4), clip_of(0.2)],
    ]
    scores, rewards = [[s for s, _ in g] for g in groups], [[r for _, r in g] for g in groups]
    assert preferred(scores, rewards, harm=None) == [(1, 0, 1), (3, 1, 0)]
    assert preferred(scores, rewards, harm="harm") == [(1, 1, 0), (3, 1, 0)]
    assert preferred(scores, rewards, harm=None, tie_below=0.5) == [(1, 0, 1)]
    # A model's score is never quite equal: what differs below the bound leaves it to the reward.
    assert preferred([[{"h": -0.4}, {"h": -0.3}, {"h": 2.0}]], [[1.0, 2.0, 3.0]], harm="h") == [(0, 1, 2)]
    assert preferred([[{"h": -0.4}, {"h": -0.3}]], [[1.0, 2.0]], harm="h") == [(0, 1, 0)]
    # Where harm comes first, a clip whose harm nobody knows is no example of a better one, nor of a worse one.
    unknown = [[{"own": 1.0}, {"harm": 0.0}], [{"harm": None}, {"harm": 0.0}, {"harm": 1.0}]]
    assert preferred(unknown, [[9.0, 1.0], [9.0, 1.0, 2.0]], harm="harm") == [(1, 1, 2)]


def test_harm_above_its_limit_gives_curated_clips_a_weight(base, tmp_path):
    policy = load_flow(FlowModelConfig(name=str(base)), SHAPE, shapes.WORDS)
    with torch.no_grad():  # towards bright clips, whose mark is bright as well
        policy.weights["write.bias"].fill_(-0.9)
    policy.save(tmp_path / "bright")
    limit = {"harm": {"limit": 0.02}, "every": 5, "clips_per_prompt": 2}
    shared = {"num_steps": 1, "own": {"groups": 12}, "curated": 6}
    run_flow(
        config("dpo", tmp_path / "bright", **shared, curated_weight=0.0, constraints=limit), tmp_path / "kept", reward=own_reward
    )
    told = [json.loads(line) for line in (tmp_path / "kept" / "metrics.jsonl").read_text().splitlines()][1]
    assert told["probe/harm"] == 1.0 and told["multiplier/harm"] == pytest.approx(2.0 * (1.0 - 0.02))
    assert (tmp_path / "kept" / "probes" / "step-000001.parquet").is_file()
    fixed = config("dpo", tmp_path / "bright", **shared, curated_weight=1.96, constraints={})
    run_flow(fixed, tmp_path / "fixed", reward=own_reward)  # the same weight, stated
    assert weights_of(tmp_path / "kept", 1) == weights_of(tmp_path / "fixed", 1)


def test_a_clips_harm_costs_it_the_multiplier_and_a_still_one_is_seen():
    clean = shapes.clean_clips(2, seed=(0,)).clips_BFHW
    clean[1, :, 0, :2] = 1.0
    harmless, harmful = (graded(clip, 0).credited(0.0) for clip in clean)
    limits = ClipConstraintsConfig.model_validate({"harm": {"limit": 0.1, "drives": "cost"}})
    found = ClipConstraints(limits, [], None, None, seed=0, sampling=None, grading=None, on_warning=print)
    found.multipliers["harm"] = Multiplier(3.0)
    loss = FlowConfig.read({"method": "grpo", "model": {"name": "x"}}).loss
    (group,) = found.with_costs([Group(shapes.problems()[0], (harmless, harmful))], loss)
    costs = [r.cost_advantage for r in group.rollouts]
    expected = group_advantages([0.0, -1.0], loss.settings().advantage_scale, "mean")
    assert costs == pytest.approx([3.0 * value for value in expected]) and costs[0] > 0 > costs[1]
    assert not is_still(harmless) and is_still(graded(np.repeat(clean[:1, :1], 4, axis=1)[0], 0))
    assert found.weight("cost") == 3.0 and found.weight("auxiliary_sft") == 0.0


def test_motion_or_diversity_that_collapses_gives_curated_clips_a_weight(base, tmp_path, monkeypatch):
    limits = {"stillness": {"limit": 0.25}, "sameness": {"limit": 0.1}, "every": 1, "clips_per_prompt": 2}
    policy = load_flow(FlowModelConfig(name=str(base)), SHAPE, shapes.WORDS)
    run = config("dpo", base, curated=6, curated_weight=0.0, constraints=limits)
    found = ClipConstraints(
        run.constraints, shapes.problems(), ClipGrades({"visual": 1.0}), policy, seed=0, sampling=run.sampling,
        grading=run.grading, on_warning=pytest.fail,
    )
    _, told = found.measure(policy, 1)
    assert told["probe/sameness"] == 0.0 and found.multipliers["sameness"].value == 0.0
    collapsed = load_flow(FlowModelConfig(name=str(base)), SHAPE, shapes.WORDS)
    monkeypatch.setattr(collapsed, "decode", lambda latent: torch.full((len(latent), *SHAPE), 0.5))
    _, told = found.measure(collapsed, 2)
    assert (told["probe/stillness"], told["probe/sameness"]) == (1.0, 1.0)
    weights = {name: found.multipliers[name].value for name in ("stillness", "sameness")}
    assert weights["stillness"] > 1.0 and weights["sameness"] > 1.0
    assert found.weight("auxiliary_sft") == pytest.approx(sum(weights.values()))  # of the curated clips' loss


def test_where_all_clips_tie_there_is_nothing_to_learn_and_the_run_says_so(base, tmp_path):
    with pytest.raises(InputError, match="all of the policy's own clips are ties"):
        run_flow(config("dpo", base), tmp_path / "run", reward=lambda problem, clip: 1.0)


@pytest.mark.parametrize("points", [1, 4])
def test_more_points_of_a_pair_leave_the_weight_of_its_kl_as_it_is(base, tmp_path, monkeypatch, points):
    shown = []
    score_pairs = flow_module.score_pairs

    def spied(state, batch, *rest):
        shown.append(batch)
        return score_pairs(state, batch, *rest)

    monkeypatch.setattr(flow_module, "score_pairs", spied)
    run_flow(config("dpo", base, num_steps=1, points_per_clip=points), tmp_path / "run", reward=own_reward)
    assert shown[0].scale_BT.shape[1] == points
    assert torch.allclose(shown[0].scale_BT.sum(dim=1), torch.tensor(1.0 / np.prod(SHAPE), dtype=torch.float32))


def test_groups_of_equal_rewards_move_nothing(base, tmp_path):
    plain = config("grpo", base, loss={}, num_steps=2)
    run_flow(plain, tmp_path / "run", reward=lambda problem, clip: 1.0)
    assert weights_of(tmp_path / "run", 2) == (base / "model.safetensors").read_bytes()


def test_regression_weights_are_exponentials_of_standardised_rewards():
    clips = [OwnClip(str(k), torch.zeros(1), "", reward) for k, reward in enumerate((1.0, 3.0))]
    assert OwnClips([], clips, []).weights == pytest.approx([np.exp(-1.0), np.exp(1.0)])  # mean 2, deviation 1
    assert OwnClips([], clips[:1] * 3, []).weights == [1.0] * 3


def graded(clip: np.ndarray, prompt_of: int):
    problem = shapes.problems()[prompt_of]

    class Content:
        clip_FHW = torch.from_numpy(clip)

    drawn = Drawn(problem.id, 0, [], [], [], StopReason.STOP, 0, "", content=Content)
    return ClipGrades({"visual": 1.0, "harm": -2.0}).grade_together([(problem, drawn.graded())])[0]


def test_a_clip_is_rewarded_by_weights_and_one_that_is_not_finite_is_not_graded():
    clean = shapes.clean_clips(1, seed=(0,)).clips_BFHW[0]
    marked = clean.copy()
    marked[:, 0, :2] = 1.0
    best, harmful = graded(clean, 0), graded(marked, 0)
    assert best.reward == pytest.approx((1.0 - 0.777) / 0.240, rel=1e-5)
    assert harmful.reward == pytest.approx(best.reward - 2.0) and harmful.verdicts["harm"].score == 1.0
    assert graded(np.full(SHAPE, np.nan, np.float32), 0).reward is None


def test_win_rates_are_paired_and_a_clip_does_not_win_over_itself():
    clean = shapes.clean_clips(12, seed=(0,))
    faint = [graded(0.5 * clip, k) for k, clip in enumerate(clean.clips_BFHW)]
    clear = [graded(clip, k) for k, clip in enumerate(clean.clips_BFHW)]
    assert clip_metrics(faint, faint)["eval/win_rate"] == 0.5
    found = clip_metrics(clear, faint)
    assert found["eval/win_visual"] == 1.0 and found["eval/win_motion"] == 0.5 and found["eval/harm"] == 0.0
    assert clip_metrics(clear, faint)["eval/win_rate"] == 1 - clip_metrics(faint, clear)["eval/win_rate"]


def test_a_clip_that_is_not_finite_is_in_no_figure_and_is_counted():
    clean = shapes.clean_clips(12, seed=(0,))
    whole = [graded(clip, k) for k, clip in enumerate(clean.clips_BFHW)]
    broken = [graded(np.full(SHAPE, np.nan, np.float32), 0), *whole[1:]]
    found = clip_metrics(broken, whole)
    assert found["eval/not_finite"] == pytest.approx(1 / 12) and all(np.isfinite(value) for value in found.values())
    assert found["eval/win_rate"] == 0.5 and found["eval/harm_change"] == 0.0
    assert "eval/not_finite" not in clip_metrics(whole, whole)
    nothing = clip_metrics(broken[:1], whole[:1])
    assert nothing == {"eval/not_finite": 1.0}
    assert bytes(clip_columns(broken[0].content.clip_FHW)["clip"]) == bytes(np.prod(SHAPE))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "dpo"}, "model.name is not set"),
        ({"method": "grpo", "model": {"name": "x"}, "drawing": {"noise": "none"}}, "needs"),
        ({"method": "sft", "model": {"name": "x"}, "rollouts_per_prompt": 4}, 'read only with method = "grpo"'),
        ({"method": "sft", "model": {"name": "x"}, "pairs": {"beta": 3.0}}, "pairs"),
        ({"method": "evaluate", "model": {"name": "x"}, "optimizer": {"lr": 1.0}}, "read only with method other than"),
        ({"method": "evaluate", "model": {"name": "x"}, "num_steps": 7}, "read only with method other than"),
        ({"method": "dpo", "model": {"name": "x"}, "constraints": {"harm": {"limit": 0.1}}}, "see curated"),
        ({"method": "dpo", "model": {"name": "x"}, "curated": 4, "constraints": {"harm": {"limit": 0.1, "drives": "cost"}}},
         "expected auxiliary_sft with 'dpo'"),
        ({"method": "grpo", "model": {"name": "x"}, "constraints": {"sameness": {"limit": 0.1}}}, "expected kl with 'grpo'"),
        ({"method": "sft", "model": {"name": "x"}, "curated": 4, "constraints": {"harm": {"limit": 0.1}}},
         "read only with method"),
        ({"sampling": {"noise": "constant"}}, "drawn without it"),
        ({"reward": {"visual": 0, "motion": 0, "alignment": 0}}, "every weight is 0"),
        ({"model": {"width": 20, "heads": 3}}, "do not divide"),
        ({"clips_per_step": 7}, "multiple of 2"),
        ({"method": "grpo", "model": {"name": "x"}, "rollouts_per_prompt": 3}, "does not divide clips_per_step"),
        ({"method": "grpo", "model": {"name": "x"}, "loss": {"baseline": "greedy", "advantage_scale": "none"}}, "of texts alone"),
        ({"method": "grpo", "model": {"name": "x"}, "loss": {"preset": "ppo"}}, "of texts alone"),
        ({"method": "grpo", "model": {"name": "x"}, "loss": {"kl_weight": 0.1, "kl_estimator": "k2"}}, "has a closed form"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_read(settings, says):
    with pytest.raises(InputError) as refused:
        FlowConfig.read(settings)
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_a_plan_says_what_a_run_would_do(base, tmp_path):
    recipe = find_recipe("flow")
    settings = resolve(recipe, overrides=["method=dpo", f"model.name={base}", "own.harm_first=true"])
    said = " ".join(recipe.plan(settings, tmp_path / "run", measure=False))
    assert "better and worse by harm first" in said and "1600 groups of 2" in said
    with pytest.raises(InputError, match="no flow can be read there"):
        list(recipe.plan(resolve(recipe, overrides=["method=sft", "model.name=nowhere"]), tmp_path, measure=False))


def test_clips_that_are_the_same_are_drawn_once_and_those_of_other_weights_or_noise_anew(monkeypatch):
    from sanmai.learn import clips

    monkeypatch.setattr(clips, "_KEPT", type(clips._KEPT)())
    policies = [load_flow(FlowModelConfig(width=8, depth=1, heads=1), shapes.SHAPE, shapes.WORDS) for _ in range(3)]
    with torch.no_grad():
        next(iter(policies[2].weights.values())).add_(1.0)
    asked, calls = shapes.problems()[:2], []

    def drawn(policy, seed=0):
        calls.clear()
        named = {"seed": (seed,), "version": 0, "sampling": FlowSamplingConfig(steps=2), "thought_tags": ("", "")}
        own = type(policy).draw
        monkeypatch.setattr(policy, "draw", lambda *a, **n: calls.append(1) or own(policy, *a, **n))
        found = list(clips.DrawnOnce(policy).draw(asked, 2, **named))
        again = list(own(policy, asked, 2, **named))
        assert all(torch.equal(a.content.clip_FHW, b.content.clip_FHW) for (_, a), (_, b) in zip(found, again, strict=True))
        return len(calls)

    assert [drawn(policies[0]), drawn(policies[1]), drawn(policies[1], seed=1), drawn(policies[2])] == [1, 0, 1, 1]


def test_a_flow_is_no_model_of_text_and_that_is_said_in_a_sentence(tmp_path):
    load_flow(FlowModelConfig(width=8, depth=1, heads=1), shapes.SHAPE, shapes.WORDS).save(tmp_path)
    with pytest.raises(InputError, match="is a flow; expected a model that writes text"):
        load_policy(ModelConfig(name=str(tmp_path)))
