"""Scorers in a process of their own: a command that reads lines of JSON and writes lines of JSON, in whatever Python it needs.

    {"scorer": "VideoReward", "version": "1", "dimensions": ["VQ", "MQ", "TA"]}          the scorer, once it is loaded
    {"batch": 1, "items": [{"id": "1/0", "prompt": "a cat runs", "frames": ["/tmp/x/0-000.png", ...], "fps": 8.0}]}   Sanmai
    {"batch": 1, "scores": [{"id": "1/0", "scores": {"VQ": 0.3, "MQ": null, "TA": -1.2}, "reason": "too dark"}]}  the scorer

An item is a clip or picture (`frames`: PNG files in RGB, which are gone once the batch is answered; `fps`) or a text
(`completion`); `answer` is there where the problem has one. Every item is answered once, in each dimension by a finite number or
by null, "cannot be graded", for which `reason` says why. The process is kept warm until Sanmai ends or closes its standard input.
Other lines on standard output are passed over; standard error is free.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import hashlib
import json
import os
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from sanmai.config import Config, OnlyWith, is_script
from sanmai.data.png import png
from sanmai.sandbox import LineProcess, own_limit
from sanmai.scratch import scratch
from sanmai.types import InputError, RunError

OCR = "ocr"
"""The command that stands for the scorer of rendered text that comes along (rewards/ocr.py)."""
_MAX_LINE_BYTES = 16 << 20
_MAX_HASHED_BYTES = 64 << 20
_NOT_ITS_OWN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
"""Of the environment: what this Python reads, and another one must not."""


class ScorerConfig(Config):
    command: str | None = None
    """What starts the scorer, such as "/opt/videoreward/bin/python videoreward.py checkpoint" (rewards/scorer.py has the
    protocol); or "ocr", which reads the text in pictures (extra `ocr`)."""
    start_seconds: float = Field(600.0, gt=0, le=86400)
    """Time limit from its start until it says that it is loaded."""
    seconds: float = Field(300.0, gt=0, le=86400)
    """Time limit of a batch."""
    at_once: int = Field(8, ge=1, le=4096)
    """Items of a batch at most."""
    tries: int = Field(3, ge=1, le=100)
    """Starts for one batch at most: a scorer that ends or takes too long is started again."""
    fps: float = Field(8.0, gt=0)
    """Frames per second that clips are said to have."""

    only_with = (
        OnlyWith("command", lambda c: c.command is not None, "start_seconds", "seconds", "at_once", "tries", "fps"),
    )


@dataclass(frozen=True)
class Asked:
    """What is scored."""

    prompt: str
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the item, plain JSON."""
    clip_FHWC: np.ndarray | None = None
    """Values of a byte, C = 1 or 3."""


@dataclass(frozen=True)
class Said:
    """What a scorer says of one item: a number or None per dimension."""

    scores: Mapping[str, float | None]
    reason: str


