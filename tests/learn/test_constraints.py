"""Constraints: what the probe measures, what the multipliers drive, and that a run without them is as it always was."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

import sanmai
from rollouts import drawn
from sanmai.data.trace import parse_trace
from sanmai.learn.constraints import Constraints, ConstraintsConfig, value_of
from sanmai.learn.spending import Spending
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.gather import GatherConfig, gathered, write_problems
from sanmai.rewards.rubric import RewardsConfig
from sanmai.train.components import LossConfig
from sanmai.train.state import TrainingState
from sanmai.types import Credited, Group, InputError, Problem, Verdict
from sanmai.world import make_requests

PROXIES = {"refusal": 1.0, "refusal_from": "keywords", "helpfulness": 1.0, "helpfulness_from": "recipe",
           "helpfulness_on": ["general", "safety"]}  # fmt: skip
FAST = {"num_steps": 4, "prompts_per_step": 4, "rollouts_per_prompt": 4, "rewards": PROXIES, "checkpoints": {"every": 2},
        "sampling": {"max_tokens": 24}, "optimizer": {"lr": 1e-4}}  # fmt: skip
SMALL = {"every": 2, "prompts_per_kind": 3, "samples": 2}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    """train, held_out, probe: requests on seen objects, and on two halves of the others; demonstrations."""
    folder = tmp_path_factory.mktemp("problems")
    seen = [r for r in make_requests(24, seed=0)]
    others = [r.to_problem() for r in make_requests(seed=0, objects="heldout")]
    objects = sorted({str(p.tags["object"]) for p in others})[::2]
    parts = {
        "train": [replace(r.to_problem(), solution=None) for r in seen],
        "held_out": [p for p in others if p.tags["object"] in objects][:8],
        "probe": [p for p in others if p.tags["object"] not in objects][:40],
        "shown": [replace(r.to_problem(), solution=None, demonstration=r.demonstration()) for r in seen],
    }
    parts["probe_shown"] = [replace(p, id=f"shown/{p.id}", demonstration="<think> a </think> b") for p in parts["probe"]]
    for name, found in parts.items():
        write_problems(folder / f"{name}.jsonl", found)
    return {name: str(folder / f"{name}.jsonl") for name in parts}


def run(files, out, **settings) -> Path:
    problems = {"source": files["train"], "evaluation": files["held_out"]}
    return sanmai.run("zero", out=out, **{"problems": problems, **FAST, **settings})


def metrics_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def steps_of(folder: Path) -> list[dict]:
    return [line for line in metrics_of(folder) if line["step"]]


def shown_at(files, weight: float) -> dict:
    return {"source": files["shown"], "weight": weight, "demonstrations_per_update": 4}


def test_harm_on_the_probe_raises_the_weight_of_the_auxiliary_sft_loss(tmp_path, files):
    constraints = {**SMALL, "probe": files["probe"], "harm": {"limit": 0.01, "integral": 2.0}}
    lines = steps_of(run(files, tmp_path / "run", auxiliary_sft=shown_at(files, 0.3), constraints=constraints))
    assert ["probe/harm" in line for line in lines] == [True, False, True, False]
    # The base leaks in half of its answers: 2 (harm - 0.01), then that again, and between measurements it stays.
    first, second = lines[0]["probe/harm"], lines[2]["probe/harm"]
    assert first > 0 and [line["multiplier/harm"] for line in lines[:2]] == pytest.approx([2 * (first - 0.01)] * 2)
    assert lines[2]["multiplier/harm"] == pytest.approx(max(2 * (first - 0.01) + 2 * (second - 0.01), 0))
    assert [line["auxiliary_sft/weight"] for line in lines] == pytest.approx([0.3 + line["multiplier/harm"] for line in lines])
    answers = pq.read_table(tmp_path / "run" / "probes" / "step-000001.parquet").to_pylist()
    scored = [row["score/harm"] for row in answers if row["kind"] == "safety"]
    assert len(answers) == 12 and sum(scored) / len(scored) == first


def test_a_run_whose_limits_are_met_learns_what_one_without_constraints_learns_byte_for_byte(tmp_path, files):
    constraints = {**SMALL, "probe": files["probe"], "harm": {"limit": 1.0}, "off_language": {"limit": 1.0, "drives": "cost"}}
    plain = run(files, tmp_path / "plain", auxiliary_sft=shown_at(files, 0.3))
    within = run(files, tmp_path / "within", auxiliary_sft=shown_at(files, 0.3), constraints=constraints)
    ours = ("probe/", "multiplier/", "tokens/probe")
    left = [{k: v for k, v in line.items() if not k.startswith(ours)} for line in metrics_of(within)]
    assert left == metrics_of(plain) and any("probe/harm" in line for line in metrics_of(within))
    for name in ("checkpoints/step-000004/model.safetensors", "rollouts/step-000003.parquet"):
        assert (plain / name).read_bytes() == (within / name).read_bytes()
    assert not (plain / "probes").exists()


def test_a_cost_of_its_own_pushes_harm_down_where_the_reward_pays_for_it(tmp_path, files):
    constraints = {**SMALL, "probe": files["probe"], "harm": {"limit": 0.0, "drives": "cost", "integral": 4.0}}
    lines = steps_of(run(files, tmp_path / "run", constraints=constraints))
    assert all(line["multiplier/harm"] > 0 for line in lines) and any(line["loss/cost"] != 0 for line in lines)
    assert "loss/cost" not in steps_of(run(files, tmp_path / "plain"))[0]


def test_the_kl_is_held_by_its_own_weight(tmp_path, files):
    constraints = {"kl": {"limit": 0.0, "drives": "kl", "integral": 100.0}}
    lines = steps_of(run(files, tmp_path / "run", constraints=constraints, optimizer={"lr": 1e-3}))
    assert lines[0]["policy/kl_to_reference_k3"] == 0 and lines[0]["multiplier/kl"] == 0  # the policy is the reference
    grown = sum(line["policy/kl_to_reference_k3"] for line in lines[1:3])
    assert lines[3]["multiplier/kl"] == pytest.approx(min(100 * grown, 8)) and lines[3]["loss/kl_to_reference"] > 0


def test_multipliers_and_tokens_spent_are_part_of_the_run_state(tmp_path, files):
    settings = {"auxiliary_sft": shown_at(files, 0.3), "token_budget": 10**9,
                "constraints": {**SMALL, "probe": files["probe"], "harm": {"limit": 0.01}}}  # fmt: skip
    whole = run(files, tmp_path / "whole", **settings)
    part = shutil.copytree(whole, tmp_path / "part")
    for path in part.glob("*/step-00000[34]*"):  # as if it had been killed after step 2
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    part = run(files, tmp_path / "part", **settings)
    for name in ("metrics.jsonl", "checkpoints/step-000004/training_state.safetensors", "probes/step-000003.parquet"):
        assert (whole / name).read_bytes() == (part / name).read_bytes()


@pytest.fixture(scope="module")
def spent(files, tmp_path_factory) -> list[float]:
    """Tokens of each step."""
    lines = steps_of(run(files, tmp_path_factory.mktemp("all") / "run"))
    return [line["tokens/sampled"] + line["tokens/trained"] for line in lines]


def test_a_token_budget_ends_the_run_after_the_step_that_reaches_it(tmp_path, files, spent):
    budget = int(spent[0] + spent[1]) - 1
    folder = run(files, tmp_path / "run", token_budget=budget)
    lines = steps_of(folder)
    assert len(lines) == 2 and "eval/harm" in lines[-1]
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-000002"]
    before = (folder / "metrics.jsonl").read_bytes()
    run(files, folder, token_budget=budget)  # finished: nothing is done again
    assert (folder / "metrics.jsonl").read_bytes() == before


def test_schedules_fall_over_the_steps_that_a_token_budget_leaves(tmp_path, files, spent):
    schedule = {"lr": 1e-4, "schedule": "linear", "warmup_steps": 0}
    budget = int(spent[0] + spent[1]) - 1
    folder = run(files, tmp_path / "run", token_budget=budget, optimizer=schedule, num_steps=400)
    rates = [line["optimizer/lr"] for line in steps_of(folder)]
    # Not of 400 steps: after the first, as many as its tokens are in the budget.
    assert rates[0] == 1e-4 and rates[1] == pytest.approx(1e-4 * (1 - 1 / math.ceil(budget / spent[0])))


def test_the_steps_to_come_are_judged_by_what_a_step_took():
    state = TrainingState.__new__(TrainingState)
    state.extra = {"spent_tokens": torch.tensor(300)}
    assert Spending(1000, state).total_steps(4, 400) == 10  # three steps took 300
    assert Spending(1000, state).total_steps(4, 6) == 6 and Spending(None, state).total_steps(4, 400) == 400
    state.extra = {}
    assert Spending(1000, state).total_steps(1, 400) == 400


def test_a_budget_of_operations_counts_every_phase_of_a_step_and_no_tokens():
    state = TrainingState.__new__(TrainingState)
    state.extra = {"spent_operations": torch.tensor(300)}
    spending = Spending(None, state, 1000.0)
    assert spending.total_steps(4, 400) == 10  # three steps took 300
    assert not spending.add({"tokens/sampled": 10**6}, {"sampling": 200.0, "training": 300.0, "probing": 100.0})
    assert spending.add({}, {"auxiliary_sft": 100.0}) and spending.state()["spent_operations"] == 1000


@pytest.mark.parametrize("recipe", ["zero", "sft"])
def test_a_run_ends_by_one_budget_alone(recipe):
    with pytest.raises(InputError, match="token_budget and operation_budget"):
        resolve(find_recipe(recipe), values={"token_budget": 5, "operation_budget": 5.0})


def test_the_probe_must_be_apart_from_what_is_trained_on_and_reported(tmp_path, files):
    for name, said in (("train", "trained on"), ("held_out", "held out for the report")):
        with pytest.raises(InputError, match=f"prompts are also {said}"):
            within = {"probe": files[name], "harm": {"limit": 0.1}}
            run(files, tmp_path / name, auxiliary_sft=shown_at(files, 0.3), constraints=within)


def test_the_probe_is_apart_from_what_is_demonstrated(tmp_path, files):
    auxiliary_sft = {"source": files["probe_shown"], "weight": 0.3, "demonstrations_per_update": 4}
    with pytest.raises(InputError, match="trained on"):
        run(files, tmp_path / "run", auxiliary_sft=auxiliary_sft, constraints={"probe": files["probe"], "harm": {"limit": 0.1}})


def constraints_of(probe: Path, rewards: RewardsConfig | None = None, **settings) -> tuple[Constraints, list[str]]:
    warnings: list[str] = []
    config = ConstraintsConfig.read({"probe": str(probe), "harm": {"limit": 0.1}, **settings})
    made = Constraints(config, rewards or RewardsConfig(), trained=[], reported=[], device="cpu", on_warning=warnings.append)
    return made, warnings


def test_harm_measured_by_what_the_policy_is_rewarded_by_is_refused_or_warned_of(tmp_path):
    path = tmp_path / "probe.jsonl"
    write_problems(path, [Problem("a", ({"role": "user", "content": "x"},), kind="safety")])
    assert constraints_of(path)[1] == []
    assert "refusal rules" in constraints_of(path, RewardsConfig(refusal=1.0))[1][0]
    twice = RewardsConfig(helpfulness=1.0, helpfulness_from="some/model", helpfulness_on=("general", "safety"))
    for harm_from in ("some/model", "./some/model/"):
        with pytest.raises(InputError, match="helpfulness_from"):
            constraints_of(path, twice, harm_from=harm_from)
    rewarded = RewardsConfig(harmlessness=1.0, harmlessness_from="some/model")
    with pytest.raises(InputError, match="also what the policy is rewarded by"):
        constraints_of(path, rewarded, harm_from="some/model")


def group(kind: str, **columns: list) -> Group[Credited]:
    problem = Problem(kind, ({"role": "user", "content": "x"},), kind=kind)  # type: ignore[arg-type]
    count = len(next(iter(columns.values())))
    rollouts = []
    for i in range(count):
        verdicts = {name: Verdict(values[i], "") for name, values in columns.items()}
        written = drawn("x", parse_trace("x"), sample=i, completion_tokens=[2] * (i + 1))
        rollouts.append(written.graded(verdicts).credited(None))
    return Group(problem, tuple(rollouts))


def test_costs_are_relative_to_their_group_and_equal_costs_push_nothing(files):
    constraints, _ = constraints_of(Path(files["probe"]), harm={"limit": 0.0, "drives": "cost", "integral": 2.0})
    constraints.advance("harm", 0.5)  # multiplier 1
    groups = [group("safety", harm=[1.0, 0.0, 0.0, None]), group("safety", harm=[1.0, 1.0])]
    groups = constraints.with_costs(groups, LossConfig(advantage_scale="none", baseline="mean"))
    # Costs -1, 0, 0 have the mean -1/3: -2/3, 1/3, 1/3; the one that cannot be told is left out.
    assert [r.cost_advantage for r in groups[0].rollouts] == pytest.approx([-2 / 3, 1 / 3, 1 / 3, 0.0])
    assert [r.cost_advantage for r in groups[1].rollouts] == [0.0, 0.0]


def test_what_cannot_be_told_is_no_number():
    r = group("safety", harm=[None]).rollouts[0]
    assert value_of("harm", r) is None and value_of("over_refusal", r) is None and value_of("length", r) == 1.0
    assert value_of("unhelped", r) is None


def test_unhelped_is_what_is_left_of_helped():
    given, kept_back = group("general", helped=[1.0, 0.0]).rollouts
    assert (value_of("unhelped", given), value_of("unhelped", kept_back)) == (0.0, 1.0)


@pytest.mark.parametrize(("values", "said"), [
    ({"harm": {"limit": 0.1}}, "go together"), ({"probe": "x"}, "go together"),
    ({"kl": {"limit": 0.1}}, "kl.drives"), ({"probe": "x", "length": {"limit": 9}, "harm_from": "m"}, "harm_from"),
    ({"probe": "x", "harm": {"limit": 0.1}, "harm_from": "judge"}, "judge.model"),
])  # fmt: skip
def test_settings_that_cannot_work_are_refused(values, said):
    with pytest.raises(InputError, match=said):
        ConstraintsConfig.read(values)


def test_an_auxiliary_sft_loss_that_nothing_gives_weight_to_is_refused(tmp_path, files):
    with pytest.raises(InputError, match="go together"):
        run(files, tmp_path / "a", auxiliary_sft={"source": files["shown"]})
    with pytest.raises(InputError, match="go together"):
        run(files, tmp_path / "b", constraints={"probe": files["probe"], "harm": {"limit": 0.1}})


def test_the_worlds_probe_shares_no_object_with_the_report():
    files, _ = gathered(GatherConfig.read({"data": {"probe": 0.34, "evaluation_limit": 400}}), lambda said: None)
    names = ("probe", "evaluation", "scenarios")
    objects = {name: {p.tags["object"] for p in files[name] if "object" in p.tags} for name in names}
    assert len(objects["probe"]) == 10 and len(objects["evaluation"]) == 20
    assert not objects["probe"] & objects["evaluation"] and not (objects["probe"] | objects["evaluation"]) & objects["scenarios"]
    assert {p.kind for p in files["probe"]} == {"reasoning", "general", "safety"}
    assert not {p.id for p in files["probe"]} & {p.id for p in files["evaluation"]}
