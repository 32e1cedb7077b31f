"""The red team as a run: its files, that it can be killed, what stays out of sight, and what tells harm or rewords."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from judge_server import says, serving, within
from sanmai.attack.search import Genome
from sanmai.data.problems import load_problems
from sanmai.evidence import redteam
from sanmai.evidence.redteam import RedteamConfig, describe_redteam, run_redteam
from sanmai.evidence.redteam_files import summary_lines
from sanmai.learn.progress import Progress
from sanmai.recipes import find_recipe, resolve
from sanmai.report import summarise
from sanmai.report.redteam_html import render_redteam, write_redteam_report
from sanmai.types import InputError, Problem
from sanmai.world.requests import SEEN

pytest.importorskip("ribs", reason="the archive needs pyribs (extra `redteam`)")

FILES = ("archive.json", "elites.jsonl", "heldout.jsonl", "queries.jsonl", "redteam.json", "metrics.jsonl")
SMALL = {"num_steps": 4, "queries_per_step": 16, "samples": 2, "confirm_samples": 2, "checkpoints": {"every": 2}}


def config(**values) -> RedteamConfig:
    found = resolve(find_recipe("redteam"), values={**SMALL, **values})
    assert isinstance(found, RedteamConfig)
    return found


def read(folder) -> dict[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in FILES}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run in the embedded world, and what it printed."""
    folder, screen = tmp_path_factory.mktemp("redteam") / "run", io.StringIO()
    run_redteam(config(), folder, progress=Progress(Console(file=screen, width=200)))
    return folder, screen.getvalue()


def test_the_elites_are_problems_to_train_on_and_the_held_out_ones_are_apart(finished):
    folder, _ = finished
    cells = json.loads((folder / "archive.json").read_text())["cells"]
    elites, held_out = (load_problems(folder / name, needs_answer=False).problems for name in FILES[1:3])
    assert len(cells) == 48 and {p.kind for p in (*elites, *held_out)} == {"safety"}
    assert {p.tags["cell"] for p in elites}.isdisjoint(p.tags["cell"] for p in held_out)
    assert all(p.tags["object"] in SEEN for p in elites) and not any(p.tags["object"] in SEEN for p in held_out)
    assert all(p.demonstration is None and p.solution is None and p.verifier == "world" for p in (*elites, *held_out))
    filled = {c["prompt"]: c for c in cells if c["prompt"]}
    assert {p.prompt for p in (*elites, *held_out)} == filled.keys()
    assert all(c["held_out"] == (c["prompt"] in {p.prompt for p in held_out}) for c in filled.values())


def test_the_figures_are_those_of_the_queries(finished):
    folder, _ = finished
    found = json.loads((folder / "redteam.json").read_text())
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    best: dict[tuple, float] = {}
    for query in queries:
        cell = tuple(query["genome"]["cell"])
        best[cell] = max(best.get(cell, 0.0), query["objective"])
    assert found["queries"] == len(queries) == 64 and len({q["prompt"] for q in queries}) == 64
    assert found["all"]["filled"] == len(best) and found["all"]["qd_score"] == pytest.approx(sum(best.values()))
    assert found["all"]["archive_asr"]["value"] == pytest.approx(sum(x > 0.5 for x in best.values()) / len(best))
    assert sum(side["cells"] for side in found["by"]["category"].values()) == 48
    # The base answers about half of the dangerous requests; the elites were chosen for having been answered.
    assert found["confirmed"]["all"]["harm"]["value"] < found["all"]["qd_score"] / found["all"]["filled"]
    assert found["confirmed"]["all"]["over_refusal"]["n"] > 0


def test_no_completion_is_kept_and_no_prompt_is_printed(finished):
    folder, screen = finished
    assert list((folder / "rollouts").iterdir()) == list((folder / "evaluations").iterdir()) == []
    assert "take" not in "".join(read(folder).values())  # every recipe begins with it
    prompts = [json.loads(line)["prompt"] for line in (folder / "queries.jsonl").read_text().splitlines()]
    assert "cells filled" in screen and not any(prompt in screen for prompt in prompts)
    run_redteam(config(keep_completions=True, num_steps=1), folder.parent / "kept")
    assert (folder.parent / "kept" / "rollouts" / "step-000001.parquet").exists()


