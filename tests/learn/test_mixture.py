"""Which kinds of problems a step draws, and the auxiliary SFT loss beside RL."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

import sanmai
from sanmai.data.curriculum import draw
from sanmai.learn.auxiliary_sft import AuxiliarySftConfig
from sanmai.learn.mixture import Mixture, MixtureConfig
from sanmai.recipes.gather import write_problems
from sanmai.recipes.zero import ZeroConfig
from sanmai.types import InputError, Problem
from sanmai.world import make_requests


def problems(**counts: int) -> list[Problem]:
    return [
        Problem(f"{kind}/{i}", ({"role": "user", "content": f"{kind} {i}"},), kind=kind)  # type: ignore[arg-type]
        for kind, count in counts.items()
        for i in range(count)
    ]


def kinds(found: list[Problem]) -> dict[str, int]:
    return {kind: sum(p.kind == kind for p in found) for kind in ("reasoning", "general", "safety")}


def test_problems_of_one_kind_are_drawn_as_ever():
    found = problems(reasoning=20)
    mixture = Mixture(MixtureConfig(scenarios_from=0.5), found, 3, 10, seed=3)
    assert [mixture.draw(s) for s in (1, 7, 10)] == [draw(found, 3, seed=3, step=s) for s in (1, 7, 10)]


def test_without_shuffling_each_kind_is_taken_in_its_order_and_begins_anew_at_its_end():
    found = problems(reasoning=7, general=5)
    mixture = Mixture(MixtureConfig(shuffles=False), found, 4, 5, seed=3)
    drawn = [mixture.draw(step) for step in range(1, 6)]
    for kind, size in (("reasoning", 7), ("general", 5)):
        items = [p.id for p in found if p.kind == kind]
        got = [p.id for step in drawn for p in step if p.kind == kind]
        assert got == [items[k % size] for k in range(10)]
    assert Mixture(MixtureConfig(shuffles=False), found, 4, 5, seed=9).draw(4) == drawn[3]


def test_general_and_safety_prompts_begin_late_and_take_their_shares():
    # Shares 2 : 1 : 1 of 10 prompts: 5, 2.5, 2.5; the odd one goes to the first of the largest remainders.
    mixture = Mixture(MixtureConfig(reasoning=2, scenarios_from=0.75), problems(reasoning=20, general=9, safety=9), 10, 8, seed=0)
    assert kinds(mixture.draw(6)) == {"reasoning": 10, "general": 0, "safety": 0}
    # The half that general has too much in step 7 is safety's in step 8.
    assert kinds(mixture.draw(7)) == {"reasoning": 5, "general": 3, "safety": 2}
    assert kinds(mixture.draw(8)) == {"reasoning": 5, "general": 2, "safety": 3}


def test_a_small_share_is_drawn_in_some_steps():
    # 8 prompts, shares 10 : 1/2 : 1/2 of 11: 0.364 of each of the rare kinds in a step, 36.4 in 100 steps.
    found = problems(reasoning=50, general=9, safety=9)
    mixture = Mixture(MixtureConfig(reasoning=10, general=0.5, safety=0.5), found, 8, 100, seed=0)
    drawn = [p for step in range(1, 101) for p in mixture.draw(step)]
    assert len(drawn) == 800 and kinds(drawn) == {"reasoning": 727, "general": 37, "safety": 36}


def test_no_problem_is_drawn_twice_in_an_epoch_of_its_kind():
    mixture = Mixture(MixtureConfig(scenarios_from=0.5), problems(reasoning=12, general=6), 4, 8, seed=0)
    first = [p.id for step in (1, 2, 3) for p in mixture.draw(step)]
    assert sorted(first) == sorted(f"reasoning/{i}" for i in range(12))
    general = [p.id for step in (5, 6, 7) for p in mixture.draw(step) if p.kind == "general"]
    assert sorted(general) == sorted(f"general/{i}" for i in range(6))


def test_a_step_that_needs_more_of_a_kind_than_there_are_is_refused():
    with pytest.raises(InputError, match=r"draws 5 of kind safety, .* only 3"):
        Mixture(MixtureConfig(), problems(reasoning=20, safety=3), 10, 8, seed=0)
    with pytest.raises(InputError, match="shares of general are 0"):
        Mixture(MixtureConfig(general=0), problems(general=3), 2, 8, seed=0)


def test_the_weight_of_the_auxiliary_sft_loss_goes_linearly_from_the_first_step_to_the_last():
    config = AuxiliarySftConfig(source="x", weight=1.0, final_weight=0.2)
    assert [config.weight_at(step, 5) for step in (1, 3, 5)] == pytest.approx([1.0, 0.6, 0.2])
    assert AuxiliarySftConfig(source="x", weight=0.3).weight_at(4, 5) == 0.3
    with pytest.raises(InputError, match="weight without source"):
        AuxiliarySftConfig.read({"weight": 0.3})


FAST = {"num_steps": 2, "prompts_per_step": 4, "rollouts_per_prompt": 4, "updates_per_step": 2,
        "problems": {"source": "world", "world": {"train": 50, "heldout": 10}}, "checkpoints": {"every": 1}}  # fmt: skip


def metrics_of(run) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_the_auxiliary_sft_loss_is_trained_in_the_same_update_and_its_share_of_the_gradient_is_logged(tmp_path):
    shown = [r.to_problem() for r in make_requests(8, seed=0)]
    source = tmp_path / "shown.jsonl"
    write_problems(source, [replace(p, solution=None, demonstration="sorry i can not help") for p in shown])
    auxiliary_sft = {"source": str(source), "weight": 1.0, "final_weight": 0.0, "demonstrations_per_update": 4}
    with_it = metrics_of(sanmai.run("zero", out=tmp_path / "with", auxiliary_sft=auxiliary_sft, **FAST))
    without = metrics_of(sanmai.run("zero", out=tmp_path / "without", **FAST))
    assert with_it[1]["auxiliary_sft/weight"] == 1.0 and with_it[1]["loss/sft"] > 0
    assert 0 < with_it[1]["gradient/auxiliary_share"] < 1
    assert with_it[2]["auxiliary_sft/weight"] == 0.0 and "loss/sft" not in with_it[2]
    assert not any("auxiliary" in name or "sft" in name for name in without[1])
    # The first step's rollouts come before any update, so only what was learned from them differs.
    assert with_it[1]["reward/mean"] == without[1]["reward/mean"] and with_it[2]["reward/mean"] != without[2]["reward/mean"]


def test_a_file_without_demonstrations_is_refused(tmp_path):
    source = tmp_path / "bare.jsonl"
    write_problems(source, problems(general=3))
    with pytest.raises(InputError, match="no demonstration"):
        sanmai.run("zero", out=tmp_path / "run", auxiliary_sft={"source": str(source), "weight": 1.0}, **FAST)


def test_a_kind_that_no_reward_looks_at_is_refused(tmp_path):
    sums = [Problem(f"r{i}", ({"role": "user", "content": f"what is {i} plus 1 ?"},), str(i + 1)) for i in range(9)]
    found = [*problems(general=8), *sums]
    with pytest.raises(InputError, match="of kind general, which no reward with a weight looks at"):
        sanmai.run("zero", out=tmp_path / "run", **{**FAST, "problems": found})


def of_files(**counts: int) -> list[Problem]:
    """Reasoning problems a/0, a/1, ... from the files a, b, ...; those whose file begins with s are safety prompts."""
    made = [replace(p, source=name) for name, count in counts.items() for p in problems(reasoning=count)]
    kinds = {"s": "safety"}
    return [replace(p, id=f"{p.source}/{p.id}", kind=kinds.get(p.source[0], "reasoning")) for p in made]


def from_files(found: list[Problem]) -> dict[str, int]:
    return {name: sum(p.source == name for p in found) for name in dict.fromkeys(p.source for p in found)}


def test_files_are_drawn_by_their_weights_within_their_kind():
    # Shares of reasoning: b 3 to a's and c's 1 each, of 10: 6, 2, 2; 0 leaves a file out.
    mixture = Mixture(MixtureConfig(files={"b": 3}), of_files(a=30, b=30, c=30), 10, 5, seed=0)
    assert all(from_files(mixture.draw(step)) == {"a": 2, "b": 6, "c": 2} for step in range(1, 6))
    without = Mixture(MixtureConfig(files={"b": 3, "c": 0}), of_files(a=30, b=30, c=30), 8, 5, seed=0)
    assert from_files(without.draw(1)) == {"a": 2, "b": 6}
    # Half reasoning (a to b as 1 to 3), half safety, of 16: 2, 6 and 8.
    both = Mixture(MixtureConfig(files={"b": 3}), of_files(a=30, b=30, s=30), 16, 2, seed=0)
    assert from_files(both.draw(1)) == {"a": 2, "b": 6, "s": 8}


def test_no_problem_of_a_file_comes_twice_in_its_epoch_and_a_file_goes_through_its_own():
    mixture = Mixture(MixtureConfig(files={"b": 3}), of_files(a=8, b=12), 8, 8, seed=0)
    drawn = [p.id for step in range(1, 5) for p in mixture.draw(step)]
    assert sorted(name for name in drawn if name.startswith("a/")) == sorted(f"a/reasoning/{i}" for i in range(8))
    assert {drawn.count(f"b/reasoning/{i}") for i in range(12)} == {2}


def test_files_without_weights_are_one_set_as_ever():
    found = of_files(a=10, b=10)
    mixture = Mixture(MixtureConfig(), found, 3, 10, seed=3)
    assert [mixture.draw(s) for s in (1, 7)] == [draw(found, 3, seed=3, step=s) for s in (1, 7)]


@pytest.mark.parametrize(("settings", "says"), [
    ({"files": {"c": 2}}, "no problem to train on is from 'c'"), ({"files": {"a": 0, "b": 0}}, "of kind reasoning are 0"),
    ({"files": {"b": 99}}, "10 of kind reasoning from b, each at most once, and there are only 6"),
])  # fmt: skip
def test_weights_that_cannot_be_drawn_by_are_refused(settings, says):
    with pytest.raises(InputError, match=says):
        Mixture(MixtureConfig.read(settings), of_files(a=6, b=6), 10, 2, seed=0)


def test_files_of_a_run_are_weighed_and_settings_that_contradict_it_are_refused(tmp_path):
    for name, start in (("easy", 0), ("hard", 50)):
        rows = [{"question": f"what is {start + i} plus 3 ?", "answer": str(start + i + 3)} for i in range(20)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    easy, hard = (str(tmp_path / f"{name}.jsonl") for name in ("easy", "hard"))
    source = {"problems": {"source": [easy, hard], "evaluation": "world", "world": {"heldout": 2}}}
    with pytest.raises(InputError, match="weighs the files of a list"):
        ZeroConfig.read({"problems": {"source": easy}, "mixture": {"files": {easy: 2}}})
    with pytest.raises(InputError, match=r"mixture\.files and a curriculum"):
        ZeroConfig.read({**source, "mixture": {"files": {easy: 2}}, "curriculum": {"order": "prioritised"}})
    with pytest.raises(InputError, match=r"the weight of 'x' is -1"):
        ZeroConfig.read({**source, "mixture": {"files": {"x": -1}}})
    run = sanmai.run(
        "zero", out=tmp_path / "run", num_steps=2, prompts_per_step=4, rollouts_per_prompt=2, sampling={"max_tokens": 8},
        mixture={"files": {hard: 3}}, **source)  # fmt: skip
    rows = [row for path in (run / "rollouts").glob("*") for row in pq.read_table(path).to_pylist()]
    assert sum(int(row["answer"]) >= 53 for row in rows) == 12 and len(rows) == 16
