"""A scorer in a process of its own is asked, lost, started again, disbelieved and ended."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sanmai.rewards.scorer import Asked, Scorer, ScorerConfig
from sanmai.rewards.scorer_records import Judged
from sanmai.types import InputError, RunError

STUB = Path(__file__).with_name("scorer_stub.py")
CLIP = np.arange(2 * 4 * 6, dtype=np.uint8).reshape(2, 4, 6, 1)


def command(how: str, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return shlex.join([sys.executable, str(STUB), how, str(folder)])


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


@pytest.fixture
def scorer(tmp_path):
    made = []

    def make(how: str, **settings) -> Scorer:
        made.append(Scorer(ScorerConfig(command=command(how, tmp_path / "told"), **settings), "reward.scorer"))
        return made[-1]

    yield make
    for one in made:
        one.close()
    for pid in (tmp_path / "told" / "starts").read_text().split():
        assert is_gone(int(pid)), "its process is left"


def test_a_batch_is_scored_by_name_and_the_process_is_kept(scorer, tmp_path):
    asked = scorer("well", at_once=2)
    found = asked.ask([Asked(f"prompt {k}", {"completion": "x" * k, "answer": "4"}) for k in range(5)])
    assert [dict(one.scores) for one in found] == [{"VQ": float(k), "TA": float(k)} for k in range(5)]
    assert asked.dimensions == ("VQ", "TA") and asked.told.startswith("Stub 1 (VQ, TA; digest ")
    assert (lines(tmp_path / "told" / "starts"), lines(tmp_path / "told" / "batches")) == (1, 3)  # 2 + 2 + 1 items
    assert asked.starts == 1 and asked.seconds > 0 and not asked.notes


def test_a_clip_is_shown_as_png_files_in_colour_that_are_gone_afterwards(scorer, tmp_path, monkeypatch):
    seen = []
    heard = Scorer._heard

    def look(self, process, request, key, *rest):
        if key == "batch":
            [item] = json.loads(request)["items"]
            seen.extend((np.asarray(Image.open(path)), Image.open(path).mode) for path in item["frames"])
        return heard(self, process, request, key, *rest)

    monkeypatch.setattr(Scorer, "_heard", look)
    scorer("well", fps=4.0).ask([Asked("a dot", clip_FHWC=CLIP)])
    assert [mode for _, mode in seen] == ["RGB", "RGB"]
    assert all((frame == CLIP[k]).all() for k, (frame, _) in enumerate(seen))  # grey three times over
    item = json.loads((tmp_path / "told" / "item.json").read_text())
    assert item["fps"] == 4.0 and item["prompt"] == "a dot" and not any(map(os.path.exists, item["frames"]))


@pytest.mark.parametrize(("how", "settings", "why"), [
    ("dies_once", {}, "it ended over a batch of 1, with 'CUDA out of memory'"),
    ("hangs_once", {"seconds": 0.7}, "a batch of 1 took more than 0.7 s"),
])  # fmt: skip
def test_one_that_is_lost_once_is_started_again_and_that_is_told(scorer, tmp_path, how, settings, why):
    warnings = []
    judge = Judged(scorer(how, **settings), None, warnings.append)
    [verdicts] = judge([Asked("p", {"completion": "four"})])
    assert verdicts["TA"].score == 4.0 and lines(tmp_path / "told" / "starts") == 2
    assert len(warnings) == 1 and warnings[0].endswith(f"started again, because {why}")
    assert judge.told()["starts"] == 2


@pytest.mark.parametrize(("how", "settings", "why"), [
    ("dies", {}, "no scores of 1 items in 2 tries; at last it ended over a batch of 1, with 'CUDA out of memory'"),
    ("hangs", {"seconds": 0.5}, "no scores of 1 items in 2 tries; at last a batch of 1 took more than 0.5 s"),
    ("other_after_death", {}, "it is another scorer now, Stub 2; expected Stub 1, of the same files"),
])  # fmt: skip
def test_one_that_is_lost_again_and_again_ends_the_run_in_a_sentence(scorer, how, settings, why):
    with pytest.raises(RunError, match=f"reward.scorer.command .*{why}"):
        scorer(how, tries=2, **settings).ask([Asked("p", {"completion": "four"})])


@pytest.mark.parametrize(("how", "settings", "why"), [
    ("dies_at_load", {}, "it ended before it was loaded, with 'no weights in checkpoint/model.pth'"),
    ("loads_for_ever", {"start_seconds": 0.7}, "its start took more than 0.7 s"),
    ("never_stops", {"start_seconds": 0.7}, "its start took more than 0.7 s"),
    ("nothing_of_itself", {"start_seconds": 0.7}, "its start took more than 0.7 s"),
    ("no_list", {}, "of itself; expected"),
])  # fmt: skip
def test_one_that_cannot_be_loaded_is_refused_before_anything_is_drawn(scorer, how, settings, why):
    with pytest.raises(InputError, match=why):
        scorer(how, **settings).start()


@pytest.mark.parametrize(("how", "why"), [
    ("fewer", "1 scores for 2 items"),
    ("lies", "it scored '9/9', which it was not asked about; expected each of 1/0 to 1/1 once"),
    ("twice", "it scored '1/0', a second time"), ("nan", "it gave nan for TA of 1/0"), ("huge", "it gave 1000+ for TA"),
    ("text", "it gave '0.5' for TA"),
    ("true", "it gave True for TA"), ("lacks", "expected a number or null for VQ, TA"), ("stale", '"batch": 1'),
])  # fmt: skip
def test_an_answer_that_is_none_is_not_believed(scorer, how, why):
    with pytest.raises(RunError, match=why):
        scorer(how).ask([Asked("p", {"completion": "four"}), Asked("p", {"completion": "five!"})])


def test_chatter_and_a_flood_of_errors_are_passed_over_and_told_once(scorer):
    warnings = []
    judge = Judged(scorer("noisy"), None, warnings.append)
    for k in range(3):
        [verdicts] = judge([Asked("p", {"completion": "x" * k})])
        assert verdicts["VQ"].score == float(k)
    assert len(warnings) == 1 and "Loading checkpoint shards" in warnings[0]
    assert judge.scorer._process is not None and len(judge.scorer._process._errors) <= 4096


def test_one_that_writes_more_than_a_pipe_holds_before_it_reads_is_answered(scorer):
    items = [Asked("p" * 50_000, {"completion": "four"})] * 8
    assert [one.scores["VQ"] for one in scorer("writes_first", seconds=20.0, tries=1).ask(items)] == [4.0] * 8


def test_a_reason_that_no_file_or_terminal_should_hold_is_made_plain(scorer):
    [said] = scorer("unprintable").ask([Asked("p", {"completion": "four"})])
    assert said.reason == "  [2Jdark"


def test_it_is_not_told_what_this_python_reads(monkeypatch):
    code = 'import json, os, sys; print(json.dumps({"scorer": "S", "version": os.environ.get("PYTHONPATH", "none") + ' \
        'os.environ["MINE"], "dimensions": ["x"]}), flush=True); sys.stdin.read()'
    monkeypatch.setenv("PYTHONPATH", "/of/another")
    monkeypatch.setenv("MINE", "!")
    asked = Scorer(ScorerConfig(command=shlex.join([sys.executable, "-c", code])), "x")
    asked.start()
    asked.close()
    assert asked.version == "none!"


def test_null_cannot_be_graded_and_says_why(scorer):
    judge = Judged(scorer("null"), None, pytest.fail)
    first, second = judge([Asked("p", {"completion": "four"}), Asked("p", {"completion": "five!"})])
    assert (first["TA"].score, first["TA"].label, first["TA"].reason) == (None, "ungradable", "Stub: too dark")
    assert first["VQ"].score == 4.0 and second["TA"].score == 5.0
    assert judge.told()["ungraded"] == 1


def test_what_was_said_once_is_recorded_and_not_asked_anew(scorer, tmp_path):
    items = [Asked("p", clip_FHWC=CLIP), Asked("q", clip_FHWC=CLIP), Asked("p", clip_FHWC=CLIP + 1), Asked("p", clip_FHWC=CLIP)]
    first = Judged(scorer("random"), tmp_path / "judged", pytest.fail)(items)
    values = [one["VQ"].score for one in first]
    assert values[0] == values[3] and len(set(values)) == 3  # prompt and pixels make an item
    again = Judged(scorer("random"), tmp_path / "judged", pytest.fail)
    assert again(items) == first and lines(tmp_path / "told" / "batches") == 1
    assert again.told()["recorded"] == 4
    other = Judged(scorer("random", fps=2.0), tmp_path / "judged", pytest.fail)
    assert other(items[:1]) != first[:1]


def test_a_record_that_was_damaged_is_asked_anew(scorer, tmp_path):
    items = [Asked("p", clip_FHWC=CLIP)]
    first = Judged(scorer("random"), tmp_path / "judged", pytest.fail)(items)
    [entry] = (tmp_path / "judged").rglob("*.json")
    entry.write_bytes(entry.read_bytes()[:-9])
    assert Judged(scorer("random"), tmp_path / "judged", pytest.fail)(items) != first


def test_the_digest_is_of_the_files_in_the_command_wherever_they_lie(tmp_path):
    digests = []
    for name, text in (("a", "print(1)"), ("b", "print(1)"), ("c", "print(2)")):
        (tmp_path / name).write_text(text)
        digests.append(Scorer(ScorerConfig(command=f"{sys.executable} {tmp_path / name}"), "x").digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_script_that_is_started_by_its_name_is_one_of_the_files_and_a_word_may_be_long(tmp_path):
    script, digests = tmp_path / "score.sh", []
    for text in ("#!/bin/sh\necho 1", "#!/bin/sh\necho 2"):
        script.write_text(text)
        script.chmod(0o755)
        digests.append(Scorer(ScorerConfig(command=shlex.join([str(script), "x" * 5000])), "x").digest)
    assert digests[0] != digests[1]


def test_a_file_that_was_changed_is_not_what_is_started_again(tmp_path):
    (tmp_path / "told").mkdir()
    script = tmp_path / "mine.py"
    script.write_text(STUB.read_text())
    asked = Scorer(ScorerConfig(command=shlex.join([sys.executable, str(script), "dies_once", str(tmp_path / "told")])), "x")
    asked.start()
    script.write_text(STUB.read_text() + "\n")
    with pytest.raises(RunError, match="it is another scorer now, Stub 1; expected Stub 1, of the same files"):
        asked.ask([Asked("p", {"completion": "four"})])
    asked.close()


def test_a_disk_without_room_for_clips_is_a_sentence(scorer, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match=r"clips cannot be written there \(No space left on device"):
        scorer("well").ask([Asked("a dot", clip_FHWC=CLIP)])


@pytest.mark.parametrize(("text", "why"), [
    ("no-such-command at all", "no-such-command is no command"), ("'", "cannot be read as a command"),
    ("", "nothing is no command"),
])  # fmt: skip
def test_a_command_that_names_nothing_is_refused(text, why):
    with pytest.raises(InputError, match=why):
        Scorer(ScorerConfig(command=text), "reward.scorer")


def test_an_interrupted_question_leaves_no_answer_for_the_next_one(scorer, monkeypatch, tmp_path):
    asked = scorer("well")
    asked.start()

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sanmai.rewards.scorer._read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            asked.ask([Asked("p", {"completion": "four"})])
    assert asked.ask([Asked("p", {"completion": "five!"})])[0].scores["VQ"] == 5.0
    assert lines(tmp_path / "told" / "starts") == 2


PARENT = """
import os, signal, sys, time
from sanmai.rewards.scorer import Asked, ScorerConfig, scorer_of
scorer = scorer_of(ScorerConfig(command=sys.argv[1]), "reward.scorer")
scorer.start()
print("ready", flush=True)
scorer.ask([Asked("p", {"completion": "four"})])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part of it is Linux's")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_hangs_ends_with_whoever_asked_it_though_another_program_started_it(tmp_path, number):
    words = command("hangs", tmp_path / "told")
    asks = subprocess.Popen(
        [sys.executable, "-c", PARENT, shlex.join(["sh", "-c", f"{words}; true"])], stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert asks.stdout and asks.stdout.readline() == b"ready\n"
    pid = int((tmp_path / "told" / "starts").read_text())
    assert not is_gone(pid)
    os.kill(asks.pid, number)
    asks.wait(20)
    asks.stdout.close()
    end = time.monotonic() + 20
    while not is_gone(pid):
        assert time.monotonic() < end, "it outlives who asked"
        time.sleep(0.02)


SIGNALS = """
import json, signal, sys
blocked, deaf = signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
print(json.dumps({"scorer": "s", "dimensions": ["deaf"]}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    rows = [{"id": item["id"], "scores": {"deaf": len(blocked) + deaf}} for item in asked["items"]]
    print(json.dumps({"batch": asked["batch"], "scores": rows}), flush=True)
"""


def test_it_hears_what_ends_processes_as_do_those_that_it_starts():
    asked = Scorer(ScorerConfig(command=shlex.join([sys.executable, "-c", SIGNALS])), "reward.scorer")
    try:
        assert asked.ask([Asked("p", {"completion": "four"})])[0].scores == {"deaf": 0.0}
    finally:
        asked.close()
