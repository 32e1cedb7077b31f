"""Damaged evidence is named, on resume and in the report: flipped bits, cut and deleted files of all that a run recorded."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from test_runs import Settings, events, groups, weights

from sanmai.learn.alarm import AlarmConfig, HackingAlarm
from sanmai.pipelines.length_table import read_evaluation
from sanmai.report.load import load_run
from sanmai.train.digests import FILE, require_whole
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.types import InputError

EVERY = CheckpointsConfig(every=1, keep=2)


def work(folder: Path, until: int, *, finishes: bool = False, stop_at: str = "") -> list[str]:
    """A run of that many steps with evaluations and probes; what it warned of when it was opened."""
    with Run(folder, "toy", Settings()) as run:
        warned = list(run.warnings)
        if run.start_step == 0 and not run.is_finished:
            run.log_evaluation(0, groups())
            run.log_step(0, {"eval/accuracy": 0.5})
        for step in run.steps(until):
            run.log_probe(step, groups())
            run.log_evaluation(step, groups())
            run.log_step(step, {"reward/mean": step / 3}, groups())
            run.save(step, weights(step), EVERY)
        if finishes:
            run.event("finish")
    return warned


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 3)


def flip_in_line_of_step_2(path: Path) -> None:
    path.write_text(path.read_text().replace('"step": 2, "reward/mean": 0.6', '"step": 2, "reward/mean": 0.7'))


DAMAGE = {
    "a flipped bit": (flip, "is not what was written (SHA-256 differs)"),
    "a file cut short": (truncate, "bytes instead of"),
    "a file that is gone": (Path.unlink, "is missing"),
}
FILES = ("rollouts/step-000002.parquet", "evaluations/step-000000.parquet", "evaluations/step-000003.parquet",
         "probes/step-000001.parquet", "digests.jsonl")  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "finishes"),
    [
        *((kind, name, False) for kind in DAMAGE for name in FILES),
        *((kind, name, True) for kind, name in zip(DAMAGE, FILES[1:], strict=False)),
        ("a flipped bit", FILE, True),
    ],
)
def test_damage_is_named_on_resume_and_in_the_report_and_the_run_goes_on(tmp_path, kind, name, finishes):
    work(tmp_path, 3, finishes=finishes)
    assert load_run(tmp_path).problems == ["environment.json is not there yet"]  # the toy has none
    damage, said = DAMAGE[kind]
    damage(tmp_path / name)
    in_report = [p for p in load_run(tmp_path).problems if p.startswith(f"{name} ")]
    assert len(in_report) == 1 and said in in_report[0]
    run = load_run(tmp_path)
    assert 2 not in run.rollout_files or name != FILES[0]
    assert (0 in run.evaluations) == (name != FILES[1]) and (3 in run.evaluations) == (name != FILES[2])  # no figure of it
    warned = work(tmp_path, 5)
    assert [w for w in warned if w.startswith(f"{name} ") and said in w] == warned
    assert [e["message"] for e in events(tmp_path) if e["event"] == "warning"] == warned
    later = [p for p in load_run(tmp_path).problems if p.startswith(name)]  # it does not become right by going on
    assert len(later) == 1 and (said in later[0])
    assert any(w.startswith(name) for w in work(tmp_path, 5))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (flip_in_line_of_step_2, "metrics.jsonl: the line of step 2 is not what was written (SHA-256 differs)"),
        (lambda p: p.write_text(p.read_text().replace('"step": 2', '"step" 2')), "metrics.jsonl: the line of step 2 is missing"),
        (lambda p: p.write_bytes(p.read_bytes().replace(b'"step": 2', b'"st\xffp": 2')), "metrics.jsonl: the line of step 2 is"),
        (truncate, "metrics.jsonl: the line of step 3 is missing or cannot be read"),
        (Path.unlink, "metrics.jsonl: the line of step 0, 1, 2, 3 is missing or cannot be read"),
        (lambda p: p.write_text(""), "metrics.jsonl: the line of step 0, 1, 2, 3 is missing or cannot be read"),
        (lambda p: p.write_text("".join(p.read_text().splitlines(True)[:2])), "metrics.jsonl: the line of step 2, 3 is missing"),
    ],
)
def test_a_metrics_line_that_is_damaged_is_named_and_no_other_line_is_touched(tmp_path, damage, said):
    work(tmp_path, 3)
    metrics = tmp_path / "metrics.jsonl"
    damage(metrics)
    left = metrics.read_bytes() if metrics.exists() else b""
    assert any(p.startswith(said) for p in load_run(tmp_path).problems)
    assert 2 not in [line["step"] for line in load_run(tmp_path).metrics] or "step 3" in said
    warned = work(tmp_path, 4)
    assert len(warned) == 1 and warned[0].startswith(said)
    if left.endswith(b"\n"):  # what stands there is kept as it is, read or not; the torn end alone goes
        assert metrics.read_bytes().startswith(left)
    assert json.loads(metrics.read_text("utf-8", "replace").splitlines()[-1])["step"] == 4
    assert any(p.startswith(said) for p in load_run(tmp_path).problems)


def test_many_damaged_files_are_a_few_sentences(tmp_path):
    work(tmp_path, 12)
    shutil.rmtree(tmp_path / "rollouts")
    warned = work(tmp_path, 12)
    assert len(warned) == 6 and warned[-1] == "rollouts/: 7 more files are damaged or missing"


def test_damaged_evidence_that_is_read_again_stops_who_reads_it(tmp_path):
    """The alarm of a resume, and a later stage that makes a table of an evaluation."""
    work(tmp_path, 3)
    with Run(tmp_path, "toy", Settings()) as run:
        HackingAlarm(AlarmConfig(), run, {"accuracy": 1.0}, None)
    flip(tmp_path / "evaluations" / "step-000002.parquet")
    (tmp_path / "rollouts" / "step-000001.parquet").unlink()  # that nobody reads again
    with (
        pytest.raises(InputError, match=r"evaluations/step-000002\.parquet is not what was written .*restore it"),
        Run(tmp_path, "toy", Settings()) as run,
    ):
        HackingAlarm(AlarmConfig(), run, {"accuracy": 1.0}, None)
    with pytest.raises(InputError, match=r"evaluations/step-000002\.parquet is not what was written"):
        read_evaluation(tmp_path, 2)
    assert len(read_evaluation(tmp_path, 3)) == 3
    work(tmp_path, 3, finishes=True)
    with Run(tmp_path, "toy", Settings()) as run:  # finished: nothing is judged any more, the warning is enough
        HackingAlarm(AlarmConfig(), run, {"accuracy": 1.0}, None)
        assert [w.split()[0] for w in run.warnings] == ["evaluations/step-000002.parquet", "rollouts/step-000001.parquet"]
    flip_in_line_of_step_2(tmp_path / "metrics.jsonl")
    with pytest.raises(InputError, match=r"metrics\.jsonl is damaged \(the line of step 2 is not what was written"):
        require_whole(tmp_path, "metrics.jsonl")


def test_a_finished_run_without_a_checkpoint_is_sealed_by_its_end(tmp_path):
    """As `evaluate` leaves one."""
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_evaluation(0, groups())
        run.log_step(0, {"eval/accuracy": 0.5})
        run.event("finish")
    for name, said in (("evaluations/step-000000.parquet", "is not what was written"), (FILE, "is not what was written")):
        shutil.copytree(tmp_path, tmp_path.with_name(f"copy {name[0]}"))
        copy = tmp_path.with_name(f"copy {name[0]}")
        flip(copy / name)
        before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
        with Run(copy, "toy", Settings()) as run:
            assert len(run.warnings) == 1 and run.warnings[0].startswith(f"{name} {said}")
        assert {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()} == before  # finished: left alone


def whole_bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*") if p.is_file() and p.name not in ("events.jsonl", "run.lock")
    }  # fmt: skip


@pytest.mark.parametrize("window", range(12))
def test_killed_between_a_file_and_its_digest_the_same_command_ends_with_the_same_bytes(tmp_path, monkeypatch, window):
    """Before the digest lines of each record of four steps, or with half of them written."""
    from sanmai.train.digests import Digests

    work(tmp_path / "whole", 4)
    add, calls = Digests.add, []

    class Killed(BaseException):
        pass

    def dying(self, step, files):
        if len(calls) == window:
            if window % 2:
                with (tmp_path / "run" / FILE).open("ab") as file:
                    file.write(b'{"step": 1, "file": "rol')
            raise Killed
        calls.append(step)
        add(self, step, files)

    monkeypatch.setattr(Digests, "add", dying)
    with pytest.raises(Killed):
        work(tmp_path / "run", 4)
    monkeypatch.setattr(Digests, "add", add)
    assert work(tmp_path / "run", 4) == []
    assert whole_bytes(tmp_path / "run") == whole_bytes(tmp_path / "whole")


def test_what_was_not_committed_has_no_digest_after_a_resume(tmp_path):
    work(tmp_path, 2)
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_step(3, {"reward/mean": 1.0}, groups())
    assert '"step": 3' in (tmp_path / FILE).read_text()
    with Run(tmp_path, "toy", Settings()) as run:
        assert run.warnings == []
    assert '"step": 3' not in (tmp_path / FILE).read_text() and '"step": 2' in (tmp_path / FILE).read_text()


def test_what_is_recorded_again_after_its_commit_has_one_line(tmp_path):
    """As red teaming does it, whose evaluation follows the last checkpoint: killed after it, it is done again."""
    work(tmp_path, 2)
    for _ in range(2):
        with Run(tmp_path, "toy", Settings()) as run:
            assert run.warnings == []
            run.log_evaluation(2, groups())
    assert (tmp_path / FILE).read_text().count('"evaluations/step-000002.parquet"') == 1


def forget_digests(folder: Path) -> None:
    """A folder as an older version made it."""
    (folder / FILE).unlink()
    for path in folder.glob("checkpoints/*/manifest.json"):
        manifest = json.loads(path.read_text())
        del manifest["digests"]
        path.write_text(json.dumps(manifest, indent=1) + "\n")
    lines = [{k: v for k, v in e.items() if k != "digests"} for e in events(folder)]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("finishes", [False, True], ids=["open", "finished"])
def test_a_run_of_an_older_version_is_read_goes_on_and_is_said_to_have_no_digests(tmp_path, finishes):
    work(tmp_path, 3, finishes=finishes)
    forget_digests(tmp_path)
    said = "no digests (an older version made this folder): damage to what it recorded cannot be told"
    found = load_run(tmp_path)
    assert said in found.problems and len(found.metrics) == 4 and len(found.evaluations) == 4 and len(found.rollout_files) == 3
    assert work(tmp_path, 3) == [said]
    assert work(tmp_path, 5) == [said]
    said = "steps before 4 have no digests (an older version did them): damage to them cannot be told"
    assert said in load_run(tmp_path).problems and work(tmp_path, 5) == [said]
    flip(tmp_path / "rollouts" / "step-000005.parquet")
    assert any(p.startswith("rollouts/step-000005.parquet is not what") for p in load_run(tmp_path).problems)


def test_going_back_to_the_checkpoint_before_takes_its_digests(tmp_path):
    work(tmp_path, 3)
    (tmp_path / "checkpoints" / "step-000003" / "model").write_text("damaged")
    assert len(work(tmp_path, 3)) == 1  # the checkpoint's own
    work(tmp_path.with_name("whole"), 3)
    assert whole_bytes(tmp_path) == whole_bytes(tmp_path.with_name("whole"))


@pytest.mark.parametrize("old, new", [('"digests"', '"digestr"'), ('"bytes"', '"bytez"'), ('"sha256"', '"sha257"')])
def test_a_manifest_whose_seal_cannot_be_read_is_a_damaged_checkpoint(tmp_path, old, new):
    work(tmp_path, 3)
    path = tmp_path / "checkpoints" / "step-000003" / "manifest.json"
    head, seal = path.read_text().split('"digests"')
    path.write_text(head + ('"digests"' + seal).replace(old, new))
    assert "checkpoint step-000003 is damaged (manifest.json" in work(tmp_path, 3)[0]
