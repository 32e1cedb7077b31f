"""Kimi k1.5: the graph, what each arm changes, curated difficulties that RL knows, the tables, and what is refused."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sanmai.pipelines.graph import Graph
from sanmai.pipelines.kimi import TITLES, KimiConfig, graph, run_kimi
from sanmai.pipelines.kimi_table import Point, reached, read_curve
from sanmai.policies.text.tiny import TINY_PATH
from sanmai.recipes import find_recipe, resolve
from sanmai.report import summarise_pipeline, write_report
from sanmai.train.runs import holding
from sanmai.types import InputError

FEW = {"problems": {"evaluation_limit": 4}}
MINI = {
    "data": {"reasoning_limit": 36, "evaluation_limit": 6}, "chains": {"count": 128}, "warmup": {**FEW, "epochs": 1.0},
    "curation": {"samples_per_prompt": 4, "guess": {"attempts": 1, "draws": 2}, "trivial_from": 2.0},
    "rl": {"num_steps": 2, "prompts_per_step": 4, "rollouts_per_prompt": 4, "evaluation": {"every": 1}, **FEW},
    "long2short": {
        "samples": {"problems": {"limit": 12}}, "shortest": FEW, "dpo": FEW,
        "rl": {"num_steps": 1, "prompts_per_step": 4, "rollouts_per_prompt": 4, **FEW}},
    "evaluation": {"samples": 1},
}  # fmt: skip
ARMS = ["uniform", "no_length", "length_at_once", "rest", "whole"]


def mini(**changes) -> KimiConfig:
    config = resolve(find_recipe("kimi"), values={**MINI, **changes})
    assert isinstance(config, KimiConfig)
    return config


def stages_of(config: KimiConfig, folder: Path) -> dict:
    return {stage.name: stage for stage in graph(config, folder).stages}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Graph:
    out = tmp_path_factory.mktemp("kimi")
    run_kimi(mini(), out)
    return graph(mini(), out)


def test_the_recipe_of_the_paper_in_its_order(tmp_path):
    found = stages_of(mini(arms=[]), tmp_path)
    assert list(found) == [
        "data", "score_base", "chains", "warmup", "score_warmup", "curated", "kimi", "score_kimi", "merge", "score_merge",
        "samples", "shortest", "score_shortest", "pairs", "dpo", "score_dpo", "rl", "score_rl"]  # fmt: skip
    assert found["curated"].config.model.name == found["kimi"].config.model.name == "@warmup"
    assert found["kimi"].config.problems.source == "@curated/problems.jsonl"
    rl = found["kimi"].config
    assert rl.loss.preset == "kimi" and rl.optimizer.reset_each_step and rl.updates_per_step > 1
    assert rl.curriculum.order == "prioritised" and rl.curriculum.known_tries == 10
    assert rl.length.weight > 0 and rl.length.warmup > 0 and rl.partial.segment_tokens


def test_each_arm_differs_from_kimi_in_one_thing(tmp_path):
    found = stages_of(mini(), tmp_path)
    kimi = found["kimi"].config.model_dump()
    changed = {
        arm: {name for name, value in found[arm].config.model_dump().items() if value != kimi[name]} for arm in ARMS}
    assert changed == {
        "uniform": {"curriculum"}, "no_length": {"length"}, "length_at_once": {"length"}, "rest": {"loss"}, "whole": {"partial"}}
    assert found["uniform"].config.curriculum.order == "epochs"
    assert found["no_length"].config.length.weight == 0 and found["length_at_once"].config.length.warmup == 0
    assert found["rest"].config.loss.settings().baseline == "best"


def test_long2short_starts_from_the_model_that_is_asked_for(tmp_path):
    ways = ("merge", "samples", "shortest", "dpo", "rl")
    for long in ("kimi", "warmup", "no_length"):
        found = stages_of(mini(long=long, short=str(TINY_PATH)), tmp_path)
        assert {found[name].config.model.name for name in ways} == {f"@{long}"}
        assert found["merge"].config.short == str(TINY_PATH)
    assert not {*ways} & set(stages_of(mini(long="none"), tmp_path))


def test_a_model_from_elsewhere_needs_demonstrations_or_is_asked_to_think(tmp_path):
    with pytest.raises(InputError, match=r"is for the embedded model; name files, or set warmup_from=samples"):
        mini(model={"name": "some/where"})
    files = {"cold_start": [], "reasoning": ["r.jsonl"], "evaluation": ["e.jsonl"]}
    asked = mini(model={"name": "some/where", "lora_rank": 4}, data=files, warmup_from="samples")
    found = stages_of(asked, tmp_path)
    assert "chains" not in found and "plan your steps" in found["warmup_samples"].config.instruction
    assert found["warmup"].config.problems.source == "@warmup_samples/data.parquet"
    assert found["warmup"].config.model.lora_rank == 4 and found["curated"].config.model.lora_rank == 0
    shown = mini(model={"name": "some/where"}, data=files | {"cold_start": ["c.jsonl"]})
    assert stages_of(shown, tmp_path)["warmup"].config.problems.source == "@data/cold_start.jsonl"


@pytest.mark.parametrize(("settings", "says"), [
    ({"arms": ["rest", "rest"]}, "one of them twice"), ({"arms": ["grpo"]}, "arms.0 = 'grpo'"),
    ({"rl": {"length": {"weight": 0, "warmup": 0}}}, "no_length, length_at_once would be the same as kimi"),
    ({"rl": {"partial": {"segment_tokens": 112}}}, "whole would be the same"), ({"target": 0}, "target = 0"),
    ({"rl": {"curriculum": {"order": "epochs", "known_tries": 0}}}, "uniform would be the same"),
    ({"curation": {"problems": {"source": "x"}}}, "curation.problems.source is given"), ({"rl": {"seed": 1}}, "rl.seed is given"),
    ({"long2short": {"chains": {"count": 9}}}, "long2short.chains is given"),
    ({"data": {"cold_start": []}}, "data.cold_start is empty"),
    ({"arms": [], "long": "no_length"}, "not among the arms"),
])  # fmt: skip
def test_settings_that_cannot_work_are_refused_in_one_sentence(settings, says):
    with pytest.raises(InputError) as refused:
        resolve(find_recipe("kimi"), values=settings)
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_every_stage_is_finished_and_rl_begins_with_the_rates_that_curation_found(finished):
    assert {finished.state(stage.name) for stage in finished.stages} == {"finished"}
    first = json.loads((finished.path("kimi") / "metrics.jsonl").read_text().splitlines()[1])
    assert first["curriculum/untried"] == 0 and 0 <= first["curriculum/tracked_success"] <= 1
    assert "curriculum/untried" not in json.loads((finished.path("uniform") / "metrics.jsonl").read_text().splitlines()[1])
    card = json.loads((finished.path("curated") / "card.json").read_text())
    assert card  # rules, counts and examples: tests/recipes/test_curate.py


def test_the_tables_are_those_of_the_evaluations_and_of_the_runs(finished):
    data = json.loads((finished.folder / "arms.json").read_text())
    assert [model["name"] for model in data["models"]] == list(TITLES) and data["reference"] == "kimi"
    for model in data["models"]:
        rows = pq.read_table(finished.path(f"score_{model['name']}") / "evaluations" / "step-000000.parquet").to_pylist()
        rows = [row for row in rows if json.loads(row["tags"])["set"] == "reasoning"]
        assert model["accuracy"]["value"] == pytest.approx(sum(row["score/accuracy"] for row in rows) / len(rows))
        assert model["tokens"]["value"] == pytest.approx(sum(row["num_tokens"] for row in rows) / len(rows))
    assert set(data["reached"]) == {"kimi", *ARMS}
    front = json.loads((finished.folder / "front.json").read_text())
    assert front["long"] == "warmup" and [m["name"] for m in front["models"]] == [
        "warmup", "kimi", "merge", "shortest", "dpo", "rl"]  # fmt: skip
    text = (finished.folder / "arms.md").read_text()
    assert "steps to 90 %" in text and all(f"| {name} |" in text for name in TITLES)


def test_the_report_has_both_tables_and_what_kimi_is_compared_with(finished):
    page = write_report(finished.folder).read_text()
    assert "RL with and without each part" in page and "From long to short" in page and page.count('<svg class="front"') == 2
    found = summarise_pipeline(finished.folder)
    assert [(line["model"], line["before"]) for line in found["headlines"]] == [("kimi", "base"), ("kimi", "warmup")]
    assert found["verdict"].startswith("From base to kimi, held-out accuracy")


@pytest.mark.parametrize(("change", "notice"), [
    ({"models": [{"name": "x"}]}, "a line of it is not"), ({"models": 5}, "a line of it is not"), ("{", "arms.json"),
    ({"models": [{"title": 3}]}, "a line of it is not"), ({"models": [{"beaten_by": 5}]}, "a line of it is not"),
    ({"models": [{"accuracy": {"value": 0.5, "low": "x", "high": None}}]}, "a line of it is not"),
    ({"models": [{"tokens": {"value": 10**400, "low": None, "high": None}}]}, "a line of it is not"),
    ({"models": [{"accuracy": {"value": 0.5, "low": None, "high": None}}]}, "<h1"), ({"reached": {"kimi": {}}}, "<h1"),
    ({"curves": {"kimi": [[0, 0, 0], [1, 0, 0]], "<b>": [[1, "a", 2]]}}, "<h1"),
    ({"models": [{"title": "<script>"}]}, "&lt;script&gt;"), ({"made_from": {"score_kimi": "other"}}, "of other settings"),
])  # fmt: skip
def test_a_table_that_was_tampered_with_breaks_no_report(finished, tmp_path, change, notice):
    data = json.loads((finished.folder / "arms.json").read_text())
    if isinstance(change, dict):
        models = change.get("models")
        if isinstance(models, list) and models != [{"name": "x"}]:
            change = {"models": [data["models"][0] | models[0]]}
        text = json.dumps(data | change)
    else:
        text = change
    (tmp_path / "graph.json").write_bytes((finished.folder / "graph.json").read_bytes())
    (tmp_path / "arms.json").write_text(text)
    page = write_report(tmp_path).read_text()
    assert notice in page and "<script>alert" not in page and "<td><script>" not in page


def test_tables_of_other_settings_are_removed_and_what_is_done_is_shown_where_a_later_stage_fails(finished, tmp_path):
    copy, stages = tmp_path / "copy", tmp_path / "copy" / "stages"
    shutil.copytree(finished.folder, copy)
    run_kimi(mini(arms=["rest"], long="none", rl={**MINI["rl"], "num_steps": 3}), copy, until="warmup")
    assert not list(copy.glob("arms.*")) and not list(copy.glob("front.*"))
    run_kimi(mini(), copy)  # all is found again
    assert (copy / "arms.json").read_bytes() == (finished.folder / "arms.json").read_bytes()
    (copy / "arms.json").unlink()
    next(stages.glob("samples-*/data.parquet")).write_bytes(b"")
    for name in ("shortest", "score_shortest"):
        shutil.rmtree(next(stages.glob(f"{name}-*")))
    with pytest.raises(InputError):
        run_kimi(mini(), copy)
    names = [model["name"] for model in json.loads((copy / "front.json").read_text())["models"]]
    assert (copy / "arms.json").is_file() and "merge" in names and "shortest" not in names


def test_steps_to_a_target_are_counted_linearly_between_evaluations():
    points = [Point(0, 0.5, 40.0, 0), Point(2, 0.75, 30.0, 200), Point(4, 1.0, 20.0, 280)]
    assert reached(points, 0.5) == points[0] and reached(points, 0.75) == points[1] and reached(points, 0.2) == points[0]
    assert reached(points, 0.875) == Point(3, 0.875, 25.0, 240)  # half way between the last two
    assert reached(points[:2], 0.9) is None and reached([], 0.5) is None
    up_and_down = [Point(s, a, 9.0, 0) for s, a in ((0, 0.0), (2, 1.0), (3, 0.5), (4, 1.0))]
    assert reached(up_and_down, 0.75) == Point(1.5, 0.75, 9.0, 0)  # the first time counts


def test_a_runs_curve_is_of_the_problems_like_those_trained_on(finished):
    points = read_curve(finished.path("kimi"))
    assert [p.step for p in points] == [0, 1, 2]
    rows = pq.read_table(finished.path("kimi") / "evaluations" / "step-000002.parquet").to_pylist()
    near = [row for row in rows if json.loads(row["tags"])["set"] == "reasoning"]
    assert 0 < len(near) < len(rows)
    assert points[-1].accuracy == sum(row["score/accuracy"] for row in near) / len(near)
    assert points[-1].tokens == sum(row["num_tokens"] for row in near) / len(near)
    lines = map(json.loads, (finished.path("kimi") / "metrics.jsonl").read_text().splitlines())
    assert points[-1].sampled == sum(line.get("tokens/sampled", 0) for line in lines)


def test_a_process_that_is_refused_the_folder_changes_nothing_in_it(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished.folder, copy)
    before = {path: path.read_bytes() for path in copy.iterdir() if path.is_file() and path.name != "run.lock"}
    with holding(copy), pytest.raises(InputError, match="another process"):
        run_kimi(mini(arms=["rest"], long="none"), copy)
    after = {path: path.read_bytes() for path in copy.iterdir() if path.is_file() and path.name != "run.lock"}
    assert {"arms.json", "graph.json", "config.toml"} <= {path.name for path in before} and after == before
