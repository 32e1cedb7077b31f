"""The report of a pipeline: what is compared with what, the numbers by hand, and what never gets into the page."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from pipeline_folder import CARD, STAGES, make_pipeline_folder, scored_row, write_graph, write_stage
from run_folder import make_run_folder, write_lines

from sanmai.report import summarise, write_report, write_table
from sanmai.report.graph_layout import BOX_HEIGHT, BOX_WIDTH, draw
from sanmai.report.pipeline import Pipeline, Stage, load_pipeline
from sanmai.report.pipeline_text import grading_sentence, text_lines, verdict
from sanmai.report.stage_table import COLUMNS, compare, harmful, headlines, measure, readable, stage_table
from sanmai.stats import wilson

COLUMN = {column.name: column for column in COLUMNS}
ASKED = [c for c in COLUMNS if c.name not in ("harm_ood", "over_refusal_ood") and not c.name.startswith("clip_")]
"""The folder's pipelines have no prompts of kinds that no stage saw."""
BEFORE = {
    "base": None, "zero": "base", "dev1": "base", "dev2": "dev1", "dev3": "base", "r1": "dev3", "student_base": None,
    "student": "student_base", "student_on_policy": "student_base", "student_rl": "student_base",
}
HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u2028\u202e&amp;'\"{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_pipeline_folder(tmp_path_factory.mktemp("pipeline") / "r1-3")


def scored(**rows: list[dict]) -> Pipeline:
    """A pipeline of models that are scored and nothing else; each is made from the one before it."""
    stages: dict[str, Stage] = {}
    for model, found in rows.items():
        stages[model] = Stage(model, "zero", "", list(stages)[-2:-1], model, state="finished")
        stages[f"score_{model}"] = Stage(f"score_{model}", "evaluate", "", [], "x", model, "finished", rows=found)
    return Pipeline("run", stages)


def test_every_model_is_compared_with_the_one_that_it_was_made_from(folder):
    lines = stage_table(load_pipeline(folder))
    assert {line.model: line.before for line in lines} == BEFORE
    assert [(line.model, line.before) for line in headlines(load_pipeline(folder))] == [
        ("r1", "base"), ("r1", "zero"), ("student", "student_rl"), ("student_on_policy", "student_rl"),
    ]


def test_stages_that_have_no_configuration_yet_are_judged_by_their_inputs(tmp_path):
    write_graph(tmp_path, STAGES)
    pipeline = load_pipeline(tmp_path)
    assert {model: pipeline.model_before(model) for model in pipeline.models} == BEFORE
    # A students' base from elsewhere has no stage: r1 is only the teacher of the distilled student.
    given = [(n, r, [i for i in inputs if i != "student_base"], m) for n, r, inputs, m in STAGES if n != "student_base"]
    write_graph(tmp_path, given)
    pipeline = load_pipeline(tmp_path)
    assert {model: pipeline.model_before(model) for model in pipeline.models} == BEFORE


@pytest.mark.parametrize("student", [None, "elsewhere/small"])
def test_the_graph_that_the_recipe_writes_gives_the_same_comparisons(tmp_path, student):
    from sanmai.pipelines.r1 import R1Config, graph

    found = graph(R1Config(student_model=student), tmp_path)
    found.write("")
    pipeline = load_pipeline(tmp_path)
    assert {model: pipeline.model_before(model) for model in pipeline.models} == BEFORE
    for stage in found.stages:
        path = found.path(stage.name)
        path.mkdir(parents=True)
        (path / "config.toml").write_text(f'recipe = "{stage.recipe}"\n' + found.resolved(stage).to_toml(), encoding="utf-8")
    pipeline = load_pipeline(tmp_path)
    assert {model: pipeline.model_before(model) for model in pipeline.models} == BEFORE


def test_rates_have_n_and_interval_and_changes_are_paired_on_problem_and_sample():
    # Before 2 of 8 right, after 6 of 8 with one more that cannot be judged; 7 problems in common, of which 1 and 5 right.
    before = [scored_row(f"p{i}", **{"score/accuracy": float(i < 2)}) for i in range(8)]
    after = [scored_row(f"p{i}", **{"score/accuracy": None if i == 0 else float(i < 7)}) for i in range(9)]
    found = measure(COLUMN["accuracy"], before, after)
    assert found.before and (found.before.value, found.before.low, found.before.high) == (2 / 8, *wilson(2, 8))
    assert found.after and (found.after.value, found.after.n, found.after.num_left_out) == (6 / 8, 8, 1)
    assert found.change and (found.change.value, found.change.n) == (pytest.approx(6 / 7 - 1 / 7), 7)
    assert found.finding == "better"


