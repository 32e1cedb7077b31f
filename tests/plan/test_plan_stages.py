"""What `sanmai plan r1` says, on the embedded world. No duration is asserted."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sanmai.data.chat import render_demonstration
from sanmai.pipelines.graph import Graph
from sanmai.pipelines.identity import MANIFEST
from sanmai.pipelines.r1 import R1Config, graph, run_r1
from sanmai.plan import stages as plan_stages
from sanmai.plan.calibration import Calibration
from sanmai.plan.forecast import describe
from sanmai.plan.memory import StepShape, memory_bytes
from sanmai.plan.stage_costs import Cost, Lengths, Rates, most_bytes, predicted, spent
from sanmai.plan.stage_sources import Rows, StageSources
from sanmai.plan.workload import Pass, Sampling, Workload, workload
from sanmai.policies.text.load import load_policy
from sanmai.recipes import find_recipe, resolve
from sanmai.types import InputError

SAMPLING = {"sampling": {"max_tokens": 64}}
RL = {"num_steps": 2, "prompts_per_step": 8, "rollouts_per_prompt": 2, "problems": {"evaluation_limit": 8}, **SAMPLING}
SFT = {"epochs": 1.0, "demonstrations_per_step": 8, "problems": {"evaluation_limit": 8}, **SAMPLING}
SCENARIOS = {**RL, "mixture": {"reasoning": 2.0, "general": 1.0, "safety": 1.0, "scenarios_from": 0.5}}
MINI = {
    "data": {"cold_start_limit": 16, "reasoning_limit": 40, "demonstrations_limit": 16, "evaluation_limit": 8},
    "cold_start": SFT, "reasoning": RL, "sft": SFT, "scenarios": SCENARIOS, "student": SFT, "student_rl": RL,
    "evaluation": SAMPLING,
    "rejection": {"problems": {"limit": 30}, "prompts_per_chunk": 20, "samples_per_prompt": 3, "keep": 2, **SAMPLING},
    "helpfulness": {"epochs": 1.0, "examples_per_step": 32, "preferences": {"world": {"train": 64, "heldout": 32}}},
    "harmlessness": {"epochs": 1.0, "examples_per_step": 32, "preferences": {"world": {"train": 64, "heldout": 32}}},
    "lessons": {"problems": {"limit": 50}},
    "student_base": {"num_steps": 3, "documents_per_step": 4, "world": {"heldout": 8}},
    "student_on_policy": {"num_steps": 2, "prompts_per_step": 8, "problems": {"evaluation_limit": 8}},
}


def mini(**changes) -> R1Config:
    config = resolve(find_recipe("r1"), values={**MINI, "compares_zero": False, **changes})
    assert isinstance(config, R1Config)
    return config


def lines_of(config: R1Config, out: Path, *, measure: bool = False) -> list[str]:
    return list(describe(find_recipe("r1"), config, out, measure=measure))


def table_of(lines: list[str], found: Graph) -> dict[str, str]:
    """The row of every stage."""
    names = {stage.name for stage in found.stages}
    return {line.split()[0]: line for line in lines if line.split()[0] in names and not line.endswith(".")}


@pytest.fixture(scope="module")
def policy():
    return load_policy(mini().model)


@pytest.fixture(scope="module")
def fresh(policy, tmp_path_factory) -> StageSources:
    """Of a pipeline that has not begun."""
    return StageSources(graph(mini(), tmp_path_factory.mktemp("fresh")), policy, lambda message: None)


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """A pipeline whose first stages, up to rejection sampling, are finished."""
    out = tmp_path_factory.mktemp("begun")
    run_r1(mini(), out, until="traces")
    return out


def left_of(sources: StageSources, name: str, done: int = 0) -> Workload:
    return workload(next(stage for stage in sources.graph.stages if stage.name == name), sources, done)


def test_every_stage_has_a_row_with_what_it_is_made_from_and_nothing_is_written(tmp_path):
    out = tmp_path / "out"
    lines = lines_of(mini(), out)
    found = graph(mini(), out)
    table = table_of(lines, found)
    assert list(table) == [stage.name for stage in found.stages] and max(map(len, table.values())) <= 120
    assert all(", ".join(stage.inputs) in table[stage.name] and stage.recipe in table[stage.name] for stage in found.stages)
    assert all(row.split()[1:3] == ["to", "do"] for row in table.values())
    assert any(line.startswith(f"To do: {len(table)} stages, at most") for line in lines)
    assert "Nothing was measured." in lines and not any("Finished" in line for line in lines)
    assert not out.exists() and not list(tmp_path.iterdir())


def test_what_is_made_from_much_goes_on_in_a_further_line(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_stages, "_WIDTH", 100)
    lines = lines_of(mini(), tmp_path)
    row = next(i for i, line in enumerate(lines) if line.startswith("r1 "))
    assert lines[row].endswith("dev3, data,")
    assert [line.strip() for line in lines[row + 1 : row + 3]] == ["helpfulness,", "harmlessness"]
    assert lines[row + 1].index("helpfulness") == lines[row].index("dev3") and max(map(len, lines[1:row])) <= 100


def test_a_data_source_that_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        lines_of(mini(data={**MINI["data"], "reasoning": str(tmp_path / "nowhere.jsonl")}), tmp_path / "out")


def test_sft_learns_every_demonstration_once_in_an_epoch(fresh, policy):
    shown = fresh.problems("@data/cold_start.jsonl")
    assert shown is not None and len(shown) == 16
    lengths = [len(render_demonstration(policy.tokenizer, p)[1]) for p in shown]
    w = left_of(fresh, "dev1")
    # 16 demonstrations, 8 to an update; evaluations before and after on 8 of the held-out problems that have answers.
    assert predicted(w, None, None) == Cost(2 * 8 * 64, pytest.approx(sum(lengths)), None)
    assert not w.is_bound and w.checkpoints == 1


def test_rl_samples_and_trains_on_all_rollouts_of_its_steps(fresh):
    # 2 steps of 8 problems, 2 completions of 64 tokens: 2048. Evaluations on 8 problems before and after: 2 * 8 * 64 more.
    assert predicted(left_of(fresh, "dev2"), None, None) == Cost(2048 + 1024, 2048, None)
    # After the first step: another and the last evaluation.
    assert predicted(left_of(fresh, "dev2", done=1), None, None) == Cost(1024 + 512, 1024, None)
    assert predicted(left_of(fresh, "dev2", done=2), None, None) == Cost(0, 0, None)
    # No completion is longer than its budget.
    assert predicted(left_of(fresh, "dev2"), Lengths(10.0, 20.0), None).trained == 320
    assert predicted(left_of(fresh, "dev2"), Lengths(100.0, 200.0), None).trained == 2048


def test_an_evaluation_samples_every_held_out_problem_of_all_kinds(fresh):
    held_out = fresh.problems("@data/evaluation.jsonl")
    assert {p.kind for p in held_out or []} == {"reasoning", "general", "safety"}
    assert predicted(left_of(fresh, "score_base"), None, None).sampled == len(held_out or []) * 64


def test_the_reward_models_read_the_rollouts_of_their_kinds(fresh):
    # Of 2 steps the first is all reasoning (scenarios_from 0.5), the second half of it: 1/4 of the rest is of either kind.
    passes = [p for p in left_of(fresh, "r1").passes if p.counts == "nothing"]
    assert [(p.times, p.rows, p.forwards, p.updates) for p in passes] == [(2, 16 * 0.25 / 2, 1, 0)] * 2
    assert left_of(fresh, "r1").beside == 2 and left_of(fresh, "dev2").beside == 0


def test_demonstrations_beside_the_reward_are_trained_on_in_every_update(fresh, tmp_path, policy):
    shown = {"source": "@data/demonstrations.jsonl", "weight": 0.1, "demonstrations_per_update": 4}
    config = mini(scenarios={**SCENARIOS, "updates_per_step": 2, "auxiliary_sft": shown})
    w = left_of(StageSources(graph(config, tmp_path), policy, lambda message: None), "r1")
    (rows,) = fresh.demonstrations("@data/demonstrations.jsonl", ("<think>", "</think>"))
    assert [(p.times, p.rows, p.length, p.counts) for p in w.passes if p.updates] == [
        (2, 16, None, "completions"), (4, 4, rows.length, "nothing")]


def test_what_an_unfinished_stage_will_keep_is_an_at_most(fresh, begun, policy):
    # 30 problems, 2 kept of 3 samples each, as long as the budget; beside them 16 demonstrations: 76, that is 9 updates of 8.
    w = left_of(fresh, "dev3")
    (demonstrations,) = fresh.demonstrations("@data/demonstrations.jsonl", ("<think>", "</think>"))
    assert w.is_bound and demonstrations.count == 16 and demonstrations.length is not None
    trained = 9 * 8 * (60 * 64 + 16 * demonstrations.length) / 76
    assert predicted(w, None, None).trained == pytest.approx(trained)
    # Once the stage is finished its rows are counted.
    found = graph(mini(), begun)
    sources = StageSources(found, policy, lambda message: None)
    rows = pq.read_table(found.path("traces") / "data.parquet").num_rows
    assert sources.demonstrations("@traces/data.parquet", ("<think>", "</think>"))[0].count == rows < 60
    assert not left_of(sources, "dev3").is_bound
    table, before = table_of(lines_of(mini(), begun), found), table_of(lines_of(mini(), begun.parent / "x"), found)
    assert "at most" in before["dev3"] and "about" in table["dev3"] and "at most" in table["student"]


def test_finished_stages_show_what_they_took(begun):
    found = graph(mini(), begun)
    lines = lines_of(mini(), begun)
    table = table_of(lines, found)
    folder = found.path("dev2")
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    evaluated = [pq.read_table(path)["num_tokens"].to_pylist() for path in (folder / "evaluations").glob("*.parquet")]
    took = spent(folder, "zero")
    assert took.sampled == sum(m.get("tokens/sampled", 0) for m in metrics) + sum(map(sum, evaluated)) and len(evaluated) == 2
    assert took.trained == sum(m.get("tokens/trained", 0) for m in metrics) > 0
    words = table["dev2"].split()
    assert words[1:4] == ["finished", "zero", "took"] and words[4] == f"{took.sampled:.0f}" and words[5] == f"{took.trained:.0f}"
    names = [stage.name for stage in found.stages]
    num_finished = names.index("traces") + 1
    assert any(line.startswith(f"Finished: {num_finished} stages, which took") for line in lines)
    assert any(line.startswith(f"To do: {len(names) - num_finished} stages, about") for line in lines)
    # dev2 and traces have lengths on record.
    assert any("as long as those on record" in line for line in lines)


def test_an_interrupted_stage_goes_on_where_it_was_or_begins_again(begun, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(begun, out)
    found = graph(mini(), out)
    (found.path("dev2") / MANIFEST).unlink()
    assert "goes on after step 2" in table_of(lines_of(mini(), out), found)["dev2"]
    shutil.rmtree(found.path("dev2") / "checkpoints")
    assert "begins again" in table_of(lines_of(mini(), out), found)["dev2"]


def test_a_pipeline_that_is_done_has_nothing_left(tmp_path, monkeypatch):
    monkeypatch.setattr("sanmai.pipelines.graph.newest_good_checkpoint", lambda folder: folder)  # every model is there
    config = mini(students=())
    found = graph(config, tmp_path)
    for stage in found.stages:
        found.path(stage.name).mkdir(parents=True)
        found.finish(stage)
    lines = lines_of(config, tmp_path, measure=True)  # there is nothing to measure for
    assert lines[-1] == "Nothing is left to do." and {line.split()[1] for line in lines[2:-2]} == {"finished"}


def test_events_that_a_kill_cut_off_are_left_out(tmp_path):
    event = '{"event": "step", "seconds": {"training": 1.5, "saving": 0.5}, "tokens": {"trained": 7, "sampled": 5}}\n'
    (tmp_path / "events.jsonl").write_text('{"event": "start"}\n[1]\n' + event + event[:40])
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "evaluations" / "step-000001.parquet").write_bytes(b"PAR1")
    assert spent(tmp_path, "zero") == Cost(5, 7, 2.0)
    assert spent(tmp_path / "nowhere", "zero") == Cost(0, 0, None)


def rates_of(**coefficients: dict[str, float]) -> Rates:
    """Every token to train on takes a second, whatever is not named nothing."""
    kinds = {"sampling": {}, "training": {"tokens": 1.0}, "saving": {"steps": 0.0, "checkpoint_bytes": 0.0}}
    machine = {"matrix_gflops": 1.0, "dtype": "float32", "device": "cpu", "cores": 2}
    found = Calibration(machine, kinds | coefficients, 4.0, None, 5.0, ["measured"])
    return Rates(found, mini().reasoning, checkpoint_bytes=100.0, workers=2)


def test_seconds_are_those_of_sampling_training_and_saving():
    sampling = {"steps": 1.0, "tokens": 0.5, "prompt_tokens": 0.25}
    rates = rates_of(sampling=sampling, training={"tokens": 1.0, "updates": 7.0}, saving={"steps": 16.0, "checkpoint_bytes": 2.0})
    w = Workload(1.0, 0, [Sampling(3, prompts=2, rollouts=4, prompt_length=5, budget=10, concurrent=99)])
    # A batch: 2 prompts of 5 tokens, 10 decode steps, 4 completions of 10: 2.5 + 10 + 20. 16 rollouts are stored in 16 s.
    assert rates.seconds(w, None) == 3 * (32.5 + 4)
    # At 6 tokens, the longest 8: 2.5 + 8 + 12.
    assert rates.seconds(w, Lengths(6, 8)) == 3 * (22.5 + 4)
    training = Pass(2, rows=4, prompt_length=5, length=3, budget=0, micro_tokens=64, updates=2)
    w = Workload(1.0, 0, passes=[training], checkpoints=3)
    assert rates.seconds(w, None) == 2 * (4 * 8 + 2 * 7) + 3 * 2 * 100
    # A model of half the size, on one of the two threads; a forward pass alone is a third; another model's has that one's size.
    scored = Pass(3, rows=4, prompt_length=5, length=4, budget=0, micro_tokens=64, forwards=1, updates=0, size=2.0)
    assert rates.seconds(Workload(0.5, 1, passes=[training]), None) == 2 * 0.5 * 2 * (4 * 8 + 2 * 7)
    assert rates.seconds(Workload(1.0, 0, passes=[scored]), None) == pytest.approx(3 * 4 * 9 / 3 * 2)


def test_a_prompt_takes_no_more_than_training_on_it_would():
    w = Workload(1.0, 0, [Sampling(1, prompts=960, rollouts=960, prompt_length=10, budget=1, concurrent=960)])
    assert rates_of(sampling={"prompt_tokens": 50.0}).seconds(w, None) == pytest.approx(960 * 10)
    assert rates_of(sampling={"prompt_tokens": 0.5}).seconds(w, None) == pytest.approx(960 * 10 / 2)


def test_a_student_has_the_size_of_its_base(fresh, tmp_path, policy):
    half = {"layers": 2, "width": 64, "heads": 2, "key_value_heads": 1, "mlp_width": 128}
    config = mini(student_base={**MINI["student_base"], "architecture": half})
    sources = StageSources(graph(config, tmp_path), policy, lambda message: None)
    # Products of a layer: q, o 64 * 64, k, v 64 * 32, gate, up, down 64 * 128; the base's 128 * 128, 128 * 64, 128 * 256.
    words = policy.vocabulary
    small = 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128) + 64 * words
    large = 4 * (2 * 128 * 128 + 2 * 128 * 64 + 3 * 128 * 256) + 128 * words
    sizes = [sources.size_of(f"@{name}") for name in ("student_base", "student", "student_rl")]
    assert sizes == [pytest.approx(small / large)] * 3
    assert left_of(sources, "student_on_policy").passes[1].size == sources.size_of("@r1") == sources.size_of("tiny") == 1
    assert sources.unsized == set() and sources.size_of("some/model") == 1 and sources.unsized == {"some/model"}


def test_prompts_of_several_sources_are_counted_together_and_none_of_no_source(fresh):
    one, two = "@data/reasoning.jsonl", "@data/evaluation.jsonl"
    counts = [fresh.prompts(source).count for source in (one, two, (one, two), None)]
    assert counts[2] == counts[0] + counts[1] and counts[3] == 0
    assert sum(map(len, fresh.kinds((one, two)).values())) == counts[2]


def test_memory_is_that_of_an_rl_run_with_the_same_settings(fresh, policy):
    config = next(stage.config for stage in fresh.graph.stages if stage.name == "dev2")
    parts = memory_bytes(policy, StepShape.of(config), fresh.prompts("@data/reasoning.jsonl").prompt_length)
    phases = (parts["KV cache"] + parts["joined weights"], parts["logits"] + parts["workers' gradients"])
    always = parts["weights"] + parts["gradients"] + parts["optimizer"]
    assert most_bytes(policy, left_of(fresh, "dev2"), None) == always + max(phases)
    # Scoring trains nothing, and has a slot for each of its problems where dev2 has 16; r1 holds two reward models besides.
    cache = parts["KV cache"] / 16 * fresh.prompts("@data/evaluation.jsonl").count
    assert most_bytes(policy, left_of(fresh, "score_base"), None) == parts["weights"] + cache + parts["joined weights"]
    assert most_bytes(policy, left_of(fresh, "r1"), None) >= always + max(phases) + 2 * parts["weights"]


def test_what_was_measured_gives_every_stage_its_seconds(fresh, tmp_path, monkeypatch):
    measured = []

    def calibrate(policy, config, problems, out):
        measured.append((config.rewards.helpfulness, len(problems)))
        return rates_of().calibration

    monkeypatch.setattr(plan_stages, "calibrate", calibrate)
    lines = lines_of(mini(), tmp_path / "out", measure=True)
    assert measured == [(0.0, 40)] and not (tmp_path / "out").exists()
    row = table_of(lines, graph(mini(), tmp_path / "out"))["dev2"]
    # 2 * 16 rollouts of a prompt and 64 tokens, a second per token; sampling is free here.
    prompt_length = fresh.prompts("@data/reasoning.jsonl").prompt_length
    assert row.split()[4:9] == ["at", "most", "3.07k", "2.05k", f"{32 * (prompt_length + 64):,.1f}"]
    assert any(line.startswith("Measured in 5.0 s") for line in lines) and any("demonstrations of dev1" in line for line in lines)


def test_rows_of_a_long_source_are_measured_in_part_and_counted_in_full(fresh, monkeypatch):
    monkeypatch.setattr("sanmai.plan.stage_sources.MEASURED_ROWS", 10)
    rows = fresh.prompts("@data/reasoning.jsonl", limit=35)
    assert isinstance(rows, Rows) and rows.count == 35 and rows.prompt_length > 0 and not rows.is_bound
