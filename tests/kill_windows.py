"""Kill a command at every change that it makes to its folder, repeat it, and compare with one that was never killed.

A forked child runs the command with an audit hook that counts the changes: files opened for writing, renamed or removed, folders
made or removed. At the chosen one it kills itself before the change or (torn) with the new file empty; or from there on every
change fails, as on a full disk. Nothing in the product knows of this. What libraries write without Python is not seen, but lies
between changes that are. Linux only.

    python tests/kill_windows.py zero                   every window of run zero, three ways
    python tests/kill_windows.py r1 --sample 20         the windows of the folder's beginning, and 20 of the others
    python tests/kill_windows.py r1 --part 1/8          the first eighth of all; parts can be run side by side
    python tests/kill_windows.py r1-whole --ways before torn --sample 60 --snapshots      all stages; see below

With --snapshots one undisturbed run copies its folder at the chosen changes, as a kill there would leave it, and only what
follows is run for each: half the time. (A full disk cannot be had so.)
"""

import argparse
import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

COMMANDS = {
    "zero": ["run", "zero", "num_steps=3", "prompts_per_step=2", "rollouts_per_prompt=2", "problems.world.heldout=2",
             "sampling.max_tokens=12", "evaluation.every=2", "checkpoints.every=1"],
    "r1": ["run", "r1", "--until", "zero", "data.cold_start_limit=8", "data.reasoning_limit=8", "data.demonstrations_limit=8",
           "data.evaluation_limit=2", "reasoning.num_steps=2", "reasoning.prompts_per_step=2", "reasoning.rollouts_per_prompt=2",
           "reasoning.problems.evaluation_limit=2", "reasoning.sampling.max_tokens=12"],
    "r1-whole": ["run", "r1", *(
        f"{stage}.{setting}" for stage, settings in (
            ("data", ("cold_start_limit=8", "reasoning_limit=16", "demonstrations_limit=8", "evaluation_limit=2")),
            *((stage, ("num_steps=1", "prompts_per_step=4", "rollouts_per_prompt=2", "problems.evaluation_limit=2",
                       "sampling.max_tokens=12")) for stage in ("reasoning", "scenarios", "student_rl")),
            *((stage, ("epochs=1.0", "demonstrations_per_step=8", "problems.evaluation_limit=2"))
              for stage in ("cold_start", "sft", "student")),
            *((stage, ("epochs=1.0", "preferences.world.train=16", "preferences.world.heldout=8"))
              for stage in ("helpfulness", "harmlessness")),
            ("rejection", ("problems.limit=8",)), ("lessons", ("problems.limit=16",)),
            ("student_base", ("num_steps=1", "world.heldout=4")),
            ("student_on_policy", ("num_steps=1", "prompts_per_step=4", "problems.evaluation_limit=2")),
        ) for setting in settings)],
}  # fmt: skip
WAYS = ("before", "torn", "full disk")
_CHANGES = {"os.mkdir": 0, "os.rename": 1, "os.remove": 0, "os.rmdir": 0, "os.link": 1, "os.symlink": 1}
"""Audit events, and which of their arguments is the path that changes."""


class Changes:
    """The changes that this process makes below a folder; `act` is called with the number and the path before each.

    An audit hook stays for the life of its process, so there is one of these in each.
    """

    def __init__(self, folder: Path, act: Callable[[int, str, str], None]) -> None:
        self._folder, self._act, self._number, self._is_acting = os.path.realpath(folder), act, 0, False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                return
        elif event in _CHANGES:
            path = arguments[_CHANGES[event]]
        else:
            return
        if self._is_acting or not isinstance(path, str | bytes | os.PathLike):
            return
        path = os.fsdecode(path)
        if event in ("os.remove", "os.rmdir") and arguments[1] >= 0:  # relative to an open folder, as shutil.rmtree does
            path = os.path.join(os.readlink(f"/proc/self/fd/{arguments[1]}"), path)
        path = os.path.abspath(path)
        if path == self._folder or path.startswith(self._folder + os.sep):
            self._number += 1
            self._is_acting = True
            try:
                self._act(self._number, event, path)
            finally:
                self._is_acting = False


