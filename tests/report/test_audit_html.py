"""The safety case as a page: what is on it, what is hidden until it is clicked, and that hostile text stays text."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest
from run_folder import write_lines, write_rows

from sanmai.report import summarise, write_report

HOSTILE = "</script><script>alert(1)</script></details><img src=x onerror=alert(2)>\u2028\u202e&amp;'\"{{ 7 * 7 }}"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def share(value, n=40, **more):
    return {"value": value, "interval": [0.0, 0.1], "n": n, "scored": n, "unscored": 1, "incomplete": 2, **more}


def contrast(base, other):
    return {base: share(0.1), other: share(0.3), "difference": 0.2, "interval": [0.1, 0.3], "n": 40, "unpaired": 0}


def difference(value):
    return {"value": value, "interval": [value - 0.1, value + 0.1], "n": 40}


def claim(measure, outcome, **more):
    return share(0.02) | {
        "measure": measure, "meaning": f"what {measure} is", "rule": "at_most", "limit": 0.05, "outcome": outcome,
        "bounds": [0.0, 0.08], "requests": 40, "needed": 59, "p_beyond": 0.2, "p_within": 1.0, "upper_bound": False,
        "reason": "", **more}  # fmt: skip


def make_case(**more):
    kinds = {"safety": 2, "general": 1}
    return {
        "format": 1, "model": "runs/my model", "before_model": "tiny", "texts": True, "verdict": "fails",
        "sentence": "1 of 3 claims holds, 1 fails, 1 is undecided.", "confidence": 0.95,
        "claims": [claim("harm", "fails"), claim("over_refusal", "undecided", reason="too few: at least 59", upper_bound=True),
                   claim("incomplete", "holds")],
        "two_sided": [{"title": "Harm and its price", "sides": [
            {"measure": name, "meaning": name, "direction": -1, **share(0.2)} for name in ("harm", "over_refusal")]}],
        "safety": {"k": 4, **{name: share(0.9) for name in ("safe_at_1", "safe_at_k", "hidden_harm")},
                   "discrimination": contrast("harmless_refused", "dangerous_refused"),
                   "uplift": {"role_play": contrast("direct", "attacked")},
                   "refusal_loss": {"zh": {"lost": share(0.2), "gained": share(0.1), "unpaired": 0}}},
        "reasoning": {"generalisation_gap": difference(0.5), "perturbation_drop": difference(0.0), "tokens_per_correct": 31.5,
                      "tokens_per_completion": 20.0, "finished": 1.0},
        "by": {"language": [{"value": "zh", "completions": 9, "harm": share(0.4), "over_refusal": None, "accuracy": None,
                             "off_language": None, "incomplete": share(0.0)}]},
        "worst": {"harm": [{"problem_id": "id-7", "sample": 0, "step": 1, "set": "safety: x", "value": 1.0, "language": "en"}]},
        "before": {
            "retention": {"value": 0.8, "interval": [0.7, 0.9], "asr": contrast("before", "after")},
            "accuracy_change": difference(0.2), "accuracy_ood_change": difference(-0.2),
            "transfer": {"value": 0.1, "interval": [None, None], "finding": "undecided"},
            "safety_tax": {name: difference(0.1) for name in ("accuracy_lost", "harm_removed", "over_refusal_added")},
            "crossover": {"finding": "the base overtakes", "points": [
                {"k": 1, "before": 0.1, "before_interval": [0.062, 0.163], "after": 0.5, "before_ahead_by": difference(-0.4)}]},
            "forgetting": [{"ability": "digits=2", "before": 0.9, "after": 0.5, "loss": difference(0.4)}]},
        "history": [{"name": "tiny", "recipe": None, "folder": None, "purpose": "", "facts": {}, "data": []},
                    {"name": "sft-0", "recipe": "sft", "folder": "/x/sft-0", "purpose": "SFT", "facts": {"stage_digest": "abc1"},
                     "data": ["/x/data/cold_start.jsonl"]}],
        "gaps": ["Nothing is said of agents."],
        "sets": [{"name": "safety: x", "role": "safety", "problems": 3, "read": 9, "trained_on": 1, "kinds": kinds,
                  "completions": 3, "failed": 0, "incomplete": share(0.0)}],
        "protocol": {"weights": "w123", "problem_sets": {"safety: x": "h456"}, "packages": {"torch": "2"}}, **more}  # fmt: skip


def make_audit(folder, case=None, prompt="a dangerous request", text="a dangerous answer"):
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('recipe = "audit"\nseed = 0\n')
    write_lines(folder / "metrics.jsonl", [{"step": 1}, {"step": 2}])
    path = folder / "evaluations" / "step-000001.parquet"
    write_rows(path, [{"step": 1, "problem_id": name, "sample": 0, "prompt": prompt, "text": text} for name in ("id-7", "id-8")])
    if case is not None:
        (folder / "audit.json").write_text(json.dumps(case), encoding="utf-8")
    return folder


def read(folder):
    return write_report(folder).read_text(encoding="utf-8")


def test_everything_of_the_case_is_on_one_offline_page(tmp_path):
    folder = make_audit(tmp_path / "audit-1", make_case())
    page = read(folder)
    for said in ("1 of 3 claims holds", "Harm at most 5 %", "too few: at least 59", "Safe@4", "role_play", "Youden", "zh",
                 "the base overtakes", "[6.2, 16.3]", "digits=2",
                 "sft-0", "abc1", "cold_start.jsonl", "Nothing is said of agents.", "w123",
                 "h456", "0.8", "an upper bound", "Harm before and after, plain and attacked requests"):  # fmt: skip
        assert said in page, said
    assert not re.search(r'(src|href)="(?!#|data:,")', page) and "@import" not in page and "url(" not in page
    assert os.stat(folder / "report.html").st_mode & 0o777 == 0o644 and read(folder) == page


def test_harmful_texts_are_hidden_until_they_are_clicked_and_only_those_of_the_worst_are_there(tmp_path):
    page = read(make_audit(tmp_path / "a", make_case()))
    inside = "".join(re.findall(r'<details class="sample">(.*?)</details>', page, re.S))
    summary = "".join(re.findall(r"<summary>(.*?)</summary>", inside, re.S))
    assert "<details open" not in page and page.count("a dangerous answer") == inside.count("a dangerous answer") == 1
    assert page.count("a dangerous request") == inside.count("a dangerous request") == 1
    assert "dangerous" not in summary and "id-7" in summary and "id-8" not in page


def test_control_characters_of_a_completion_are_not_in_the_page(tmp_path):
    page = read(make_audit(tmp_path / "a", make_case(), "a\0b\x1b[2J\tc\r\nd\x9b", "e"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page) and "a\ufffdb\ufffd[2J\tc\nd\ufffd" in page


def test_a_page_without_texts_names_the_worst_samples_alone(tmp_path):
    page = read(make_audit(tmp_path / "a", make_case(texts=False)))
    assert "id-7" in page and "a dangerous" not in page and "Texts were left out of this page" in page


def test_hostile_text_is_only_ever_text(tmp_path):
    def spoil(value):
        if isinstance(value, dict):
            return {key if key in plain else f"{key}{HOSTILE}": spoil(item) for key, item in value.items()}
        if isinstance(value, list):
            return [spoil(item) for item in value]
        return HOSTILE if isinstance(value, str) and value not in ("id-7", "fails", "holds") else value

    clean = make_case()
    plain = {key for part in _mappings(clean) for key in part} - {"zh", "role_play", "stage_digest"}
    spoiled = spoil(clean)
    page = read(make_audit(tmp_path / "a", spoiled, HOSTILE, HOSTILE))
    assert page.count("<script") == page.count("</script>") == 1 and "<img" not in page and "{{ 7 * 7 }}" in page
    assert page.count("<details") == page.count("</details>") and page.count("</details>") == 3
    assert all(line.isprintable() or "\u202e" in line for line in summarise(tmp_path / "a")["lines"])


def _mappings(value):
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _mappings(item)


@pytest.mark.parametrize("damage", ["missing", "list", "cut", "nulls", "strings", "no rows"])
def test_a_damaged_or_unfinished_audit_still_gives_a_page(tmp_path, damage):
    case = make_case()
    folder = make_audit(tmp_path / "a", case)
    if damage == "missing":
        (folder / "audit.json").unlink()
    elif damage == "list":
        (folder / "audit.json").write_text("[1]")
    elif damage == "cut":
        (folder / "audit.json").write_text(json.dumps(case)[:300])
    elif damage == "no rows":
        (folder / "evaluations" / "step-000001.parquet").write_bytes(b"PAR1")
    else:
        changed = dict.fromkeys(case, None if damage == "nulls" else "text")
        (folder / "audit.json").write_text(json.dumps(changed))
    page, lines = read(folder), summarise(folder)["lines"]
    if damage in ("missing", "list", "cut"):
        assert "2 of its sets are done; the same command goes on from there." in page
        assert lines == ["The audit is not finished: there is no safety case yet."]
    elif damage == "no rows":
        assert "step-000001.parquet cannot be read" in page and "id-7" in page


def test_the_terminal_is_told_each_claim_and_no_prompt(tmp_path):
    found = summarise(make_audit(tmp_path / "a", make_case()))
    assert found["verdict"] == "fails" and [c["outcome"] for c in found["claims"]] == ["fails", "undecided", "holds"]
    header, harm, *_, last = found["lines"]
    assert header.split() == ["claim", "found", "verdict"]
    assert re.split(r"  +", harm) == ["Harm at most 5 %", "2 % [0, 10], n = 40, 1 unscored, 2 incomplete", "fails"]
    assert last == "1 of 3 claims holds, 1 fails, 1 is undecided. Together at 95 % confidence (Holm)."


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_it_fits_the_window_and_shows_nothing_harmful_before_a_click(tmp_path, scheme, width):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = write_report(make_audit(tmp_path / "a", make_case(gaps=["long" * 60])))
    complaints: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda asked: asked.url == path.as_uri() or complaints.append(asked.url))
        page.goto(path.as_uri())
        assert "a dangerous answer" not in page.inner_text("body")
        page.locator("details.sample summary").first.click()
        assert "a dangerous answer" in page.inner_text("body")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
    assert complaints == []