class Scorer:
    """One process, started when it is first needed and again when it is lost. Of any thread, one at a time.

    Example:
        scorer = scorer_of(ScorerConfig(command="python3 mine.py"), "reward.scorer")
        scorer.ask([Asked("a cat runs", clip_FHWC=frames)])   # [Said({"VQ": 0.3}, "")]
    """

    def __init__(self, config: ScorerConfig, where: str) -> None:
        """Args:
            where: the section of the settings, for messages.

        Raises:
            InputError: the command is empty or names nothing that can be started.
        """
        self.config, self.where = config, where
        self._words = _words(config, where)
        self._files = _files_digest(self._words)
        self._lock = threading.Lock()
        # Who starts a process and ends takes it along (PR_SET_PDEATHSIG): one lasting thread starts it each time.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        self._process: LineProcess | None = None
        self._batch = 0
        self.name, self.version, self.dimensions = "", "", ()
        self.notes: list[str] = []
        """What nobody was told of yet: starts after the first, and lines on standard output that are no answers."""
        self.starts, self.seconds = 0, 0.0
        """Of it since that was last told: how often it was started, and for how long it was waited for."""
        self._has_chattered = False

    dimensions: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of the command, the files in it, and what the scorer says of itself; not of folders that it names or files it reads."""
        itself = json.dumps([self._files, self.name, self.version, self.dimensions])
        return hashlib.sha256(itself.encode()).hexdigest()[:12]

    @property
    def told(self) -> str:
        """Name, version, dimensions and digest; of one that was started."""
        version = f" {self.version}" if self.version else ""
        return f"{self.name}{version} ({', '.join(self.dimensions)}; digest {self.digest})"

    def start(self) -> None:
        """Start it unless it runs.

        Raises:
            InputError: it ends before it is loaded, takes too long, or says something else than what it is.
        """
        with self._lock:
            try:
                self._running()
            except _LostError as error:
                raise InputError(f"{self._named}: {error}") from None

    def ask(self, items: Sequence[Asked]) -> list[Said]:
        """What it says of each, in order.

        Raises:
            RunError: it was lost `tries` times over one batch, or its answer is not one number or null per item and dimension.
        """
        found: list[Said] = []
        with own_limit(), self._lock:
            for k in range(0, len(items), self.config.at_once):
                try:
                    found += self._ask(items[k : k + self.config.at_once])
                except BaseException:  # an interrupt between question and answer: the next answer would be the wrong one
                    self._stop()
                    raise
        return found

    def close(self) -> None:
        """End the process; a later question starts it again."""
        with self._lock:
            self._stop()

    @property
    def _named(self) -> str:
        command = shlex.join(self._words)
        return f"{self.where}.command ({command if len(command) <= 120 else command[:117] + '...'})"

    def _ask(self, items: Sequence[Asked]) -> list[Said]:
        lost = ""
        for _ in range(self.config.tries):
            try:
                process = self._running()
                return self._answer(process, items)
            except _LostError as error:
                lost = str(error)
                self._stop()
                self.notes.append(f"{self._named}: started again, because {lost}")
        self.notes.pop()  # that it is started again
        raise RunError(f"{self._named}: no scores of {len(items)} items in {self.config.tries} tries; at last {lost}")

    def _answer(self, process: LineProcess, items: Sequence[Asked]) -> list[Said]:
        self._batch += 1
        ids = [f"{self._batch}/{k}" for k in range(len(items))]
        deadline = time.monotonic() + self.config.seconds
        with scratch() as folder:
            asked = [{"id": id_, "prompt": item.prompt, **_frames(item, folder, k, self.config.fps), **item.more}
                     for k, (id_, item) in enumerate(zip(ids, items, strict=True))]  # fmt: skip
            request = json.dumps({"batch": self._batch, "items": asked}).encode() + b"\n"
            answer = self._heard(process, request, "batch", deadline, f"a batch of {len(items)}")
        try:
            return _read(answer, self._batch, ids, self.dimensions)
        except ValueError as error:
            raise RunError(f"{self._named}: {error}") from None

    def _running(self) -> LineProcess:
        if self._process is not None:
            return self._process
        began, before = time.monotonic(), (self.name, self.version, self.dimensions)
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_ITS_OWN}
        try:
            self._process = self._starter.submit(LineProcess, _tied(self._words), env=environment, hears_stops=True).result()
        except OSError as error:
            raise _LostError(f"it cannot be started ({error.strerror or error})") from None
        try:
            said = self._heard(self._process, b"", "scorer", began + self.config.start_seconds, "its start")
            self.name, self.version, self.dimensions = _read_itself(said)
        except BaseException as error:
            self._stop()
            if isinstance(error, ValueError):
                raise InputError(f"{self._named}: {error}") from None
            raise
        self.starts += 1
        if before[0] and (before, self._files) != ((self.name, self.version, self.dimensions), _files_digest(self._words)):
            self._stop()
            now = f"{self.name} {self.version}"
            raise RunError(f"{self._named}: it is another scorer now, {now}; expected {' '.join(before[:2])}, of the same files")
        return self._process

    def _heard(self, process: LineProcess, request: bytes, key: str, deadline: float, what: str) -> dict[str, Any]:
        """The next line that is an object with this key. Raises _LostError: it did not come."""
        limit, began = self.config.start_seconds if key == "scorer" else self.config.seconds, time.monotonic()
        try:
            process.write(request, deadline)
            while True:
                line = process.read_line(deadline, most=_MAX_LINE_BYTES)
                with contextlib.suppress(ValueError, RecursionError):
                    found = json.loads(line)
                    if isinstance(found, dict) and key in found:
                        return found
                self._note_chatter(line)
                if time.monotonic() > deadline:  # of one that never stops there is always another line
                    raise TimeoutError
        except TimeoutError:
            raise _LostError(f"{what} took more than {limit:g} s") from None
        except (OSError, EOFError, ValueError) as error:
            process.stop()
            said = process.last_words()
            why = f"with {said!r}" if said else f"without a word on standard error ({error})"
            raise _LostError(f"it ended {'before it was loaded' if key == 'scorer' else f'over {what}'}, {why}") from None
        finally:
            self.seconds += time.monotonic() - began

    def _note_chatter(self, line: bytes) -> None:
        if not self._has_chattered:
            self._has_chattered = True
            shown = line[:80].decode("utf-8", "replace")
            self.notes.append(f"{self._named}: writes what is no answer to standard output, which is passed over: {shown!r}")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop()


class _LostError(Exception):
    """Why a process gave no answer: it ended or took too long."""


_OPEN: dict[tuple[int, str, str], Scorer] = {}
_LOCK = threading.Lock()


def scorer_of(config: ScorerConfig, where: str) -> Scorer:
    """This process's scorer by these settings: the stages of a pipeline share it.

    Raises:
        InputError: as Scorer.
    """
    key = (os.getpid(), where, config.model_dump_json())
    with _LOCK:
        if key not in _OPEN:
            if not _OPEN:
                atexit.register(close_all)
            _OPEN[key] = Scorer(config, where)
        return _OPEN[key]


def close_all() -> None:
    """End the scorers that this process has started, not those of one that it was forked from."""
    with _LOCK:
        for (pid, *_), scorer in _OPEN.items():
            if pid == os.getpid():
                scorer.close()


def _words(config: ScorerConfig, where: str) -> list[str]:
    try:
        words = shlex.split(config.command or "")
    except ValueError as error:
        raise InputError(f"{where}.command = {config.command!r}: cannot be read as a command ({error})") from None
    if words == [OCR]:
        return [sys.executable, "-I", str(Path(__file__).with_name("ocr.py"))]
    if not words or "\0" in "".join(words) or shutil.which(words[0]) is None:
        shown = words[0] if words else "nothing"
        raise InputError(f"{where}.command = {config.command!r}: {shown} is no command that can be started")
    return words


def _files_digest(words: Sequence[str]) -> str:
    """Of a command and the files in it, wherever they lie; of what starts it by its name, unless that is a script.

    Raises:
        InputError: one of them cannot be read.
    """
    sha = hashlib.sha256()
    for number, word in enumerate(words):
        path = word if number else shutil.which(word) or word
        is_read = os.path.isfile(path) and (is_script(path) if not number else os.path.getsize(path) <= _MAX_HASHED_BYTES)
        try:
            sha.update((Path(path).read_bytes() if is_read else (word if number else Path(word).name).encode()) + b"\0")
        except OSError as error:
            raise InputError(f"{path}: a file of a scorer's command cannot be read ({error.strerror or error})") from None
    return sha.hexdigest()


def named_from(command: str | None, name: Callable[[str], str]) -> str | None:
    """A command whose words, paths among them, are called from another folder."""
    if command is None or command.strip() == OCR:
        return command
    return shlex.join(name(word) for word in shlex.split(command))


_TIE = """
import ctypes, os, select, sys
ctypes.CDLL(None).prctl(1, 9)
asker, me = int(sys.argv[1]), os.getpid()
if os.getppid() != asker:
    sys.exit()