def test_samples_of_one_problem_pair_up_and_count_as_one():
    # p0: samples 0, 1 were 0, 0 and are 1, 0; sample 2 has no value before and drops out. p1: 0, 0 and 1, 1.
    # Problem means 0 -> 0.5 and 0 -> 1: mean change 0.75 over n = 2.
    before = [scored_row(f"p{i}", k, **{"score/accuracy": None if k == 2 else 0.0}) for i in (0, 1) for k in (0, 1, 2)]
    right = {("p0", 0), ("p1", 0), ("p1", 1), ("p0", 2), ("p1", 2)}
    after = [scored_row(f"p{i}", k, **{"score/accuracy": float((f"p{i}", k) in right)}) for i in (0, 1) for k in (0, 1, 2)]
    found = measure(COLUMN["accuracy"], before, list(reversed(after)))
    assert found.change and (found.change.value, found.change.n) == (0.75, 2)
    assert found.after and (found.after.value, found.after.n) == (5 / 6, 2)


def test_each_column_asks_its_own_completions():
    rows = [
        scored_row("a"), scored_row("b", set="reasoning_ood", **{"score/accuracy": 0.0}),
        scored_row("c", kind="general", **{"score/over_refusal": 1.0, "score/helped": 0.0}),
        scored_row("d", kind="safety", **{"score/harm": 1.0, "num_tokens": 90}),
        scored_row("e", failure="it broke", **{"score/accuracy": None, "thinks": None}),
    ]
    line = compare(scored(base=rows), "base", None)
    found = {name: (m.after.value, m.after.n, m.after.num_left_out) for name, m in line.measures.items() if m.after}
    assert found == {
        "accuracy": (1.0, 1, 1), "accuracy_ood": (0.0, 1, 0), "thinks": (1.0, 4, 1), "language": (1.0, 5, 0),
        "readable": (1.0, 4, 1), "helped": (0.0, 1, 0), "harm": (1.0, 1, 0), "over_refusal": (1.0, 1, 0),
        "tokens": (60.0, 4, 1),
    }
    assert harmful(rows) == ["d"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1.0), ({"score/language": 0.9, "score/repetition": -0.2}, 1.0),
        ({"score/language": 0.89}, 0.0), ({"score/repetition": -0.21}, 0.0), ({"score/format": 0.0}, 0.0),
        ({"score/format": None}, 0.0), ({"stop_reason": "length"}, 0.0),
        ({"score/language": None}, None), ({"score/language": None, "score/repetition": -0.5}, 0.0),
        ({"stop_reason": "timeout"}, None), ({"failure": "it broke"}, None),
    ],
)
def test_a_completion_that_a_person_can_follow(changes, expected):
    assert readable(scored_row("p", **changes)) == expected


def test_less_harm_and_less_refusing_are_better_and_length_is_neither():
    def rows(bad: int, tokens: int) -> list[dict]:
        general = [scored_row(f"g{i}", kind="general", **{"score/over_refusal": float(i < bad)}) for i in range(30)]
        safety = [scored_row(f"s{i}", kind="safety", **{"score/harm": float(i < bad)}) for i in range(30)]
        return [row | {"num_tokens": tokens + i % 2} for i, row in enumerate(general + safety)]

    pipeline = scored(base=rows(20, 50), r1=rows(2, 80))
    line = stage_table(pipeline)[1]
    found = {name: line.measures[name].finding for name in ("harm", "over_refusal", "tokens", "helped", "accuracy")}
    assert found == {
        "harm": "better", "over_refusal": "better", "tokens": "higher", "helped": "undecided", "accuracy": "not comparable",
    }
    # 20 of 30 to 2 of 30: -60 points.
    sentences = [sentence.replace("\u202f", " ") for sentence in verdict(pipeline)]
    assert sentences[1].startswith("Harm fell from 66.7 % to 6.7 % (−60 points, 95 % interval [")
    assert sentences[2].startswith("Over-refusal fell from 66.7 % to 6.7 %")


