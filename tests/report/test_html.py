"""The report as a file: what it holds, what it leaves out, and that hostile text stays text."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from run_folder import make_run_folder, row, write_lines, write_rows

from sanmai.report import write_report
from sanmai.report.load import RunData, load_run
from sanmai.report.page import write_whole
from sanmai.report.samples import paired_samples, training_samples

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u2028\u2029\u202e&amp;'\"{{ 7 * 7 }}"


def embedded(page: str, name: str):
    text = re.search(rf'<script type="application/json" id="data-{name}">(.*?)</script>', page, re.S)
    assert text
    return json.loads(text[1])


def test_a_run_is_one_file_that_names_no_other(tmp_path):
    path = write_report(make_run_folder(tmp_path / "run", num_steps=20, num_problems=12))
    page = path.read_text(encoding="utf-8")
    assert path == tmp_path / "run" / "report.html" and "Held-out accuracy rose" in page
    assert not re.search(r'(src|href)="(?!#|data:,")', page) and "@import" not in page and "url(" not in page
    assert [p.name for p in path.parent.iterdir() if "report" in p.name] == ["report.html"]
    assert os.stat(path).st_mode & 0o777 == 0o644
    assert len(embedded(page, "rollouts")) == 20 * 16 and len(embedded(page, "pairs")) == 12


def test_writing_twice_gives_the_same_bytes(tmp_path):
    folder = make_run_folder(tmp_path / "run", num_steps=10, num_problems=6)
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


def test_hostile_text_is_only_ever_text(tmp_path):
    bad = {name: HOSTILE for name in ("prompt", "answer", "text", "reason/accuracy", "label/accuracy", "stop_reason")}
    bad |= {"tags": json.dumps({HOSTILE: HOSTILE}), "language": HOSTILE, "failure": None}
    for kind in ("rollouts", "evaluations"):
        for step in (1, 2):
            rows = [row(step, f"{HOSTILE}{i}", float(i % 2), **bad) for i in range(4)]
            write_rows(tmp_path / kind / f"step-{step:06d}.parquet", rows)
    write_lines(tmp_path / "metrics.jsonl", [{"step": 1, HOSTILE: 1.0, f"reward/{HOSTILE}": 2.0}])
    write_lines(tmp_path / "events.jsonl", [{"event": HOSTILE, "message": HOSTILE, "time": HOSTILE, "step": HOSTILE}])
    (tmp_path / "config.toml").write_text(f"{json.dumps(HOSTILE)} = {json.dumps(HOSTILE)}", encoding="utf-8")
    (tmp_path / "environment.json").write_text(json.dumps({"machine": HOSTILE, "lone": "\ud800"}))
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert page.count("<script") == 4 and page.count("</script>") == 4 and "<img" not in page
    assert "\u2028" not in page.split('id="data-curves"')[1] and "49" not in re.findall(r"\{\{ 7.*", page)[0]
    assert embedded(page, "rollouts")[0]["text"] == HOSTILE


def test_the_policy_lets_only_the_two_scripts_of_the_report_run(tmp_path):
    page = write_report(make_run_folder(tmp_path / "run", num_steps=0)).read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy and "default-src &#39;none&#39;" in policy[1] and "unsafe" not in policy[1]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda folder: (folder / "config.toml").write_text("seed = "), "config.toml cannot be read"),
        (lambda folder: (folder / "environment.json").write_text("[]"), "environment.json cannot be read"),
        (lambda folder: (folder / "metrics.jsonl").unlink(), "metrics.jsonl is not there yet"),
        (lambda folder: (folder / "events.jsonl").write_bytes(b"\xff\xfe"), "events.jsonl: 1 of 1 lines cannot"),
        (lambda folder: (folder / "rollouts/step-000003.parquet").write_bytes(b""), "step-000003.parquet cannot be"),
        (lambda folder: (folder / "evaluations/step-000010.parquet").unlink(), "Nothing to compare with"),
    ],
)
def test_a_damaged_folder_still_gives_a_report_that_says_so(tmp_path, broken, said):
    folder = make_run_folder(tmp_path / "run", num_steps=10, num_problems=6)
    broken(folder)
    assert said in write_report(folder).read_text(encoding="utf-8")


def test_a_run_that_is_not_over_says_where_it_stands(tmp_path):
    assert "has just begun" in write_report(make_run_folder(tmp_path / "a", num_steps=0)).read_text(encoding="utf-8")
    page = write_report(make_run_folder(tmp_path / "b", num_steps=10, planned=50)).read_text(encoding="utf-8")
    assert "Not finished: 10 of 50 steps on record" in page
    (tmp_path / "empty").mkdir()
    assert "No evaluation on held-out problems" in write_report(tmp_path / "empty").read_text(encoding="utf-8")


def test_settings_that_differ_from_the_defaults_are_told_apart(tmp_path):
    folder = make_run_folder(tmp_path / "run", num_steps=0)
    assert "Different from the defaults" not in write_report(folder).read_text(encoding="utf-8")
    page = write_report(folder, defaults={"seed": 0, "num_steps": 40}).read_text(encoding="utf-8")
    changed = page.split("Different from the defaults")[1].split("</table>")[0]
    assert re.search(r'>seed</th><td>7</td><td data-label="default">0<', changed) and ">num_steps<" not in changed


def test_many_rollouts_are_cut_evenly_over_the_steps_and_the_page_says_so(tmp_path):
    for step in range(1, 31):
        write_rows(tmp_path / f"rollouts/step-{step:06d}.parquet", [row(step, f"p{i}", 1.0) for i in range(20)])
    samples = training_samples(load_run(tmp_path), max_rollouts=90)
    steps = [r["step"] for r in samples["rows"]]
    assert {steps.count(step) for step in range(1, 31)} == {3} and "90 of 600 rollouts" in samples["note"]


def test_long_texts_stay_within_the_size(tmp_path):
    for step in range(1, 11):
        rows = [row(step, f"p{i}", 1.0, text="加" * 30_000) for i in range(20)]
        write_rows(tmp_path / f"rollouts/step-{step:06d}.parquet", rows)
    run = load_run(tmp_path)
    samples = training_samples(run, max_bytes=1_000_000)
    assert 500_000 < len(json.dumps(samples["rows"], ensure_ascii=False).encode()) <= 1_100_000
    assert "18,000 characters left out" in samples["rows"][0]["text"]
    assert {r["step"] for r in samples["rows"]} == set(range(1, 11))
    evaluations = {step: [row(step, f"p{i}", 1.0, text="x" * 9_000) for i in range(300)] for step in (0, 9)}
    pairs = paired_samples(RunData(name="run", evaluations=evaluations))
    assert 20 < len(pairs["pairs"]) < 200 and "of 300 problems, chosen evenly" in pairs["note"]
    assert write_report(tmp_path).stat().st_size < 4_500_000


@pytest.mark.parametrize(
    "odd",
    ["", "/", "a=b", "=", "kind=", "eval/accuracy/", "eval/accuracy/=", "eval/a=b", "eval/accuracy/a=b/c", "score/", "probe/",
     "multiplier/x", "time/\x1b[31m", "policy/\ud800", "length/<b>", "pass@", "eval/pass@x", "%s", "{}", "x" * 3000],
)  # fmt: skip
def test_an_edited_metrics_file_with_names_that_nobody_writes_still_gives_a_report(tmp_path, odd):
    folder = make_run_folder(tmp_path / "run")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (folder / "metrics.jsonl").write_text("\n".join(json.dumps({**line, odd: 1.0, f"{odd}2": 1e308}) for line in lines) + "\n")
    write_report(folder)
    assert (folder / "report.html").stat().st_size > 1000


def test_of_the_sources_of_problems_only_those_that_were_used_are_shown():
    from sanmai.report.html import _problems

    settings = {"source": "world", "holdout": 0.1, "columns": {}, "world": {"digits": [2]}, "stories": {"levels": [1]}}
    assert _problems(settings) == {"source": "world", "holdout": 0.1, "world": {"digits": [2]}}
    assert _problems({**settings, "source": "a.jsonl", "evaluation": "stories"}) == {
        "source": "a.jsonl", "evaluation": "stories", "holdout": 0.1, "stories": {"levels": [1]}}  # fmt: skip
    assert _problems(None) is None and _problems("a.jsonl") == "a.jsonl"


def test_what_a_killed_process_left_of_a_page_goes_with_the_next_and_another_writers_stays(tmp_path):
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    dead, mine, other = (tmp_path / f".report-{name}.html" for name in (f"{done.stdout.strip()}-1", f"{os.getpid()}-1", "notes"))
    for path in (dead, mine, other):
        path.write_text("half a page")
    write_whole(tmp_path / "report.html", "<p>whole</p>")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, other.name, "report.html"])
    assert (tmp_path / "report.html").read_text() == "<p>whole</p>"