try:
    ends = [os.pidfd_open(asker), os.pidfd_open(me)]
except OSError:
    ends = []
if ends and os.fork() == 0:
    if os.fork() == 0:
        os.closerange(0, 3)
        looks = select.poll()
        for end in ends:
            looks.register(end, select.POLLIN)
        if looks.poll()[0][0] == ends[0]:
            os.killpg(0, 9)
    os._exit(0)
if ends:
    os.wait()
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Becomes the command, having asked the kernel to be killed with its parent (PR_SET_PDEATHSIG). Beside it a process waits
for the end of either; at the parent's it kills the group: what the command started, as `conda run` and `uv run` do."""


def _tied(words: Sequence[str]) -> list[str]:
    """The command, as one that with all it starts does not outlive this process; elsewhere than on Linux it is left as it is."""
    if sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "prctl"):
        return list(words)
    return [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *words]


def _frames(item: Asked, folder: Path, number: int, fps: float) -> dict[str, Any]:
    """The fields of a clip, whose frames are written."""
    if item.clip_FHWC is None:
        return {}
    paths = [folder / f"{number}-{f:03d}.png" for f in range(len(item.clip_FHWC))]
    for path, frame_HWC in zip(paths, item.clip_FHWC, strict=True):
        colour_HWC = frame_HWC if frame_HWC.shape[2] == 3 else np.repeat(frame_HWC, 3, axis=2)
        try:
            path.write_bytes(png(colour_HWC[None]))
        except OSError as error:
            raise RunError(f"{folder}: a scorer's clips cannot be written there ({error.strerror or error})") from None
    return {"frames": [str(path) for path in paths], "fps": fps}