def test_harm_is_never_told_without_over_refusal():
    def rows(bad: int) -> list[dict]:
        return [scored_row(f"s{i}", kind="safety", **{"score/harm": float(i < bad)}) for i in range(30)]

    found = " ".join(verdict(scored(base=rows(20), r1=rows(0))))
    assert "Harm fell" in found
    assert "Over-refusal was not measured. Without it, less harm may be no more than more refusing." in found


def test_what_was_told_by_rules_is_said():
    exact = scored_row("s", kind="safety")
    by_rules = scored_row("t", kind="safety", **{"reason/harm": "by refusal rules: declines"})
    assert "told exactly" in grading_sentence(scored(base=[exact]))
    assert "by refusal rules for 1 of 2 verdicts" in grading_sentence(scored(base=[exact, by_rules]))
    assert grading_sentence(scored(base=[scored_row("p")])) == ""


def test_cost_is_the_sum_of_a_stages_own_events(folder, tmp_path):
    # 20 steps of 1.5 + 0.5 s, 1000 sampled and 800 trained tokens, 2e9 operations.
    stages = load_pipeline(folder).stages
    zero, scoring = stages["zero"].cost, stages["score_zero"]
    assert (zero.seconds, zero.sampled, zero.trained, zero.flops, zero.num_steps) == (40, 20_000, 16_000, 4e10, 20)
    assert scoring.cost.sampled == sum(row["num_tokens"] for row in scoring.rows) and scoring.cost.seconds == 3
    assert stages["data"].cost.seconds is None and stages["dev1"].cost.sampled is None
    assert load_pipeline(folder).ancestors("r1") == ["data", "dev1", "dev2", "traces", "dev3", "helpfulness"]
    # A resume did the second step again: it was paid for twice.
    write_graph(tmp_path, [("zero", "zero", [], "tiny")])
    path = write_stage(tmp_path, ("zero", "zero", [], "tiny"), [])
    step = {"event": "step", "step": 2, "seconds": {"sampling": 4.0}, "tokens": {"sampled": 10}}
    write_lines(path / "events.jsonl", [step | {"step": 1}, step, {"event": "resume"}, step])
    cost = load_pipeline(tmp_path).stages["zero"].cost
    assert (cost.seconds, cost.sampled, cost.trained, cost.flops, cost.num_steps) == (12, 30, None, None, 2)


def test_the_page_shows_graph_table_comparisons_cost_and_what_sampling_kept(folder):
    (folder / "stages/r1-0123456789/report.html").write_text("a report")
    path = write_report(folder, defaults={"recipe": "r1", "seed": 0})
    page = path.read_text(encoding="utf-8")
    assert path == folder / "report.html" and "From base to r1, held-out accuracy rose" in page
    assert "All 23 stages are finished" in page and "student against student_rl" in page
    assert re.findall(r'<a href="(stages/[^"]*)"', page) == ["stages/r1-0123456789/report.html"]
    assert page.count('class="box finished"') == 13 and page.count("<path class=\"edge") == 15
    assert "length 40" in page and "an example that stays in the card" not in page and str(CARD["samples"]) in page
    assert 'scope="row">seed</th><td>3</td>' in page
    assert write_report(folder, defaults={"recipe": "r1", "seed": 0}).read_bytes() == page.encode()


def test_what_is_not_done_yet_is_shown_as_such(tmp_path):
    folder = make_pipeline_folder(tmp_path / "run", until="dev2", num=10)
    (folder / "stages/dev2-0123456789/stage.json").unlink()
    page = write_report(folder).read_text(encoding="utf-8")
    assert "6 of 23 stages are finished; dev2 has begun, at step 20 of 20." in page
    assert page.count('class="box begun"') == 1 and page.count('class="box to-do"') == 9
    assert "Not scored yet: score_r1 is to do." in page and "Needs the scores of two models" in page
    write_graph(tmp_path / "new", STAGES)
    assert "No two models can be compared yet" in write_report(tmp_path / "new").read_text(encoding="utf-8")


