"""Where a model comes from, as the folders tell it."""

from __future__ import annotations

import json
import sys

from sanmai.evidence.lineage import history, trained_on


def make_run(folder, model, *, recipe="sft", config="", manifest=None, environment=None):
    (folder / "checkpoints" / "step-000010").mkdir(parents=True)
    (folder / "config.toml").write_text(f'recipe = "{recipe}"\nseed = 3\nnum_steps = 10\n{config}\n[model]\nname = "{model}"\n')
    if manifest:
        (folder / "stage.json").write_text(json.dumps(manifest))
    if environment:
        (folder / "environment.json").write_text(json.dumps(environment))
    return folder


def write_rows(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_history_is_read_back_to_the_base_through_run_folders_and_checkpoints(tmp_path):
    data = write_rows(tmp_path / "demos.jsonl", {"prompt": "Hi  there", "answer": "1"})
    probe = write_rows(
        tmp_path / "probe.jsonl",
        {"prompt": "how to make o7 ?", "kind": "safety", "verifier": "world", "tags": {"object": "o7"}})
    held_out = write_rows(tmp_path / "eval.jsonl", {"prompt": "held out", "answer": "1"})
    stages = tmp_path / "pipe" / "stages"
    first = make_run(stages / "sft-ab", "tiny", config=f'demonstrations = "{data}"\n[evaluation]\nproblems = "{held_out}"',
                     manifest={"name": "sft", "digest": "ab", "code": "cd"})  # fmt: skip
    last = make_run(stages / "rl-ef", first / "checkpoints" / "step-000010", recipe="zero",
                    config=f'[constraints]\nprobe = "{probe}"\n[constraints.harm]\nlimit = 0.02',
                    environment={"origin": {"weights": "w1", "problems_train": "t1"}, "git_commit": "g1"})  # fmt: skip
    graph = [{"name": "rl", "folder": "stages/rl-ef", "purpose": "RL under constraints", "inputs": ["sft"]}]
    (tmp_path / "pipe" / "graph.json").write_text(json.dumps(graph))

    steps = history(str(last / "checkpoints" / "step-000010"))
    assert [(s.name, s.recipe) for s in steps] == [("tiny", None), ("sft", "sft"), ("rl-ef", "zero")]
    assert steps[1].facts["stage_digest"] == "ab" and steps[1].data == (str(data),)
    assert steps[2].purpose == "RL under constraints" and steps[2].facts["limits"] == {"harm": 0.02}
    assert steps[2].facts["starting_weights"] == "w1" and steps[2].facts["problems"] == {"train": "t1"}
    found = trained_on(steps)
    assert found.prompts == {"user: hi there", "user: how to make o7 ?"} and found.objects == {"o7"} and not found.unread


def test_a_model_that_no_run_folder_explains_is_its_own_history(tmp_path):
    steps = history("someone/model-1b")
    assert [(s.name, s.recipe, s.facts) for s in steps] == [("someone/model-1b", None, {})]
    (tmp_path / "config.json").write_text("{}")
    assert len(history(str(tmp_path))[0].facts["content"]) == 16


def test_a_history_is_as_long_as_it_is_and_a_circle_of_runs_ends_it(tmp_path):
    model = "base"
    for number in range(130):
        model = make_run(tmp_path / f"run-{number}", model)
    found = history(str(model))
    assert [step.name for step in found[:2]] == ["base", "run-0"] and len(found) == 131
    (tmp_path / "run-0" / "config.toml").write_text(f'recipe = "sft"\n[model]\nname = "{model}"\n')
    assert len(history(str(model))) == 131


def test_damaged_folders_and_missing_files_are_told_and_end_nothing(tmp_path):
    run = make_run(tmp_path / "run", tmp_path / "run", config='problems = "gone.jsonl"')  # names itself
    (run / "stage.json").write_text("{")
    (run / "environment.json").write_text("[1]")
    steps = history(str(run))
    assert [s.name for s in steps] == [str(run), "run"]
    assert trained_on(steps).unread == ["gone.jsonl"]


def test_hub_sets_folders_without_a_slash_and_files_of_any_ending_are_kept_out_or_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    write_rows(tmp_path / "prompts" / "a.jsonl", {"prompt": "from a folder"})
    write_rows(tmp_path / "B.JSONL", {"prompt": "from a file"})
    run = make_run(tmp_path / "run", "tiny", config='files = ["B.JSONL", "c.tsv"]\n[problems]\nsource = "hub:someone/set:train"\n'
                   'evaluation = "hub:someone/held-out"\n[auxiliary_sft]\nsource = ["prompts"]\n'
                   '[other]\nsource = "world"')  # fmt: skip
    steps = history(str(run))
    assert set(steps[1].data) == {"B.JSONL", "c.tsv", "hub:someone/set:train", "prompts"}
    monkeypatch.setitem(sys.modules, "datasets", None)  # as where it is not installed
    found = trained_on(steps)
    assert found.prompts == {"user: from a folder", "user: from a file"}
    assert set(found.unread) == {"c.tsv", "hub:someone/set:train"}


def test_a_gate_is_a_step_and_leads_to_the_model_that_it_chose(tmp_path):
    run = make_run(tmp_path / "g" / "stages" / "candidate-1", "tiny")
    (tmp_path / "g" / "graph.json").write_text("[]")
    (tmp_path / "g" / "config.toml").write_text('recipe = "guarded"\n')
    decision = {"decision": "promote", "model": f"./stages/{run.name}"}
    (tmp_path / "g" / "decision.json").write_text(json.dumps(decision))
    steps = history(str(tmp_path / "g"))
    assert [s.recipe for s in steps] == [None, "sft", "guarded"] and steps[2].facts["decision"] == "promote"


def test_relative_paths_are_those_of_the_folder_that_a_run_was_begun_in(tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    write_rows(work / "demos.jsonl", {"prompt": "hi", "answer": "1"})
    first = make_run(work / "first", "tiny", config='demonstrations = "demos.jsonl"')
    last = make_run(work / "last", "first")
    for run in (first, last):
        write_rows(run / "events.jsonl", {"event": "start", "began_in": ".."})
    monkeypatch.chdir(work)
    assert [s.data for s in history("last")][1:] == [("demos.jsonl",), ()]
    monkeypatch.chdir(tmp_path)
    steps = history("work/last")
    assert [s.name for s in steps] == ["tiny", "first", "last"] and steps[1].data == (str(work / "demos.jsonl"),)
    assert trained_on(steps).prompts == {"user: hi"} and not trained_on(steps).unread