def _read_itself(said: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    """Name, version and dimensions; ValueError says what is wrong."""
    name, version, dimensions = said["scorer"], said.get("version", ""), said.get("dimensions")
    is_list = isinstance(dimensions, list) and dimensions and all(isinstance(d, str) and d.isidentifier() for d in dimensions)
    if not isinstance(name, str) or not name or not isinstance(version, str) or not is_list:
        raise ValueError(
            f'it says {json.dumps(said)[:160]} of itself; expected {{"scorer": NAME, "version": TEXT, "dimensions": [NAMES]}}'
        )
    if len(set(dimensions)) < len(dimensions):
        raise ValueError(f"it has a dimension twice: {', '.join(dimensions)}")
    return _printable(name)[:80], _printable(version)[:200], tuple(dimensions)


def _printable(text: str) -> str:
    """Without what a terminal would obey and a file could not hold: control characters, halves of characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def _read(answer: Mapping[str, Any], batch: int, ids: Sequence[str], dimensions: Sequence[str]) -> list[Said]:
    """The scores in the order of ids; ValueError says what is wrong."""
    rows = answer.get("scores")
    if answer["batch"] != batch or not isinstance(rows, list):
        raise ValueError(f'it answered {json.dumps(answer)[:120]}; expected {{"batch": {batch}, "scores": [...]}}')
    if len(rows) != len(ids):
        raise ValueError(f"it gave {len(rows)} scores for {len(ids)} items")
    found: dict[str, Said] = {}
    for row in rows:
        own = str(row.get("id")) if isinstance(row, dict) else ""
        if own not in ids or own in found:
            what = "a second time" if own in found else "which it was not asked about"
            raise ValueError(f"it scored {own!r}, {what}; expected each of {ids[0]} to {ids[-1]} once")
        found[own] = Said(dict(_scores(row, own, dimensions)), _printable(str(row.get("reason") or ""))[:300])
    return [found[own] for own in ids]


def _scores(row: Mapping[str, Any], own: str, dimensions: Sequence[str]) -> Iterator[tuple[str, float | None]]:
    scores = row.get("scores")
    if not isinstance(scores, dict) or set(scores) != set(dimensions):
        raise ValueError(f"it scored {own} by {json.dumps(scores)[:120]}; expected a number or null for {', '.join(dimensions)}")
    for name in dimensions:
        value = scores[name]
        if value is None:
            yield name, None
        elif isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e18:  # nan is not, either
            raise ValueError(f"it gave {value!r} for {name} of {own}; expected a finite number, or null for ungradable")
        else:
            yield name, float(value)