def test_no_text_of_a_completion_or_prompt_is_in_the_page_the_table_or_the_lines(tmp_path):
    write_graph(tmp_path, STAGES[:4])
    words = {"prompt": "HOW-TO-HARM", "text": "HARMFUL-RECIPE", "answer": "HARM-ANSWER"}
    rows = [scored_row(f"id-{i}", kind="safety", **words, **{"score/harm": 1.0}) for i in range(3)]
    for stage in STAGES[:4]:
        write_stage(tmp_path, stage, rows)
    pages = [write_report(tmp_path).read_text("utf-8"), write_table(tmp_path).read_text("utf-8"), json.dumps(summarise(tmp_path))]
    assert "id-2" in pages[0] and not any(word in page for page in pages for word in words.values())
    assert not any(set(words) & set(row) for row in load_pipeline(tmp_path).models["base"].rows)


def test_hostile_text_is_only_ever_text(tmp_path):
    write_graph(tmp_path, STAGES[:4])
    rows = json.loads((tmp_path / "graph.json").read_text())
    for row in rows:
        row |= {"purpose": HOSTILE, "recipe": HOSTILE if row["recipe"] == "zero" else row["recipe"]}
    rows += [
        {"name": HOSTILE, "recipe": "sample", "purpose": HOSTILE, "inputs": [HOSTILE], "folder": "stages/x"},
        {"name": "score_x", "recipe": "evaluate", "purpose": "", "inputs": [], "folder": "stages/y", "scores": HOSTILE},
        {"name": "out", "recipe": "zero", "inputs": [], "folder": "../out"}, {"name": 3}, HOSTILE,
    ]
    (tmp_path / "graph.json").write_text(json.dumps(rows), encoding="utf-8")
    for stage in STAGES[:4]:
        write_stage(tmp_path, stage, [scored_row(HOSTILE, kind="safety", **{"score/harm": 1.0, "reason/harm": HOSTILE})])
    (tmp_path / "stages/x").mkdir()
    count = {"name": HOSTILE, "meaning": HOSTILE, "seen": HOSTILE, "dropped": {HOSTILE: HOSTILE}}
    (tmp_path / "stages/x/card.json").write_text(json.dumps({"filters": [count, 3], "kept": HOSTILE}))
    (tmp_path / "config.toml").write_text(f"{json.dumps(HOSTILE)} = {json.dumps(HOSTILE)}", encoding="utf-8")
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script>") == 1 and "<img" not in page
    assert "49" not in re.findall(r"\{\{ 7.*", page)[0] and page.count("is left out") == 3
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy and "default-src &#39;none&#39;" in policy[1] and "unsafe" not in policy[1]
    assert "<script" not in write_table(tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda folder: (folder / "graph.json").write_text("["), "graph.json cannot be read"),
        (lambda folder: (folder / "graph.json").write_text('{"name": 3}'), "graph.json: stage 1 is not described"),
        (lambda folder: (folder / "config.toml").write_text("seed = "), "config.toml cannot be read"),
        (lambda folder: (folder / "stages/dev1-0123456789/events.jsonl").unlink(), "dev1: events.jsonl is not there yet"),
        (lambda folder: (folder / "stages/dev1-0123456789/config.toml").write_text("="), "dev1: config.toml cannot be read"),
        (
            lambda folder: (folder / "stages/score_dev1-0123456789/evaluations/step-000000.parquet").write_bytes(b"PAR1"),
            "score_dev1 is finished, but its completions cannot be read",
        ),
    ],
)
def test_a_damaged_folder_still_gives_a_report_that_says_so(tmp_path, broken, said):
    folder = make_pipeline_folder(tmp_path / "run", until="score_dev1", num=6)
    broken(folder)
    assert said in write_report(folder).read_text(encoding="utf-8")
    assert summarise(folder)["lines"] and write_table(folder).is_file()


@pytest.mark.parametrize("text", ["[", "[]", '{"name": 3}', "\x00"])
def test_without_a_graph_no_stage_is_said_to_be_finished(tmp_path, text):
    folder = make_pipeline_folder(tmp_path / "run", until="score_dev1", num=6)
    (folder / "graph.json").write_text(text)
    page, found = write_report(folder).read_text(encoding="utf-8"), summarise(folder)
    assert found["status"] == "unfinished" and "graph.json" in found["lines"][-1]
    for shown in (page, " ".join(found["lines"]), (folder / "table.md").read_text(encoding="utf-8")):
        assert "graph.json cannot be read" in shown and "All 0 stages" not in shown and "0 of 0" not in shown


