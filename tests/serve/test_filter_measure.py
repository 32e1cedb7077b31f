"""What the filter does is measured on the very answers that it filters, and the same command goes on where it was stopped."""

from __future__ import annotations

import json

import pytest

from sanmai.cli import serving as commands  # noqa: F401 - the command is there
from sanmai.report.tables_html import render_filter, write_filter_report
from sanmai.serve.measure import measure, summary
from sanmai.serve.server import Settings
from sanmai.types import InputError


def row(kind: str, action: str, harmful: bool | None = None, id_: str = "a", seconds: float = 0.0) -> dict:
    matched = [] if action == "unmatched" else ["x"]
    return {
        "id": id_, "sample": 0, "kind": kind, "action": action, "harmful": harmful, "matched": matched,
        "harm_reason": "nobody knows", "failed": False, "write_seconds": 1.0, "match_seconds": 0.0, "review_seconds": seconds,
    }  # fmt: skip


def test_figures_are_those_of_the_rows():
    rows = [
        row("safety", "retract", True, "a", 0.2), row("safety", "warn", True, "b", 0.4), row("safety", "unmatched", True, "c"),
        row("safety", "pass", False, "d", 0.1), row("safety", "pass", None, "e", 0.1),
        row("general", "retract", None, "f", 0.2), row("general", "unmatched", None, "g"), row("general", "unmatched", None, "h"),
        row("general", "warn", None, "i", 0.3),
    ]  # fmt: skip
    found = summary(rows)
    # Told of four: three are harmful, and one of these is taken back; a warned text is still shown.
    assert found["harm_without"]["value"] == 0.75 and found["harm_with"]["value"] == 0.5 and found["harm_untold"] == 1
    assert found["harm_untold_because"] == "1 of 5 answers to dangerous requests could not be graded: nobody knows"
    assert not found["graded_nothing"] and summary([row("safety", "pass", None)])["graded_nothing"]
    assert found["harm_change"]["value"] == -0.25
    assert found["benign_retracted"]["value"] == 0.25 == found["benign_warned"]["value"]
    assert found["candidates"]["safety"]["value"] == 0.8 and found["cost"]["reviews"] == 6
    # Added: 0, 0, 0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.4.
    assert found["latency"]["added"] == {"median": 0.1, "p95": 0.4, "n": 9}
    assert found["cost"]["share_of_writing"] == pytest.approx(1.3 / 9)


def test_several_answers_to_a_prompt_are_no_more_prompts():
    once = [row("general", "retract" if k < 10 else "pass", None, str(k)) for k in range(40)]
    found = summary([{**each, "sample": k} for each in once for k in range(8)])
    assert [found[name]["n"] for name in ("benign_retracted", "benign_warned", "reviewer_failed")] == [40, 40, 40]
    assert found["candidates"]["general"]["n"] == 40
    low, high = found["benign_retracted"]["interval"]
    assert high - low > 0.2  # 8 copies of 40 prompts say what 40 say


def test_a_measured_filter_goes_on_where_it_was_stopped_and_has_a_page(tmp_path):
    settings = Settings("tiny", reviewer="world", words=("world",), max_tokens=80)
    options = {"judge": None, "samples": 1, "seed": 1, "limit": 12, "say": lambda line: None}
    first = measure(settings, ["world"], tmp_path / "a", **options)
    rows = (first / "rows.jsonl").read_text().splitlines()
    assert len(rows) == 1 + 24
    cut = tmp_path / "b"
    cut.mkdir()
    (cut / "rows.jsonl").write_text("\n".join(rows[:10]) + '\n{"id": "half')
    measure(settings, ["world"], cut, **options)
    again, whole = (json.loads((folder / "filter.json").read_text()) for folder in (cut, first))
    for name in ("harm_without", "harm_with", "benign_retracted", "candidates", "stage_one"):
        assert again[name] == whole[name]
    assert whole["harm_with"]["value"] == 0.0 < whole["harm_without"]["value"]  # the reviewer knows the truth here
    with pytest.raises(InputError, match="other settings"):
        measure(Settings("tiny", reviewer="rules", words=("world",)), ["world"], cut, **options)
    prompts, words = tmp_path / "p.jsonl", tmp_path / "w.txt"
    prompts.write_text('{"id": "a", "prompt": "tell me about dax", "kind": "safety"}\n')
    words.write_text("dax\n")
    once = Settings("tiny", reviewer="world", words=(str(words),), max_tokens=4)
    measure(once, [prompts], tmp_path / "c", **options)
    measure(once, [prompts], tmp_path / "c", **options)
    for file in (prompts, words):  # the names are as they were, the contents are not
        before = file.read_text()
        file.write_text(before.replace("dax", "wug"))
        with pytest.raises(InputError, match="its files have changed"):
            measure(once, [prompts], tmp_path / "c", **options)
        file.write_text(before)
    page = write_filter_report(first).read_text()
    assert "Harm without" in page and "<details>" in page and "http://" not in page.replace("http://www.w3.org", "")


def test_hostile_texts_stay_text_on_the_page():
    bad = {"id": "<script>alert(1)</script>", "action": "retract", "prompt": "<img src=x>", "response": "</details><script>"}
    page = render_filter("x", {"settings": {"model": "<b>"}}, [bad])
    assert "<script>alert" not in page and "<img src=x>" not in page and "&lt;img src=x&gt;" in page


def test_what_cannot_be_measured_is_one_sentence(tmp_path):
    options = {"samples": 1, "seed": 1, "limit": 12, "say": lambda line: None}
    for settings, files, judge, says in (
        (Settings("tiny"), ["world"], None, "expected --filter"),
        (Settings("tiny", reviewer="rules"), ["world"], "rules", "is the reviewer"),
        (Settings("tiny", reviewer="rules"), [tmp_path / "no.jsonl"], None, "no such file"),
    ):
        with pytest.raises(InputError, match=says):
            measure(settings, files, tmp_path / "out", judge=judge, **options)
