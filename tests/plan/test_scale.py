"""From a run's record or a model's numbers to the table of scale."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import sanmai
from fleet_deaths import poisson_deaths
from sanmai.cli import app
from sanmai.plan.scale.answers import Asked, Failures, best_splits, death_seconds, step_seconds
from sanmai.plan.scale.fleet import Fleet, Part, StepWork, simulate
from sanmai.plan.scale.recorded import Fitted, read_run
from sanmai.plan.scale.settings import ScaleConfig
from sanmai.plan.scale.table import OfRun, scale_of
from sanmai.plan.scale.work import (
    Prompted,
    Workload,
    assumed_record,
    cut_parts,
    draw_groups,
    drawn_steps,
    steps_of,
    tokens_of,
)
from sanmai.types import InputError

SEVEN_B = "layers=28,width=3584,heads=28,kv_heads=4,ffn=18944,vocabulary=152064"
A_TOKEN = Fitted({"sampling": {"tokens": 1.0}, "training": {"micro_batches": 4.0}})
"""A second a token, four a micro-batch."""


def equal(prompts: int, rollouts: int, length: int) -> tuple[Prompted, ...]:
    return (Prompted(10.0, (length,) * rollouts),) * prompts


def workload(**changes: object) -> Workload:
    own = Workload(8, 4, 100, 512, 1, 40, (equal(8, 4, 10),), 6)
    return replace(own, **changes)


def test_rows_and_slots_are_cut_in_order_into_nearly_equal_parts():
    assert cut_parts((Prompted(5, (1, 2, 3)),), 4, 2) == [((Prompted(5, (1,)),), 2), ((Prompted(5, (2, 3)),), 2)]
    groups = (Prompted(5, (1, 2, 3)), Prompted(6, (4, 5, 6)))
    assert [own for own, _ in cut_parts(groups, 512, 2)] == [(groups[0],), (groups[1],)]
    assert [len(cut_parts(groups, slots, parts)) for slots, parts in ((512, 4), (3, 8), (512, 99))] == [4, 3, 6]
    for parts in range(1, 8):
        assert sum(tokens_of(own) for own, _ in cut_parts(groups, 512, parts)) == 21
    assert cut_parts((), 4, 2) == []


def test_as_many_as_on_record_are_those_on_record_and_fewer_or_more_have_their_share():
    record = (Prompted(5, (1, 2, 3, 400), (0.0, 0.0, 1.0, 1.0)), Prompted(6, (7, 7, 7, 7), (0.0,) * 4))
    rng = random.Random(0)
    drawn = draw_groups(record, 2, 4, 999, rng)
    assert sorted(sorted(g.lengths) for g in drawn) == [[1, 2, 3, 400], [7, 7, 7, 7]]
    # 400 is cut off at 99 and wrong then: one of four is right; at 2 none is, and nothing is learned.
    drawn = draw_groups(record, 2, 4, 99, rng)
    assert sum(sum(r for r in g.rewards if r) for g in drawn if g.rewards) == 1
    assert not any(g.is_trained for g in draw_groups(record, 2, 4, 2, rng))
    assert sorted(sorted(g.lengths) for g in drawn) == [[1, 2, 3, 99], [7, 7, 7, 7]]
    assert sorted(g.is_trained for g in drawn) == [False, True]
    assert all(sorted(g.lengths) in ([1, 1, 2, 2, 3, 3, 99, 99], [7] * 8) for g in draw_groups(record, 5, 8, 99, rng))
    # Two of four without replacement, two right and two wrong: both alike in 2 of 6 pairs.
    alike = [not draw_groups(record[:1], 1, 2, 999, rng)[0].is_trained for _ in range(3000)]
    assert sum(alike) / 3000 == pytest.approx(1 / 3, abs=0.03)


def test_lengths_that_nobody_recorded_have_the_mean_and_spread_that_are_asked_for():
    assert {n for g in assumed_record(prompt=1, mean=50, spread=0, seed=0, prompts=3) for n in g.lengths} == {50}
    lengths = [n for g in assumed_record(prompt=1, mean=2000, spread=0.5, seed=0, prompts=2000, rollouts=8) for n in g.lengths]
    mean = sum(lengths) / len(lengths)
    assert mean == pytest.approx(2000, rel=0.03)
    # A log-normal's coefficient of variation: sqrt(exp(spread^2) - 1).
    deviation = (sum((n - mean) ** 2 for n in lengths) / len(lengths)) ** 0.5
    assert deviation / mean == pytest.approx(0.533, rel=0.05)


def test_a_step_is_its_parts_and_the_micro_batches_of_what_has_a_signal():
    # 8 prompts x 4 x 10 tokens in two parts; 16 rows of 20 tokens have a signal: 8 micro-batches of 40, 4 s each.
    record = (*[Prompted(10.0, (10,) * 4, (0.0, 0.0, 1.0, 1.0))] * 4, *[Prompted(10.0, (10,) * 4, (1.0,) * 4)] * 4)
    work = workload(record=(record,), parts=2, saving=0.5, checkpoint=2.0, commit_every=4)
    steps = steps_of(work, drawn_steps(work, 0), A_TOKEN, ranks=1)
    assert [step.parts for step in steps] == [(Part(160, 160), Part(160, 160))] * 6
    assert {step.training for step in steps} == {32}
    assert [(step.commits, step.saving) for step in steps] == [(False, 0.5)] * 3 + [(True, 2.5), (False, 0.5), (True, 2.5)]
    assert {s.training for s in steps_of(work, drawn_steps(work, 0), A_TOKEN, ranks=3)} == {4 * 3}  # of eight, three on one rank
    assert steps_of(replace(work, needs_all=True), drawn_steps(work, 0), A_TOKEN, ranks=1)[0].training == 64


def asked(**changes: object) -> Asked:
    work = workload(**changes)
    return Asked(work, tuple(drawn_steps(work, 0)), OfRun(A_TOKEN, 0.0), Failures(1000.0, 5.0, 50.0), 1)


def test_machines_are_split_where_both_sides_take_as_long():
    # Sampling 320 s of one sampler. Training: 32 rows of 20 tokens, 16 micro-batches of 40, 64 s of one rank. Of six machines:
    # 5 + 1 take max(64, 64) = 64 with staleness, the best; one after the other 5 + 1 take 128, 4 + 2 take 80 + 32 = 112,
    # 3 + 3 take 110 (rows cut 10, 11, 11) + 24 = 134.
    rows = {row.staleness: row for row in best_splits(asked(), 6, (0, 1))}
    assert (rows[1].samplers, rows[1].trainers) == (5, 1)
    assert (rows[0].samplers, rows[0].trainers, rows[0].step_seconds) == (4, 2, 112)
    assert rows[1].step_seconds == pytest.approx(70)  # of 32 rows on five, one has 7: 70 s
    assert rows[0].tokens_per_second == pytest.approx(320 / 112)
    assert (rows[0].age, rows[1].age) == (0, pytest.approx(5 / 6))


def test_a_death_costs_the_part_under_way_or_the_way_back_to_the_last_commit():
    # One part of 10 s a step, one sampler, training of none, back at once: on average half of the part is lost.
    steps = [StepWork((Part(10.0, 1),), 0.0, commits=k % 2 == 1) for k in range(4)]
    by_sampler, by_trainer = death_seconds(steps, Fleet(1, trainer_restart=7), simulate(steps, Fleet(1)))
    assert by_sampler == 5
    # Between commits at 20 and 40: deaths at 22.5 .. 37.5 go back to 20, after 7 s: 10 on average.
    assert by_trainer == 10 + 7


def test_the_share_that_deaths_cost_is_what_random_deaths_take():
    work = asked(commit_every=2, num_steps=400)
    row = next(best_splits(work, 6, (0,)))
    # One death in 1,000 machine hours is too rare to be seen: one in ten.
    often = replace(work, failures=replace(work.failures, gpu_hours=10.0))
    share = next(best_splits(often, 6, (0,))).death_share
    assert share == pytest.approx(100 * row.death_share)
    steps = steps_of(replace(work.work, parts=4), work.drawn, A_TOKEN, ranks=2)
    fleet = Fleet(4, sampler_restart=5.0, trainer_restart=50.0)
    taken = []
    for seed in range(6):
        deaths = poisson_deaths(fleet, sampler_rate=1 / 36_000, trainer_rate=2 / 36_000, seed=seed)
        taken.append(simulate(steps, fleet, deaths).seconds / simulate(steps, fleet).seconds - 1)
    assert sum(taken) / 6 == pytest.approx(share, rel=0.5)


def test_a_step_is_timed_behind_those_that_fill_the_pipe():
    steps = [StepWork((Part(3.0, 1),), 2.0)] * 8
    assert step_seconds(simulate(steps, Fleet(1))) == 5
    assert step_seconds(simulate(steps, Fleet(1, staleness=1))) == 3
    assert step_seconds(simulate(steps[:1], Fleet(1))) == 5


def write_run(folder, *, steps: int = 6, seconds_a_token: float = 0.01) -> None:
    """A folder like that of a run of zero: 4 prompts x 2, lengths 10 and 20; training takes half a second."""
    (folder / "rollouts").mkdir(parents=True)
    (folder / "config.toml").write_text(
        'recipe = "zero"\nprompts_per_step = 4\nrollouts_per_prompt = 2\n[sampling]\nmax_tokens = 32\n[model]\nname = "tiny"\n'
    )
    tokens = 4 * 30
    events = [{"time": "2026-01-01T00:00:00Z", "event": "start"}]
    for step in range(1, steps + 1):
        rows = [(f"p{p}", length, float(length == 10)) for p in range(4) for length in (10, 20)]
        columns = dict(zip(("problem_id", "num_tokens", "reward"), map(list, zip(*rows, strict=True)), strict=True))
        pq.write_table(pa.table(columns), folder / "rollouts" / f"step-{step:06d}.parquet")
        took = {"sampling": tokens * seconds_a_token, "training": 0.5, "saving": 0.1}
        time = f"2026-01-01T00:00:{3 + 2 * step:02d}Z"
        events.append({"time": time, "event": "step", "step": step, "seconds": took})
    events.append({"time": f"2026-01-01T00:00:{4 + 2 * steps:02d}Z", "event": "finish"})
    metrics = [{"step": step, "tokens/prompt": 40.0} for step in range(1, steps + 1)]
    for name, lines in (("events", events), ("metrics", metrics)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    plan = {"sampling": {"tokens": 0.005}, "training": {"micro_batches": 0.25}}
    (folder / "prediction.json").write_text(json.dumps({"coefficients": plan}))


def test_a_run_is_played_again_in_the_time_that_it_took(tmp_path):
    write_run(tmp_path / "run")
    found = read_run(tmp_path / "run")
    # The plan said half of what came: rates are its own, doubled.
    assert found.rates.coefficients == {"sampling": {"tokens": 0.01}, "training": {"micro_batches": 0.5}}
    played = simulate(steps_of(found.workload, drawn_steps(found.workload, 0), found.rates, ranks=1), Fleet(1))
    assert found.wall == 16 and played.seconds + found.constant == pytest.approx(16)
    # Twice the prompts: twice the sampling, and still one micro-batch.
    twice = replace(found.workload, prompts=8)
    longer = simulate(steps_of(twice, drawn_steps(twice, 0), found.rates, ranks=1), Fleet(1))
    assert longer.seconds - played.seconds == pytest.approx(6 * 1.2)


def test_without_a_plan_rates_are_fitted_and_that_is_said(tmp_path):
    write_run(tmp_path / "run")
    (tmp_path / "run" / "prediction.json").unlink()
    found = read_run(tmp_path / "run")
    played = simulate(steps_of(found.workload, drawn_steps(found.workload, 0), found.rates, ranks=1), Fleet(1))
    assert played.seconds + found.constant == pytest.approx(16, rel=1e-3) and "much alike" in found.notes[0]


def test_evaluations_of_another_size_tell_a_decode_step_from_a_token(tmp_path):
    # 0.01 s a token, of a prompt or not, and 0.02 a decode step: steps of 120 + 40 tokens, the longest 20, take 1.6 + 0.4 s,
    # evaluations of two prompts of 10 and 2 x 10 tokens 0.4 + 0.2.
    write_run(tmp_path / "run", seconds_a_token=2.0 / 120)
    (tmp_path / "run" / "prediction.json").unlink()
    (tmp_path / "run" / "evaluations").mkdir()
    lines = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    for line in lines:
        if line.get("step") in (2, 4):
            line["seconds"]["evaluation"] = 0.6
            rows = pa.table({"problem_id": ["a", "b"], "num_tokens": [10, 10], "reward": [1.0, 0.0]})
            pq.write_table(rows, tmp_path / "run" / "evaluations" / f"step-{line['step']:06d}.parquet")
    (tmp_path / "run" / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_run(tmp_path / "run")
    assert "of sampling, fitted to steps and evaluations, whose sizes differ enough" in found.notes[0]
    assert found.rates.coefficients["sampling"] == pytest.approx({"tokens": 0.01, "prompt_tokens": 0.01, "steps": 0.02})


def test_what_a_plan_measured_is_scaled_by_the_middle_step_whatever_else_is_on_record(tmp_path):
    # A call costs 0.3 s, a decode step 0.02, a token 0.005: 0.3 + 0.4 + 0.6 = 1.3 s a step as planned, and it took twice that.
    # Training: 0.25 s a micro-batch and 0.01 of each of 8 rollouts: 0.33 s, and it took 0.5.
    write_run(tmp_path / "run", seconds_a_token=2.6 / 120)
    plan = {"sampling": {"calls": 0.3, "steps": 0.02, "tokens": 0.005}, "training": {"micro_batches": 0.25, "rollouts": 0.01}}
    (tmp_path / "run" / "prediction.json").write_text(json.dumps({"coefficients": plan}))
    lines = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    next(line for line in lines if line.get("step") == 4)["seconds"]["sampling"] = 99.0  # another program had the cores
    (tmp_path / "run" / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rates = read_run(tmp_path / "run").rates
    assert rates.coefficients["sampling"] == pytest.approx({"calls": 0.6, "steps": 0.04, "tokens": 0.01})
    # Two at once: they begin at 0, 0, 10, 20, 20, 30, 40 and 50, and the last has 20 tokens.
    assert rates.sampling([((Prompted(10.0, (10, 20)),) * 4, 2)]) == [pytest.approx(0.6 + 0.04 * 70 + 1.2)]
    # One signal in eight rollouts: what has none costs its handling alone.
    took = rates.training((Prompted(10.0, (10, 20)),), micro_tokens=4096, updates=1, ranks=2, handled=8)
    assert took == pytest.approx((0.25 + 0.08) * 0.5 / 0.33)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda run: (run / "config.toml").write_text('recipe = "sft"\n'), "a run of 'sft'"),
        (lambda run: (run / "config.toml").write_text("x = ["), "expected a run folder"),
        (lambda run: (run / "events.jsonl").write_text('{"event": "start"}\n[1]\n{"cut'), "0 steps are on record"),
        (lambda run: (run / "rollouts" / "step-000002.parquet").write_bytes(b"PAR1"), "step-000002.parquet: cannot be read"),
        (lambda run: (run / "rollouts" / "step-000003.parquet").unlink(), "step-000003.parquet: cannot be read"),
    ],
)
def test_a_record_that_cannot_be_used_is_named_in_a_sentence(tmp_path, spoil, says):
    write_run(tmp_path / "run")
    spoil(tmp_path / "run")
    with pytest.raises(InputError, match=says):
        scale_of(str(tmp_path / "run"), ScaleConfig(), None)


def test_the_command_prints_assumptions_and_a_row_a_split_and_python_gives_the_same_numbers(tmp_path):
    write_run(tmp_path / "run")
    words = ["scale", str(tmp_path / "run"), "--gpus", "3", "--gpus", "4", "--staleness", "1", "--price", "2"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert "6 steps in 16 s" in shown.output and "at 2 an hour and machine" in shown.output
    lines = [line.split() for line in shown.output.splitlines()]
    rows = [line for line in lines if line[:2] in (["3", "1"], ["4", "1"])]
    found = sanmai.scale(tmp_path / "run", gpus=[3, 4], staleness=[1], price=2.0)
    assert [row[2:4] for row in rows] == [[str(r["samplers"]), str(r["trainers"])] for r in found["rows"]]
    as_json = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert as_json["rows"] == found["rows"] and as_json["assumptions"] == list(found["assumptions"])


def test_a_model_on_a_named_gpu_is_computed_from_first_principles(tmp_path):
    few = {"gpus": [8], "staleness": [0, 1], "steps": 4, "work": {"prompts_per_step": 16, "rollouts_per_prompt": 4}}
    found = sanmai.scale(SEVEN_B, gpu="h100", **few)
    said = str(found["assumptions"])
    # Without biases 7,615,616,512 - 28 x (3584 + 2 x 512); 16 bytes of each over 8 ranks.
    assert "not measured" in said and found["parameters"] == 7_615_487_488
    assert found["rank_bytes"][8]["state"] == 2 * 7_615_487_488 and found["sampler_bytes"]["weights"] == 2 * 7_615_487_488
    sync, ahead = found["rows"]
    assert sync["step_seconds"] > ahead["step_seconds"] > 0 and (sync["staleness"], ahead["staleness"]) == (0, 1)
    assert sync["hours_per_1000_steps"] == pytest.approx(8 * sync["step_seconds"] / 3.6)
    slower = sanmai.scale(SEVEN_B, gpu="a100", **few)["rows"][0]
    assert slower["step_seconds"] > sync["step_seconds"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tiny"], "needs --gpu"),
        ([SEVEN_B, "--gpu", "v900"], "Expected one of a100"),
        ([SEVEN_B, "--gpu", "l4", "--gpus", "8"], "a trainer's rank of 7 holds"),
        ([SEVEN_B, "--gpu", "h100", "--set", "work.lenght=3"], "work.lenght"),
        ([SEVEN_B, "--gpu", "h100", "--set", "work.max_tokens=9000000"], "no room"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(words, says):
    shown = CliRunner().invoke(app, ["scale", *words])
    assert isinstance(shown.exception, InputError) and says in str(shown.exception)