def test_the_lines_fit_a_terminal_and_the_summary_is_json(folder):
    found = summarise(folder)
    assert json.loads(json.dumps(found, allow_nan=False))["status"] == "finished"
    assert max(map(len, found["lines"])) <= 120 and found["lines"][0].startswith("From base to r1")
    header = next(line for line in found["lines"] if line.startswith("model"))
    assert header.split() == ["model", *(column.short for column in ASKED), "seconds"]
    row = next(line for line in found["lines"] if line.startswith("r1 "))
    measures = {m["name"]: m for m in next(m for m in found["models"] if m["model"] == "r1")["measures"]}
    assert f"{100 * measures['accuracy']['after']['value']:.1f}" in row and row.endswith(" 40")
    assert [m["model"] for m in found["headlines"]] == ["r1", "r1", "student", "student_on_policy"]
    assert any(line.startswith("r1 against zero: accuracy") for line in found["lines"])


def test_kinds_that_no_stage_saw_have_columns_and_a_last_step_that_did_harm_to_them_is_said():
    """Over the whole harm fell; the last step kept it on kinds like those trained on and raised it on others."""
    def rows(seen: int, unseen: int) -> list[dict]:
        found = [scored_row(f"s{i}", kind="safety", **{"score/harm": float(i < seen)}) for i in range(40)]
        found += [scored_row(f"u{i}", kind="safety", set="safety_ood", **{"score/harm": float(i < unseen)}) for i in range(40)]
        found += [scored_row(f"h{i}", kind="general", set="general_ood") for i in range(8)]
        found += [scored_row(f"g{i}", kind="general") for i in range(8)]
        return [*found, *(scored_row(f"p{i}") for i in range(8)), *(scored_row(f"o{i}", set="reasoning_ood") for i in range(8))]

    pipeline = scored(base=rows(36, 36), dev3=rows(4, 8), r1=rows(4, 24))
    lines = list(text_lines(pipeline, stage_table(pipeline)))
    headers = [line.split() for line in lines if line.startswith("model")]
    assert max(map(len, lines)) <= 120 and len(headers) == 2
    assert " ".join(headers[1]).startswith("model harm harm ood over-ref ref. ood")
    said = " ".join(verdict(pipeline))
    assert "Harm fell from 90 % to 10 %" in said.replace("\u202f", " ")
    assert "Harm, unseen kinds fell from 90 % to 60 %" in said.replace("\u202f", " ")
    assert "Its last step made worse, from dev3: harm, unseen kinds rose from 20 % to 60 %" in said.replace("\u202f", " ")
    assert "made worse" not in " ".join(verdict(scored(base=rows(36, 36), dev3=rows(4, 8), r1=rows(4, 8))))


def test_harm_on_unseen_kinds_alone_is_said_and_not_without_its_other_side():
    def rows(harmful: int) -> list[dict]:
        found = [scored_row(f"u{i}", kind="safety", set="safety_ood", **{"score/harm": float(i < harmful)}) for i in range(40)]
        return [*found, *(scored_row(f"p{i}") for i in range(8))]

    said = " ".join(verdict(scored(base=rows(36), r1=rows(4)))).replace("\u202f", " ")
    assert "Harm, unseen kinds fell from 90 % to 10 %" in said and "no held-out prompt is about them" not in said
    assert "less harm may be no more than more refusing" in said


def test_arrows_stand_only_where_a_change_is_decided():
    before = [scored_row(f"p{i}", **{"score/accuracy": float(i < 10)}) for i in range(40)]
    after = [scored_row(f"p{i}", **{"score/accuracy": float(i < 30), "num_tokens": 50}) for i in range(40)]
    pipeline = scored(base=before, r1=after)
    row = next(line for line in text_lines(pipeline, stage_table(pipeline)) if line.startswith("r1 "))
    # Accuracy 25 % to 75 %; everything else as it was; no column for what no completion is about.
    assert row.split() == ["r1", "75.0↑", "100.0", "100.0", "100.0", "50.0", "–"]


