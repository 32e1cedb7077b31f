"""Dynamic sampling: a step is filled with groups that have a signal, within a bound, and says what it lacks."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from rollouts import drawn, paid
from sanmai.learn.curriculum import Curriculum, CurriculumConfig
from sanmai.learn.mixture import Mixture, MixtureConfig
from sanmai.learn.refill import refill
from sanmai.recipes.zero import ZeroConfig
from sanmai.rollout.engine import RolloutStats
from sanmai.types import Group, InputError, Problem

FAST = {"num_steps": 2, "prompts_per_step": 5, "rollouts_per_prompt": 3, "sampling": {"max_tokens": 32},
        "checkpoints": {"every": 1}, "problems": {"world": {"train": 40, "heldout": 2}}}  # fmt: skip


def problem(name: str) -> Problem:
    return Problem(name, ({"role": "user", "content": name},), answer="1", kind="safety" if name[0] == "s" else "reasoning")


def graded(name: str, signals: set[str]) -> Group:
    rewards = (0.0, 1.0) if name in signals else (1.0, 1.0)
    return Group(problem(name), tuple(drawn().graded(**paid(reward)) for reward in rewards))


def refilled(first: str, signals: str, pool: str, tries: int):
    """What becomes of a step that begins with some problems, of which these have a signal; further ones come in this order."""
    asked = []

    def write(problems):
        asked.append([p.id for p in problems])
        return [graded(p.id, set(signals.split())) for p in problems], RolloutStats(1.0, 10, 100 * len(problems))

    def further(kind, count, taken):
        return [p for name in pool.split() if (p := problem(name)).kind == kind and name not in taken][:count]

    groups, stats = write([problem(name) for name in first.split()])
    return *refill(groups, stats, tries=tries, further=further, write=write), asked


def test_each_try_draws_what_is_missing_until_nothing_is():
    # Of a b c d only a has a signal: e f g are drawn; of these f and g have one: h is drawn, and has one.
    groups, stats, metrics, asked = refilled("a b c d", signals="a f g h", pool="a b c d e f g h i", tries=9)
    assert asked == [["a", "b", "c", "d"], ["e", "f", "g"], ["h"]]
    assert [g.problem.id for g in groups] == list("abcdefgh")
    assert metrics == {"refill/tries": 2.0, "refill/missing": 0.0}
    assert (stats.prompt_tokens, stats.sampled_tokens, stats.seconds) == (30, 800, 3.0)  # all that was sampled counts


def test_the_bound_and_an_empty_pool_end_it_and_what_is_missing_is_said():
    assert refilled("a b", signals="", pool="a b c d e f", tries=2)[2] == {"refill/tries": 2.0, "refill/missing": 2.0}
    assert refilled("a b", signals="a", pool="a b", tries=9)[2] == {"refill/tries": 0.0, "refill/missing": 1.0}
    groups, _, metrics, _ = refilled("a b", signals="a b", pool="c", tries=9)
    assert len(groups) == 2 and metrics == {"refill/tries": 0.0, "refill/missing": 0.0}


def test_a_group_is_replaced_by_one_of_its_kind():
    _, _, _, asked = refilled("a b s1 s2", signals="a s1", pool="c d s3 s4", tries=1)
    assert asked[1] == ["c", "s3"]


@pytest.mark.parametrize("order", ["epochs", "prioritised", "hard_later"])
def test_further_problems_are_new_to_the_step_and_named_by_seed_and_step(order):
    problems = [problem(f"r{i}") for i in range(20)]
    mixture = Mixture(MixtureConfig(), problems, 6, 10, seed=3)
    config = CurriculumConfig.read({"order": order, "retire_solved": order != "epochs"})
    curriculum = Curriculum(config, problems, 10, seed=3) if config.tracks else None
    first = {p.id for p in mixture.draw(2, curriculum)}
    more = mixture.further(2, "reasoning", 9, first, curriculum)
    assert len({p.id for p in more} | first) == 15
    assert mixture.further(2, "reasoning", 99, first, curriculum)[:9] == more  # a later try goes on in the same order
    assert len(mixture.further(2, "reasoning", 99, first, curriculum)) == 14
    assert order != "epochs" or mixture.further(3, "reasoning", 9, first) != more


def run(out: Path, **settings) -> Path:
    return sanmai.run("zero", out=out, **{**FAST, **settings})


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()][1:]


def test_a_run_trains_on_groups_with_a_signal_alone_counts_all_tokens_and_resumes_to_the_byte(tmp_path):
    settings = {"refill": {"tries": 2}, "curriculum": {"order": "prioritised"}}
    whole = run(tmp_path / "whole", **settings)
    tries = [line["refill/tries"] for line in lines_of(whole)]
    assert max(tries) > 0, "nothing was refilled"
    for line in lines_of(whole):
        rows = pq.read_table(whole / f"rollouts/step-{line['step']:06}.parquet").to_pylist()
        rewards = {row["problem_id"]: {r["reward"] for r in rows if r["problem_id"] == row["problem_id"]} for row in rows}
        trained = {row["problem_id"] for row in rows if row["advantage"] is not None}
        assert trained == {name for name, found in rewards.items() if len(found) > 1}
        assert len(trained) == 5 - line["refill/missing"] and set(Counter(r["problem_id"] for r in rows).values()) == {3}
        assert line["tokens/sampled"] == sum(row["num_tokens"] for row in rows)
        assert line["tokens/trained"] == sum(row["num_tokens"] for row in rows if row["problem_id"] in trained)
        assert all((row["log_ratio"] is not None) == (row["problem_id"] in trained) for row in rows)
    short = [line["step"] for line in lines_of(whole) if line["refill/missing"]]
    warnings = [json.loads(x)["message"] for x in (whole / "events.jsonl").read_text().splitlines() if '"warning"' in x]
    said = [w for w in warnings if "still have no signal" in w]
    assert len(said) == bool(short) and all(w.startswith(f"step {short[0]}: after") for w in said)
    cut = tmp_path / "cut"
    shutil.copytree(whole, cut)
    for path in [*(cut / "checkpoints").iterdir(), *(cut / "rollouts").iterdir(), *(cut / "evaluations").iterdir()]:
        if int(path.stem.removeprefix("step-")) > 1:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    run(cut, **settings)
    for name in ("metrics.jsonl", "rollouts/step-000002.parquet", "checkpoints/step-000002/model.safetensors"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(("settings", "says"), [
    ({"partial": {"segment_tokens": 8}}, "refill.tries and partial.segment_tokens"),
    ({"loss": {"preset": "reinforce++"}}, "with loss.baseline 'batch' a group of equal rewards is learned from"),
    ({"loss": {"preset": "rest"}}, "with loss.baseline 'best'"),
    ({"loss": {"normalise_each": True}}, "refill.tries and loss.normalise_each"),
    ({"constraints": {"probe": "p", "harm": {"limit": 0.1, "drives": "cost"}}}, "a group of equal rewards may differ in cost"),
])  # fmt: skip
def test_what_learns_from_groups_without_a_signal_is_refused(settings, says):
    with pytest.raises(InputError, match=says):
        ZeroConfig.read({"refill": {"tries": 1}, **settings})
    ZeroConfig.read(settings)
