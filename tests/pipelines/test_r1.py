"""The R1 pipeline, small: its order, its artifacts, what is done again, and what a kill leaves."""

import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import tomli_w
from transformers import AutoModelForCausalLM

from sanmai.learn.progress import Progress
from sanmai.pipelines.graph import Graph
from sanmai.pipelines.r1 import R1Config, graph, run_r1
from sanmai.policies.text.checkpoints import newest_good_checkpoint
from sanmai.recipes import find_recipe, resolve
from sanmai.types import InputError
from shared_data import shared_path
from tiny_models import save_folder

RL = {"num_steps": 2, "prompts_per_step": 8, "rollouts_per_prompt": 2, "problems": {"evaluation_limit": 8}}
SFT = {"epochs": 1.0, "demonstrations_per_step": 8, "problems": {"evaluation_limit": 8}}
MINI = {
    "data": {"cold_start_limit": 16, "reasoning_limit": 40, "demonstrations_limit": 16, "evaluation_limit": 8},
    "cold_start": SFT,
    "reasoning": RL,
    "rejection": {"problems": {"limit": 30}},
    "sft": SFT,
    "helpfulness": {"epochs": 1.0, "preferences": {"world": {"train": 64, "heldout": 32}}},
    "harmlessness": {"epochs": 1.0, "preferences": {"world": {"train": 64, "heldout": 32}}},
    "scenarios": RL,
    "lessons": {"problems": {"limit": 50}},
    "student_base": {"num_steps": 3, "world": {"heldout": 8}},
    "student": SFT,
    "student_rl": RL,
    "student_on_policy": {"num_steps": 2, "prompts_per_step": 8, "problems": {"evaluation_limit": 8}},
}


def mini(**changes) -> R1Config:
    config = resolve(find_recipe("r1"), values={**MINI, **changes})
    assert isinstance(config, R1Config)
    return config


def model_of(found: Graph, name: str) -> Path:
    checkpoint = newest_good_checkpoint(found.path(name))
    assert checkpoint is not None
    return checkpoint


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Graph:
    out = tmp_path_factory.mktemp("r1")
    run_r1(mini(), out)
    return graph(mini(), out)


def test_the_pipeline_has_the_papers_order(tmp_path):
    found = {stage.name: stage for stage in graph(mini(), tmp_path).stages}
    starts = {name: found[name].config.model.name for name in ("dev1", "dev2", "traces", "dev3", "r1", "lessons")}
    assert starts == {
        "dev1": "tiny", "dev2": "@dev1", "traces": "@dev2", "dev3": "tiny", "r1": "@dev3", "lessons": "@r1"}
    assert found["dev3"].config.problems.source == ("@traces/data.parquet", "@data/demonstrations.jsonl")
    assert found["student"].inputs == ["student_base", "lessons", "data"]
    assert found["zero"].config.rewards.language == 0 and found["dev2"].config.rewards.language > 0


def test_the_cold_start_may_come_from_zeros_own_samples(tmp_path):
    found = {stage.name: stage for stage in graph(mini(cold_start_from="zero"), tmp_path).stages}
    assert found["cold_samples"].config.model.name == "@zero" and found["cold_samples"].config.sampling.temperature == 1
    assert found["dev1"].config.problems.source == "@cold_samples/data.parquet" and found["dev1"].config.model.name == "tiny"
    with pytest.raises(InputError, match="needs compares_zero"):
        mini(cold_start_from="zero", compares_zero=False)


def test_every_stage_is_finished_and_every_model_loads_in_transformers(finished):
    assert {finished.state(stage.name) for stage in finished.stages} == {"finished"}
    for name in ("zero", "dev1", "dev2", "dev3", "r1", "student_base", "student", "student_rl", "student_on_policy"):
        AutoModelForCausalLM.from_pretrained(model_of(finished, name))