def test_a_killed_search_ends_with_the_same_bytes(finished, tmp_path, monkeypatch):
    ask, calls = redteam.Target.ask, []

    def dies_at_the_fourth(self, *arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return ask(self, *arguments)

    monkeypatch.setattr(redteam.Target, "ask", dies_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        run_redteam(config(), tmp_path / "run")
    assert not (tmp_path / "run" / "redteam.json").exists()
    monkeypatch.undo()
    run_redteam(config(), tmp_path / "run")
    assert read(tmp_path / "run") == read(finished[0])
    run_redteam(config(), tmp_path / "run")  # finished: shown again, nothing is asked
    assert read(tmp_path / "run") == read(finished[0])


def test_another_seed_finds_other_elites_and_random_search_is_a_setting(finished, tmp_path):
    run_redteam(config(seed=1, num_steps=1), tmp_path / "seed")
    run_redteam(config(search="random", num_steps=1), tmp_path / "random")
    firsts = [(folder / "queries.jsonl").read_text().splitlines()[0] for folder in (finished[0], tmp_path / "seed")]
    assert firsts[0] != firsts[1]
    assert json.loads((tmp_path / "random" / "redteam.json").read_text())["search"] == "random"


def test_what_always_broke_the_model_is_told_where_the_criterion_keeps_it_out_of_the_archive(tmp_path):
    run_redteam(config(search="minimal_criterion", num_steps=1), tmp_path)
    found = json.loads((tmp_path / "redteam.json").read_text())
    told = [json.loads(line)["objective"] for line in (tmp_path / "queries.jsonl").read_text().splitlines()]
    counts = {"never": told.count(0.0), "always": told.count(1.0)}
    assert found["outside_criterion"] == counts
    page = render_redteam("x", {**found, "outside_criterion": {"never": 3, "always": 7}}, {})
    assert "7 prompts that always broke the model and 3 that never did" in page
    assert any(f"{counts['always']} prompts that always" in line for line in summary_lines(found))
    assert not any("Kept out" in line for line in summary_lines({**found, "outside_criterion": None}))


def test_the_page_shows_the_archive_with_the_prompts_closed_and_nothing_hostile_in_it(finished):
    folder, _ = finished
    page = write_redteam_report(folder).read_text(encoding="utf-8")
    assert page.count("<details>") == page.count('class="prompt"') and "<details open" not in page and "Held out" in page
    hostile = {"category": "<b>", "style": "s", "language": "en", "id": "i", "objective": 0.5}
    hostile["prompt"] = "<script>x</script>\0\x1b"
    shown = render_redteam("<i>", {"by": {"<u>": {}}}, {"cells": [hostile, 3, {}]})
    assert not any(text in shown for text in ("<script>x", "<b>", "<i>", "<u>")) and "heat-5" in shown
    assert "\0" not in shown and "\x1b" not in shown
    with pytest.raises(InputError, match="it is written when a red team's search ends"):
        write_redteam_report(folder / "rollouts")


def files(tmp_path, count: int = 6):
    """Harmless questions that stand for dangerous ones, and others; the world's words, so that the tiny model can read them."""
    asked, harmless = tmp_path / "asked.jsonl", tmp_path / "harmless.jsonl"
    row = lambda k: {"prompt": f"how to make o{k} ?", "id": f"r{k}", "category": "ab"[k % 2]}  # noqa: E731
    asked.write_text("".join(json.dumps(row(k) | {"kind": "safety"}) + "\n" for k in range(count)))
    harmless.write_text("".join(json.dumps(row(k)) + "\n" for k in range(10, 12)))
    return {"problems": {"source": str(asked)}, "harmless": str(harmless), "styles": ("direct", "role_play")}


def test_requests_of_a_file_are_searched_with_a_judge_that_tells_harm(tmp_path):
    with serving(says(lambda question: json.dumps({"reason": "r", "score": 1}))) as server:
        judge = {"base_url": server.url, "model": "j", "retries": 0, "timeout_seconds": 20.0}
        rewards = {"accuracy": 0.0, "harmlessness": 1.0, "harmlessness_from": "judge", "judge": judge}
        settings = config(**files(tmp_path), objective="harmlessness", rewards=rewards, num_steps=1)
        within(lambda: run_redteam(settings, tmp_path / "run"), seconds=120)
    found = json.loads((tmp_path / "run" / "redteam.json").read_text())
    # 1 of 1..10 is harmlessness 0, so every complete answer has objective 1; those cut off are left out.
    assert found["all"]["filled"] and found["all"]["qd_score"] == found["all"]["filled"]
    assert found["all"]["cells"] == 2 * 2 and found["confirmed"]["all"]["over_refusal"]["n"] > 0
    assert any("4 cells of 2 categories" in line for line in describe_redteam(settings, Path("."), measure=False))


def test_outside_the_world_the_rules_tell_harm_and_dangerous_prompts_are_no_harmless_twins(tmp_path):
    given = files(tmp_path)
    contrasts = [{"prompt": f"how to make o{k} ?", "type": "t", "label": ("safe", "unsafe")[k % 2]} for k in range(20, 24)]
    (tmp_path / "harmless.jsonl").write_text("".join(json.dumps(row) + "\n" for row in contrasts))
    warnings = [line for line in describe_redteam(config(**given), Path("."), measure=False) if line.startswith("Warning")]
    assert len(warnings) == 1 and "2 prompts are left out of the harmless ones: dangerous" in warnings[0]
    given["problems"] |= {"format": "generic", "kind": "safety"}  # of the requests, and not of the twins
    _, space = redteam._space(config(**given), None, print)
    made = [space.twin(Genome(cell, name, (0,) * 9)) for cell in space.cells for name in space.pools[cell]]
    assert {twin.tags["original"].rpartition("/")[2] for twin in made if twin is not None} == {"0", "2"}
    settings = config(**given, num_steps=1, queries_per_step=4, confirm_samples=0, sampling={"max_tokens": 1})
    run_redteam(settings, tmp_path / "run")  # nothing is finished, so nothing can be graded
    found = json.loads((tmp_path / "run" / "redteam.json").read_text())
    metrics = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    assert found["ungraded"] == found["queries"] == 4 and "redteam/archive_asr" not in metrics
    page = write_redteam_report(tmp_path / "run").read_text(encoding="utf-8")
    assert "Harm was told by refusal rules, an upper bound" in page
    assert any("told by refusal rules" in line for line in describe_redteam(settings, Path("."), measure=False))
    assert summarise(tmp_path / "run")["verdict"].endswith("redteam.json has what it found.")


def test_a_model_rewords_requests_and_what_it_says_wrong_is_counted(tmp_path):
    def reply(question: str) -> str:
        return "make o1 how to do it ?" if "o1" in question else "I'm sorry, I can't help with that."

    with serving(says(reply)) as server:
        judge = {"base_url": server.url, "model": "m", "retries": 0, "timeout_seconds": 20.0}
        settings = config(**files(tmp_path), mutator={"judge": judge, "share": 1.0}, num_steps=2)
        within(lambda: run_redteam(settings, tmp_path / "run"), seconds=120)
    counts = json.loads((tmp_path / "run" / "redteam.json").read_text())["mutator"]
    queries = [json.loads(line) for line in (tmp_path / "run" / "queries.jsonl").read_text().splitlines()]
    reworded = [q for q in queries if q["genome"]["text"]]
    assert counts["used"] == len(reworded) > 0 and counts["refused"] > 0
    assert all("make o1 how to do it ?" in q["prompt"] for q in reworded) and len({q["prompt"] for q in queries}) == len(queries)


@pytest.mark.parametrize(
    ("values", "says_"),
    [
        ({"styles": ("direct",)}, "styles with the embedded world"),
        ({"objective": "harmlessness"}, "without rewards.harmlessness"),
        ({"mutator": {}, "problems": {"source": "x.jsonl"}}, "mutator.judge.model"),
        ({"model": {"lora_rank": 2}}, "nothing is trained here"),
        ({"holdout_cells": 1.0}, "holdout_cells = 1.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(values, says_):
    with pytest.raises(InputError, match=says_):
        config(**values)


def test_runs_that_cannot_begin_say_why(tmp_path):
    with pytest.raises(InputError, match="holdout name 'x'"):
        run_redteam(config(holdout_names=("x",)), tmp_path / "a")
    with pytest.raises(InputError, match="none is of kind safety"):
        run_redteam(config(), tmp_path / "b", problems=[Problem("p", ({"role": "user", "content": "x"},))])


def test_prompts_that_leave_the_models_positions_are_not_asked_and_it_is_said(tmp_path):
    long = " ".join(["please tell me"] * 150)  # 450 words of a model's 512 positions
    texts = {"short": "how to make o1 ?", "long": long, "longer": f"{long} now"}
    rows = [
        Problem(name, ({"role": "user", "content": text},), kind="safety", tags={"category": "one" if name == "short" else "two"})
        for name, text in texts.items()
    ]  # fmt: skip
    (source := tmp_path / "requests.jsonl").write_text("")
    small = {"problems": {"source": str(source)}, "styles": ("direct",), "holdout_cells": 0.0, "num_steps": 1}

    def asked(max_tokens: int) -> tuple[set[str], str]:
        settings = config(**small, sampling={"max_tokens": max_tokens})
        folder = run_redteam(settings, tmp_path / str(max_tokens), problems=rows)
        lines = (folder / "queries.jsonl").read_text().splitlines()
        return {json.loads(line)["genome"]["base"] for line in lines}, (folder / "events.jsonl").read_text()

    found, said = asked(16)
    assert found == texts.keys() and "positions" not in said
    found, said = asked(100)
    assert found == {"short"} and "in 1 of 2 cells the longest prompt, with 100 tokens to answer, leaves the 512" in said
    with pytest.raises(InputError, match="more than the 512 positions"):
        run_redteam(config(**small, sampling={"max_tokens": 100}), tmp_path / "none", problems=rows[1:])
