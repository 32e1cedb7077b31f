"""R1-Zero from Python: the caller's own problems and rewards, and what happens when they misbehave."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

import sanmai
from rollouts import drawn, paid
from sanmai.losses import step_advantages
from sanmai.pipelines.graph import Stage
from sanmai.plan.stage_costs import spent
from sanmai.plan.stage_sources import Rows
from sanmai.plan.workload import workload
from sanmai.policies.text.flops import Arithmetic
from sanmai.recipes import zero
from sanmai.train.components import LossConfig
from sanmai.types import Credited, Group, Problem

FAST = {"num_steps": 2, "prompts_per_step": 4, "rollouts_per_prompt": 4, "checkpoints": {"every": 1}}


def some_problems(count: int = 20) -> list[Problem]:
    return [Problem(f"p{i}", ({"role": "user", "content": f"what is {i} plus 3 ?"},), str(i + 3)) for i in range(count)]


def metrics_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_callers_reward_takes_the_place_of_accuracy_and_none_leaves_the_baseline(tmp_path):
    def even_length(problem: Problem, completion: str) -> float | None:
        return None if "3" in completion else float(len(completion) % 2 == 0)

    run = sanmai.run("zero", problems=some_problems(), reward=even_length, out=tmp_path / "run", **FAST)
    rows = pq.read_table(run / "rollouts" / "step-000001.parquet").to_pylist()
    assert all(row["reward"] == row["score/reward"] for row in rows)
    assert all((row["reward"] is None) == ("3" in row["text"]) for row in rows)
    assert all(row["advantage"] is None and row["log_ratio"] is None for row in rows if row["reward"] is None)
    assert metrics_of(run)[1]["rollout/ungradable"] == sum(row["reward"] is None for row in rows) / len(rows)


def test_a_reward_that_breaks_stops_the_run_with_its_reason_and_keeps_the_folder(tmp_path):
    def broken(problem: Problem, completion: str) -> float:
        raise KeyError("no such column")

    with pytest.raises(sanmai.RunError, match="no such column"):
        sanmai.run("zero", problems=some_problems(), reward=broken, out=tmp_path / "run", **FAST)
    assert (tmp_path / "run" / "config.toml").exists()


def test_a_reward_that_is_not_a_number_is_a_broken_grader(tmp_path):
    with pytest.raises(sanmai.RunError, match="finite number"):
        sanmai.run("zero", problems=some_problems(), reward=lambda p, c: float("nan"), out=tmp_path / "run", **FAST)


def test_a_step_in_which_nothing_can_be_graded_teaches_nothing_and_says_so(tmp_path):
    settings = FAST | {"rewards": {"custom_budget": 1.0}}
    run = sanmai.run("zero", problems=some_problems(), reward=lambda p, c: None, out=tmp_path / "run", **settings)
    events = (run / "events.jsonl").read_text()
    assert "no rollout could be graded" in events and "loss/rl" not in metrics_of(run)[1]


def test_the_same_settings_give_the_same_bytes(tmp_path):
    runs = [sanmai.run("zero", problems=some_problems(), out=tmp_path / name, **FAST) for name in ("a", "b")]
    for name in ("metrics.jsonl", "rollouts/step-000002.parquet", "checkpoints/step-000002/model.safetensors"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes()


def test_several_updates_a_step_clip_and_a_kl_is_measured(tmp_path):
    run = sanmai.run(
        "zero", out=tmp_path / "run", **FAST | {"prompts_per_step": 16}, updates_per_step=4,
        optimizer={"lr": 1e-2, "max_grad_norm": 10.0},
        loss={"kl_weight": 0.01, "clip_low": 0.01, "clip_high": 0.01, "importance_cap": 2.0, "entropy_weight": 0.001},
        problems={"world": {"heldout": 10}},
    )  # fmt: skip
    last = metrics_of(run)[-1]
    assert last["policy/clip_fraction"] > 0 and last["policy/kl_to_reference_k3"] > 0 and last["policy/entropy"] > 0


def test_problems_that_share_an_id_or_are_none_are_refused(tmp_path):
    with pytest.raises(sanmai.InputError, match="'p0' is not unique"):
        sanmai.run("zero", problems=some_problems(1) * 10, out=tmp_path / "a", **FAST)
    with pytest.raises(sanmai.InputError, match=r"list of sanmai\.Problem"):
        sanmai.run("zero", problems=["2+3?"], out=tmp_path / "b", **FAST)  # type: ignore[arg-type]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    theirs = tmp_path / "theirs"
    (theirs / "rollouts").mkdir(parents=True)
    (theirs / "rollouts" / "step-000001.parquet").write_text("mine")
    with pytest.raises(sanmai.InputError, match="not a run folder"):
        sanmai.run("zero", problems=some_problems(), out=theirs, **FAST)
    assert [p.name for p in theirs.rglob("*")] == ["rollouts", "step-000001.parquet"]


def test_a_reward_with_other_values_has_another_name():
    from sanmai.recipes import name_of

    def make(bonus: float):
        return lambda problem, completion: bonus

    assert name_of(make(1.0)) != name_of(make(2.0)) and name_of(make(1.0)) == name_of(make(1.0))


def test_without_constraints_nothing_of_them_is_built_drawn_written_or_kept(tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("a run without limits has no constraints")

    monkeypatch.setattr(zero, "Constraints", never)
    run = sanmai.run("zero", problems=some_problems(), out=tmp_path / "run", **FAST)
    theirs = ("probe/", "multiplier/", "auxiliary_sft/", "gradient/auxiliary", "loss/cost", "loss/kl",
              "tokens/probe", "tokens/auxiliary_sft")  # fmt: skip
    assert [name for line in metrics_of(run) for name in line if name.startswith(theirs)] == []
    assert not (run / "probes").exists()
    with safe_open(run / "checkpoints" / "step-000002" / "training_state.safetensors", "pt") as file:
        assert [name for name in file.keys() if name.startswith(("extra/", "reference/"))] == []  # noqa: SIM118


def operations(run: Path) -> dict[str, float]:
    """Of the first step, in which every run samples the same."""
    events = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return next(event["flops"] for event in events if event["event"] == "step" and event["step"] == 1)


def test_a_limit_on_the_kl_costs_the_operations_that_a_weight_of_it_costs(tmp_path):
    settings = {"plain": {}, "weighed": {"loss": {"kl_weight": 0.01}},
                "limited": {"constraints": {"kl": {"limit": 0.0, "drives": "kl"}}}}  # fmt: skip
    found = {
        name: operations(sanmai.run("zero", problems=some_problems(), out=tmp_path / name, **FAST | {"num_steps": 1} | changes))
        for name, changes in settings.items()
    }
    assert found["limited"] == found["weighed"] and found["limited"]["sampling"] == found["plain"]["sampling"]
    assert found["limited"]["training"] > found["plain"]["training"]


def test_what_is_trained_on_for_its_cost_alone_is_counted():
    def rollout(advantage: float | None, cost: float, reward: float | None = 1.0) -> Credited:
        written = drawn(prompt_tokens=[1] * 3, completion_tokens=[1] * 2, sampling_logp=[0.0] * 2)
        return written.graded(**paid(reward)).credited(advantage, cost)

    # The prompt once, 2 x 10 x 3 + 2 x 6 = 72, and for each completion 2 x 10 x 2 + 2 x 5 x 2 + 2 x 9 = 78; thrice to train.
    rollouts = [rollout(1.0, 0.0), rollout(0.0, -0.5), rollout(0.0, 0.0), rollout(None, -0.5, reward=None)]
    groups = [Group(some_problems(1)[0], tuple(rollouts))]
    useful = lambda found, **loss: zero._useful_flops(Arithmetic(10, 5, 2), groups, found, LossConfig(**loss))["training"]  # noqa: E731
    assert useful({"loss/rl": 0.1, "loss/cost": 0.1}) == 3 * (72 + 2 * 78)
    assert useful({"loss/rl": 0.1, "loss/kl_to_reference": 0.0}) == 4 * (72 + 3 * 78)
    assert useful({"loss/rl": 0.1, "loss/entropy": 0.0}, importance_cap=2.0) == 4 * (72 + 3 * 78)
    assert [r.advantage for r in rollouts] == [1.0, 0.0, 0.0, None]


def test_what_is_left_of_a_stage_under_constraints_has_its_reference_and_its_probe():
    constraints = {"probe": ["a.jsonl", "b.jsonl"], "prompts_per_kind": 3, "samples": 2, "every": 2,
               "harm": {"limit": 0.02, "drives": "kl"}}  # fmt: skip
    kinds = {"a.jsonl": {"safety": [0] * 9, "general": [0]}, "b.jsonl": {"general": [0]}}
    sources: Any = SimpleNamespace(size_of=lambda name: 1.0, kinds=lambda source: kinds.get(source, {}),
                                   prompts=lambda source: Rows(20, {"a.jsonl": 8, "b.jsonl": 6}.get(source, 10)))  # fmt: skip

    def left(**changes):
        config = zero.ZeroConfig.read({"num_steps": 6, "problems": {"source": "t", "evaluation": "e"}} | changes)
        return workload(Stage("rl", "zero", config, ""), sources, 1)

    within, weighed = left(constraints=constraints), left(loss={"kl_weight": 0.1})
    assert within.keeps_reference and not left().keeps_reference
    assert within.passes == weighed.passes and within.passes[0].forwards == left().passes[0].forwards + 1
    # After step 1 of 6: probes before steps 3 and 5, of 3 safety prompts and both general ones.
    (probe,) = (s for s in within.sampling if s not in weighed.sampling)
    assert (probe.times, probe.prompts, probe.rollouts, probe.prompt_length) == (2, 5, 10, 7)


def test_what_a_stage_took_has_the_tokens_of_its_probe(tmp_path):
    import pyarrow as pa

    for name, lengths in (("evaluations", [3, 4]), ("probes", [5, None])):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"num_tokens": lengths}), tmp_path / name / "step-000001.parquet")
    (tmp_path / "events.jsonl").write_text(json.dumps({"event": "step", "tokens": {"sampled": 100, "trained": 90, "probe": 5}}))
    assert (spent(tmp_path, "zero").sampled, spent(tmp_path, "zero").trained) == (112, 90)


@pytest.mark.parametrize("preset", ["reinforce++", "reinforce++_baseline", "maxrl", "opo", "gpg"])
def test_what_looks_at_the_whole_step_writes_the_advantages_of_its_equation(tmp_path, preset):
    loss = LossConfig.read({"preset": preset})
    run = sanmai.run("zero", problems=some_problems(), out=tmp_path / "run", loss={"preset": preset}, **FAST)
    rows = pq.read_table(run / "rollouts" / "step-000001.parquet").to_pylist()
    ids = list(dict.fromkeys(row["problem_id"] for row in rows))
    groups = [[row for row in rows if row["problem_id"] == one] for one in ids]
    settings = loss.settings()
    expected = step_advantages(
        [[row["reward"] for row in group] for group in groups], settings.advantage_scale, settings.baseline,
        lengths=[[row["num_tokens"] for row in group] for group in groups])  # fmt: skip
    assert [[row["advantage"] for row in group] for group in groups] == [pytest.approx(own) for own in expected]
    assert len({row["reward"] for row in rows}) > 1, "nothing was compared"


def test_a_reward_that_an_algorithm_cannot_take_is_one_sentence(tmp_path):
    with pytest.raises(sanmai.RunError, match=r"loss\.preset = 'maxrl'.*expected rewards of at least 0"):
        sanmai.run(
            "zero", problems=some_problems(), out=tmp_path / "run", loss={"preset": "maxrl"},
            reward=lambda problem, text: -float(len(text)), **FAST)  # fmt: skip