def test_a_file_that_is_not_there_is_named_with_its_setting_before_anything_is_written(tmp_path):
    config = mini(data={**MINI["data"], "general": "there-is-none.jsonl"})
    with pytest.raises(InputError, match=r"data\.general = 'there-is-none\.jsonl': no such file in /"):
        run_r1(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_of_a_finished_stage_its_model_is_kept_and_nothing_that_training_on_would_need(finished):
    for stage in finished.stages:
        kept = [path for path in finished.path(stage.name).glob("checkpoints/step-*")]
        if (finished.path(stage.name) / "checkpoints").is_dir() and kept:
            assert len(kept) == 1 and not (kept[0] / "training_state.safetensors").exists(), stage.name


def test_with_keep_states_they_stay_and_a_stage_that_was_made_so_is_never_touched(tmp_path):
    config = mini(keep_states=True, compares_zero=True)
    run_r1(config, tmp_path, until="zero")
    run_r1(mini(), tmp_path, until="zero")  # the same stages, found again
    (kept,) = (graph(mini(), tmp_path).path("zero") / "checkpoints").glob("step-000002")
    assert (kept / "training_state.safetensors").is_file()


def test_killed_between_a_stages_end_and_its_slimming_the_same_command_slims_it(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("sanmai.pipelines.graph.keep_models_alone", lambda folder: (_ for _ in ()).throw(KeyboardInterrupt))
        run_r1(mini(), tmp_path, until="zero")
    found = graph(mini(), tmp_path)
    while found.state("zero") != "finished":  # the first stage that trains may be another
        run_r1(mini(), tmp_path, until="zero")
    run_r1(mini(), tmp_path, until="zero")
    for path in found.folder.glob("stages/*/checkpoints/step-*"):
        assert not (path / "training_state.safetensors").exists()


def test_the_evaluated_problems_are_the_same_for_every_model_and_no_training_file_has_them(finished):
    import pyarrow.parquet as pq

    asked = {}
    for stage in finished.stages:
        if stage.recipe == "evaluate":
            table = pq.read_table(finished.path(stage.name) / "evaluations" / "step-000000.parquet")
            asked[stage.name] = table.column("problem_id").to_pylist()
            assert {"score/harm", "score/helped", "score/over_refusal"} <= set(table.column_names)
    assert len({tuple(ids) for ids in asked.values()}) == 1
    evaluated = set(asked["score_base"])
    for name in ("cold_start", "reasoning", "scenarios", "demonstrations"):
        lines = (finished.path("data") / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert lines and not evaluated & {json.loads(line)["id"] for line in lines}


def test_a_finished_pipeline_is_not_done_again(finished):
    before = {p: p.stat().st_mtime_ns for p in finished.folder.glob("stages/*/*")}
    run_r1(mini(), finished.folder)
    assert {p: p.stat().st_mtime_ns for p in finished.folder.glob("stages/*/*")} == before


def test_one_changed_setting_does_again_what_depends_on_it_alone(finished):
    changed = graph(mini(lessons={**MINI["lessons"], "samples_per_prompt": 3}), finished.folder)
    assert [s.name for s in changed.stages if changed.state(s.name) != "finished"] == ["lessons", "student", "score_student"]
    changed = graph(mini(seed=1), finished.folder)
    assert all(changed.state(s.name) == "new" for s in changed.stages)


def test_what_the_pipeline_gives_its_stages_cannot_be_set(tmp_path):
    for part, settings in {
        "reasoning": {**RL, "model": {"name": "x"}}, "sft": {**SFT, "seed": 3}, "lessons": {"problems": {"source": "x"}},
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=f"{part}.*given by the pipeline"):
            mini(**{part: settings})


def test_what_the_last_stage_would_refuse_is_refused_before_the_first(tmp_path):
    for values, says in (
        ({"student_model": "/nope/x"}, "no such folder"),
        ({"students": ["sft", "sft"]}, "one of them twice"),
        ({"data": {"cold_start": []}}, "data.cold_start is empty"),
        ({"model": {"name": "/nope/y"}}, "data.cold_start, .* 'world' is for the embedded model"),
        ({"lessons": {"include_held_out": True}}, "given by the pipeline"),
        ({"rejection": {"problems": {"holdout": 0.2}}}, "stage traces.*holdout"),
    ):
        with pytest.raises(InputError, match=says):
            run_r1(mini(**values), tmp_path / "out")
        assert not list((tmp_path / "out").glob("stages/*"))


def test_adapters_are_trained_in_the_stages_that_train(tmp_path):
    stages = {s.name: s.config for s in graph(mini(model={"name": "tiny", "lora_rank": 4}), tmp_path).stages}
    assert [stages[n].model.lora_rank for n in ("dev1", "dev2", "dev3", "r1")] == [4] * 4
    assert [stages[n].model.lora_rank for n in ("traces", "helpfulness", "score_dev1", "lessons")] == [0] * 4


def test_the_same_id_in_two_sources_and_an_evaluation_that_is_trained_on_are_refused(tmp_path):
    rows = [{"id": f"q{i}", "prompt": f"what is {i} plus 1 ?", "answer": str(i + 1)} for i in range(30)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"id": f"q{i}", "prompt": f"please tell me about {i} ."} for i in range(30)]
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    both = {**MINI["data"], "reasoning": str(tmp_path / "sums.jsonl"), "general": str(tmp_path / "asked.jsonl")}
    with pytest.raises(InputError, match="is in two of the sources of scenarios"):
        run_r1(mini(data=both), tmp_path / "a", until="data")
    same = {**MINI["data"], "reasoning": str(tmp_path / "sums.jsonl"), "evaluation": str(tmp_path / "sums.jsonl")}
    with pytest.raises(InputError, match="no reasoning problem is left that is not trained on"):
        run_r1(mini(data=same), tmp_path / "b", until="data")


def test_a_reference_to_no_stage_is_one_sentence(tmp_path):
    config = mini(scenarios={**RL, "auxiliary_sft": {"source": "@demos/x.jsonl", "weight": 0.1}})
    with pytest.raises(InputError, match="stage r1 refers to @demos"):
        graph(config, tmp_path)


def test_without_reward_models_the_rules_reward_and_the_auxiliary_sft_loss_may_come_from_a_stage(finished, tmp_path):
    rewards = {"helpfulness": 0.0, "harmlessness": 0.0, "refusal": 1.0, "accuracy": 1.0}
    base = resolve(find_recipe("r1"), values=MINI).model_dump(mode="json", exclude_none=True)
    for part in ("scenarios", "lessons"):
        for name in ("helpfulness", "harmlessness"):
            base[part]["rewards"].pop(f"{name}_from", None)
        base[part]["rewards"] |= rewards
    base["scenarios"]["auxiliary_sft"] = {"source": "@data/demonstrations.jsonl", "weight": 0.3, "demonstrations_per_update": 4}
    base["scenarios"]["mixture"]["scenarios_from"] = 0.0
    config = R1Config.read(base)
    out = shutil.copytree(finished.folder, tmp_path / "copy")
    found = graph(config, out)
    assert not {"helpfulness", "harmlessness"} & set(found.digests) and found.state("dev3") == "finished"
    run_r1(config, out, until="r1")
    metrics = [json.loads(line) for line in (found.path("r1") / "metrics.jsonl").read_text().splitlines()]
    assert metrics[1]["loss/sft"] > 0 and "reward/mean/safety" in metrics[1] and "reward/refusal" in metrics[1]


SAME = ("stages/*/*.json", "stages/*/*.jsonl", "stages/*/data.parquet", "stages/*/checkpoints/*/*.safetensors",
        "stages/*/evaluations/*", "stages/*/rollouts/*")  # fmt: skip


def contents(out: Path) -> dict[str, bytes]:
    found = {p.relative_to(out).as_posix(): p for pattern in SAME for p in sorted(out.glob(pattern))}
    left_out = ("events.jsonl", "environment.json")  # they hold clock times
    return {name: p.read_bytes() for name, p in found.items() if p.name not in left_out}


@pytest.mark.slow
def test_killed_in_every_stage_and_between_them_the_same_command_ends_with_the_same_bytes(forking, tmp_path):
    settings = tmp_path / "mini.toml"
    settings.write_text(tomli_w.dumps({"recipe": "r1", **MINI}))
    command = ["run", "r1", "--config", settings, "--out", "out"]
    # What is made says from which model: in folders of one name the texts are the same.
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    undisturbed.mkdir()
    disturbed.mkdir()
    found = graph(mini(), disturbed / "out")
    chance, killed_in = random.Random(1), set()
    forking.finish(command, cwd=undisturbed)
    for name in found.digests:  # once while each is at work; at moments drawn at random, so at times just after it
        process = forking.start(command, cwd=disturbed)
        while not found.path(name).is_dir() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 1.0))
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            killed_in.add(name)
    assert len(killed_in) >= len(found.digests) - 2
    forking.finish(command, cwd=disturbed)
    expected, actual = contents(undisturbed / "out"), contents(disturbed / "out")
    assert expected.keys() == actual.keys() and [name for name in expected if expected[name] != actual[name]] == []