def test_models_that_draw_clips_are_told_by_clips_and_not_as_texts():
    def clips(quality: float) -> list[dict]:
        kept = {"clip_shape": [4, 8, 8], "reason/harm": "measured in the world", "reward": 7.0}
        kept |= {f"score/{name}": quality for name in ("quality", "visual", "motion", "alignment")}
        return [
            {"problem_id": f"p{i}", "sample": 0, "kind": "reasoning", "num_tokens": 0, "score/harm": float(i < 2), **kept}
            for i in range(12)
        ]

    pipeline = scored(start=clips(-0.5), flow=clips(0.25))
    said = " ".join(text_lines(pipeline, stage_table(pipeline))).replace("\u202f", " ")
    assert "the quality of clips rose from −0.5 to 0.25" in said and "Harm did not change" in said
    assert "the world that they are of knows them" in said
    for untrue in ("tokens", "thinks", "readable", "helped", "Reward", "dangerous", "No two models", "could not be judged"):
        assert untrue not in said, untrue


def test_the_table_file_holds_every_rate_with_n_interval_and_change(folder):
    path = write_table(folder)
    lines = path.read_text(encoding="utf-8").replace("\u202f", " ").splitlines()
    row = next(line for line in lines if line.startswith("| r1 | dev3 |"))
    assert path == folder / "table.md" and row.count("n = ") == len(ASKED)
    assert re.search(r"\| \d[\d.]* % \[[\d.]+, [\d.]+\], n = \d+, \d+ not judged; [+−][\d.]+ points \[", row)
    assert sum(line.startswith("| score_") for line in lines) == 10 and path.stat().st_mode & 0o777 == 0o644


def test_a_run_folder_is_still_reported_as_one(tmp_path):
    folder = make_run_folder(tmp_path / "run", num_steps=10, num_problems=6)
    assert "Sanmai run report" in write_report(folder).read_text(encoding="utf-8") and summarise(folder)["steps"] == 10
    with pytest.raises(FileNotFoundError, match="expected a run folder"):
        write_report(tmp_path / "absent")


def test_arrows_from_one_box_that_pass_a_column_share_one_level_there():
    runs = [f"run{i}" for i in range(6)]
    drawing = draw(["start", "data", *runs], [("start", "data"), *[(a, r) for r in runs for a in ("start", "data")]])
    rows = {y for _, y in drawing.boxes.values()}
    levels = {re.findall(r"L\d+,(\d+)", drawing.paths["start", r])[0] for r in runs}
    assert len(rows) == 6 and len(levels) == 1 and drawing.height < 7 * (BOX_HEIGHT + 30)


def test_no_two_boxes_of_the_graph_overlap_and_no_arrow_passes_a_box(folder):
    names = ["base", *(s.name for s in load_pipeline(folder).stages.values() if s.scores is None and s.recipe != "gather")]
    edges = [("base", "zero"), ("base", "dev1"), ("base", "dev3"), ("dev1", "dev2"), ("dev2", "traces"), ("traces", "dev3"),
             ("dev1", "helpfulness"), ("helpfulness", "r1"), ("dev3", "r1"), ("r1", "lessons"), ("lessons", "student"),
             ("student_base", "student"), ("student_base", "student_rl"), ("r1", "student_on_policy")]
    drawing = draw(names, [*edges, ("r1", "base"), ("nowhere", "r1")])
    assert set(drawing.paths) == set(edges) and len(set(drawing.boxes.values())) == len(names)
    assert all(drawing.boxes[a][0] + BOX_WIDTH < drawing.boxes[b][0] for a, b in edges)
    for (a, b), path in drawing.paths.items():
        points = [tuple(map(int, pair.split(","))) for pair in re.findall(r"-?\d+,-?\d+", path)]
        assert points[0] == (drawing.boxes[a][0] + BOX_WIDTH, drawing.boxes[a][1] + BOX_HEIGHT // 2)
        assert points[-1] == (drawing.boxes[b][0], drawing.boxes[b][1] + BOX_HEIGHT // 2)
        inside = [
            name for name, (x, y) in drawing.boxes.items() for px, py in points
            if x < px < x + BOX_WIDTH and y < py < y + BOX_HEIGHT
        ]
        assert inside == []
        # The level pieces between two points may pass a box that neither of them is in.
        for (x1, y1), (x2, y2) in itertools.pairwise(points):
            assert [n for n, (x, y) in drawing.boxes.items() if y1 == y2 and y < y1 < y + BOX_HEIGHT and x1 <= x < x2 - 1] == []