def run(command: list[str], folder: Path, said: Path, act: Callable[[int, str, str], None] | None = None) -> int:
    """Exit code of the command in a child, -9 if it was killed; what it says goes to a file."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(folder.parent)  # what is made may say from which model: all are called by one name
            sys.argv = ["sanmai", *command, "--out", folder.name]
            if act is not None:
                Changes(folder, act)
            from sanmai.cli import main

            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            sys.stdout.flush()
            said.with_suffix(".modules").write_text("\n".join(sys.modules))
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stopping_at(window: int, way: str) -> Callable[[int, str, str], None]:
    def act(number: int, event: str, path: str) -> None:
        if number < window:
            return
        if way == "full disk":
            if event in ("open", "os.mkdir", "os.rename"):
                raise OSError(28, "No space left on device", path)
            return
        if way == "torn" and event == "open":
            Path(path).open("ab").close()
        os.kill(os.getpid(), signal.SIGKILL)

    return act


def changes_of(command: list[str], folder: Path, said: Path, wanted: frozenset[int] = frozenset()) -> list[str]:
    """Every change of an undisturbed run, in order; before each wanted one a copy of the folder, `at-NUMBER` beside it."""
    listed = said.with_suffix(".list")
    listed.unlink(missing_ok=True)

    def act(number: int, event: str, path: str) -> None:
        with listed.open("a") as file:
            file.write(f"{event} {os.path.relpath(path, folder)}\n")
        if number in wanted:
            shutil.copytree(folder, folder.parent / f"at-{number}", symlinks=True)

    assert run(command, folder, said, act) == 0, said.read_text()
    return listed.read_text().splitlines()


def contents(folder: Path) -> dict[str, bytes]:
    """What has to be the same: all but times, process ids, places, and the report and a pipeline's table, which show them."""
    unlike = ("events.jsonl", "run.lock", "report.html", "environment.json", "table.md")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in unlike
    }  # fmt: skip


def try_window(
    command: list[str], root: Path, window: int, way: str, expected: dict[str, bytes], change: str
) -> str | None:
    """What is wrong after a stop in this window, or None."""
    place = root / "place"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    folder, said = place / "out", root / "said.txt"
    snapshot = root / "snapshots" / f"at-{window}"
    if snapshot.is_dir():
        shutil.copytree(snapshot, folder, symlinks=True)
        code = -signal.SIGKILL
        if way == "torn":
            torn = folder / change.partition(" ")[2]
            torn.parent.mkdir(parents=True, exist_ok=True)
            torn.open("ab").close()
    else:
        code = run(command, folder, said, stopping_at(window, way))
    if way != "full disk" and code != -signal.SIGKILL:
        return f"was not killed: exit code {code}: {said.read_text()[-300:]}"
    if way == "full disk" and "Traceback" in said.read_text():
        return f"a traceback: {said.read_text()[-600:]}"
    if code := run(command, folder, said):
        return f"the same command ended with {code}: {said.read_text()[-300:]}"
    found = contents(folder)
    wrong = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    return f"other bytes: {', '.join(wrong[:5])}" if wrong else None


def windows_of(changes: list[str], sample: int | None) -> list[int]:
    """Numbers of changes: all of the beginning (up to the first metrics), and a sample of the others."""
    first = next((k for k, text in enumerate(changes, 1) if "metrics.jsonl" in text), len(changes))
    later = list(range(first + 1, len(changes) + 1))
    if sample is not None and sample < len(later):
        later = sorted(random.Random(sample).sample(later, sample))
    return [*range(1, first + 1), *later]


def part_of(windows: list[int], text: str) -> list[int]:
    """Every n-th window from the k-th, of "k/n"."""
    k, n = (int(word) for word in text.split("/"))
    if not 1 <= k <= n:
        raise SystemExit(f"--part {text}: expected k/n with k from 1 to n, such as 1/8")
    return windows[k - 1 :: n]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--part", default="1/1", help="k/n: of those, every n-th from the k-th")
    parser.add_argument("--snapshots", action="store_true", help="copy the folder at the changes instead of running up to each")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    given = parser.parse_args()
    words = COMMANDS[given.command]
    command = [part for word in words for part in (["--set", word] if "=" in word else [word])]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "whole").mkdir()
        changes = changes_of(command, root / "whole" / "out", root / "said.txt")
        expected = contents(root / "whole" / "out")
        for module in (root / "said.modules").read_text().split("\n"):  # once here, not again in every child
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        tried, windows = 0, part_of(windows_of(changes, given.sample), given.part)
        if given.snapshots:
            if "full disk" in given.ways:
                raise SystemExit("--snapshots has no full disk: give --ways before torn")
            (root / "snapshots").mkdir()
            changes_of(command, root / "snapshots" / "out", root / "said.txt", frozenset(windows) - {1})
        for window in windows:
            for way in given.ways:
                if way == "torn" and not changes[window - 1].startswith("open"):
                    continue
                tried += 1
                if wrong := try_window(command, root, window, way, expected, changes[window - 1]):
                    print(json.dumps({"window": window, "way": way, "change": changes[window - 1], "wrong": wrong}), flush=True)
                print(f"{tried}: window {window}, {way}", end="\r", file=sys.stderr, flush=True)
    print(f"{len(changes)} changes, {tried} stops tried", flush=True)


if __name__ == "__main__":
    main()