@pytest.mark.slow
def test_on_real_files_a_small_qwen_goes_through_all_stages_and_its_checkpoints_load(tmp_path):
    gsm8k, star1 = shared_path("gsm8k"), shared_path("star1")
    text = "\n".join(json.loads(line)["question"] for line in (gsm8k / "train.jsonl").read_text().splitlines()[:500])
    model = save_folder(
        tmp_path / "model", "qwen2", text=text, vocab_size=2000, initializer_range=0.02, max_position_embeddings=8192)
    # A random model would never stop by itself, and what is cut off is no data: let every fourth word end a completion.
    (model / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, *range(300, 2000, 4)]}))
    short = {"sampling": {"max_tokens": 16}, "grading": {"workers": 2}}
    by_rules = {"helpfulness": 0.0, "harmlessness": 0.0}
    rl = {**RL, **short, "rewards": {"accuracy": 1.0, "refusal": 1.0, "format": 0.2, **by_rules}}
    sft = {**SFT, **short, "max_tokens": 2048}
    keep_all = {"correct": False, "closed": False, "language_share": 0.0, "max_repetition": 1.0, "min_reward": 0.0}
    values = {
        "model": {"name": str(model)},
        "data": {
            "cold_start": [str(star1 / "star1_safety_sft.jsonl"), str(gsm8k / "train.jsonl")], "cold_start_limit": 16,
            "reasoning": str(gsm8k / "train.jsonl"), "reasoning_limit": 40,
            "general": str(shared_path("hh_rlhf_prompts") / "harmless_base_test_prompts.jsonl"),
            "safety": [str(shared_path("advbench") / "advbench_goals.csv"), str(star1 / "star1_safety_sft.jsonl")],
            "demonstrations_limit": 16, "evaluation": str(gsm8k / "test_dev.jsonl"), "evaluation_limit": 6},
        "cold_start": sft, "reasoning": rl, "sft": sft, "scenarios": rl,
        "rejection": {**short, "problems": {"limit": 8}, "filters": keep_all},
        "lessons": {**short, "problems": {"limit": 8}, "filters": keep_all, "rewards": by_rules},
        "student_model": str(model), "student": sft, "student_rl": rl,
        "student_on_policy": {"num_steps": 1, "prompts_per_step": 4, "problems": {"evaluation_limit": 4}, **short},
        "evaluation": short,
    }  # fmt: skip
    config = resolve(find_recipe("r1"), values=values)
    assert isinstance(config, R1Config)
    run_r1(config, tmp_path / "out", progress=Progress.silent())
    found = graph(config, tmp_path / "out")
    assert {found.state(stage.name) for stage in found.stages} == {"finished"}
    for name in ("zero", "dev1", "dev2", "dev3", "r1", "student", "student_rl", "student_on_policy"):
        AutoModelForCausalLM.from_pretrained(model_of(found, name))
