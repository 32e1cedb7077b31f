"""The run folder: what a run was, what it did, and where it goes on.

Everything that a rerun must reproduce bit for bit (weights, metrics, rollouts) is kept apart from what it cannot (clock times,
in events.jsonl). A step is committed by its checkpoint: on resume, whatever is newer than the newest good checkpoint is
dropped and done again, with the same result because all randomness is keyed by step (laws 6 and 7). Metrics, rollouts and
events are written in the background, in order; a checkpoint waits until all that was recorded before it is on the disk, and seals
the digests of it (train/digests.py).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import json
import os
import re
import shutil
import signal
import tomllib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from sanmai.config import Config, OnlyWith, differing_keys, named_in
from sanmai.older import as_of, words
from sanmai.policies.text.checkpoints import (
    KEPT_STATE,
    STATE,
    checkpoint_folders,
    drop_old_checkpoints,
    newest_good_checkpoint,
    stamp,
    step_of,
    sync,
    write_checkpoint,
)
from sanmai.train import digests
from sanmai.train.best import FILE as BEST
from sanmai.train.best import Best, Sense, best_of
from sanmai.train.digests import step_in
from sanmai.train.places import here
from sanmai.train.records import write_rollouts, write_table
from sanmai.train.seen import Seen, carried, files_named, write_seen
from sanmai.train.stops import Stop, handling
from sanmai.train.writer import Writer
from sanmai.types import Drawn, Group, InputError, Metrics, RunError

_BEGINNINGS = frozenset({"run.lock", "rollouts", "evaluations", "checkpoints", ".partial-config.toml"})
"""What a kill or a full disk can leave of a run folder before it has its config.toml."""
_RECORDED = ("rollouts", "evaluations", "probes", "trees")
"""Folders with a file per step."""


class CheckpointsConfig(Config):
    every: int = Field(10, ge=1)
    """Steps between checkpoints; a kill loses at most this many."""
    keep: int = Field(2, ge=2)
    """Newest checkpoints kept; two at least, so that a corrupted one leaves another."""
    best: str | None = None
    """A metric, such as "eval/accuracy": the checkpoint with the best value of it is kept too, and named in best.json. A step
    without that number, which is not evaluated, is never the best."""
    best_is: Sense = "largest"
    """Which value is the best."""

    only_with = (OnlyWith("best", lambda c: c.best is not None, "best_is"),)

    def words(self) -> str:
        """What is kept, for a plan."""
        return f"the newest {self.keep} are kept" + (f", and the one with the {self.best_is} {self.best}" if self.best else "")


Listener = Callable[["Run", int, Metrics], bool | None]
"""Called with a run, a step and its metrics when they are recorded; False asks for the end of the run after this step."""


class Run:
    """One run folder, held by this process. Use as a context manager, from one thread.

    What is recorded is written in the background, so a disk that fails is reported late: by the next call that records or
    saves, or else when the context ends. Nothing recorded after the failure is written.
    """

    def __init__(self, folder: Path, recipe: str, config: Config) -> None:
        """Open or create a run folder.

        Raises:
            InputError: not writable, in use by another process, or made by another recipe or with other settings.
        """
        self.folder, self.recipe = Path(folder), recipe
        self._config, self._seen = config, Seen()
        self.interrupted, self.stop = False, Stop()
        self.listeners: Sequence[Listener] = ()
        """Told of every metrics line as it is recorded."""
        self.environment: dict[str, Any] = {}
        """What log_environment was given."""
        self._left_open: int | None = None
        self._lacks_best = False
        self.is_finished = False
        """It was at its end when it was opened, and nothing has been recorded since: the folder is as it was."""
        self._held: list[str] = []
        self.lengthened: str = ""
        """What was raised, and what that does, where it goes on with a run that was made shorter."""
        self.older: str = ""
        """Which settings there were not when it was begun, in a sentence; nothing where it was begun with those of today."""
        self._is_new = not self.folder.exists()
        with storing(self.folder):
            if not (self.folder / "config.toml").exists() and not holds_only(self.folder, _BEGINNINGS):
                raise InputError(
                    f"{self.folder}: not empty, and not a run folder (it has no config.toml); choose another --out"
                )
            for name in ("rollouts", "evaluations", "checkpoints"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.folder)
        self._writer = Writer()
        try:
            self._digests, self._sealed_at_end = digests.Digests(self.folder), None
            with storing(self.folder):
                self.is_finished = says_finished(self.folder)
                self.lengthened, self.older = self._write_config(config)
            with storing(self.folder):
                self.checkpoint = newest_good_checkpoint(self.folder, self._report_bad_checkpoint)
            self.start_step = step_of(self.checkpoint) if self.checkpoint else 0
            if self.checkpoint is None and self.warnings:
                raise RunError(
                    f"{self.folder / 'checkpoints'}: none of the checkpoints is whole ({'; '.join(self.warnings)}); nothing "
                    "was changed: restore one, or move the folder away to begin again"
                )
            if self.is_finished and not self._is_whole():
                self._wake()
            with storing(self.folder):
                found = self._check_evidence()
                if not self.is_finished:
                    _sign(self._lock)
                    self._drop_after(self.start_step, found.damaged_steps)
                    self._end_commit(getattr(config, "checkpoints", None))
            if self.lengthened:
                self.lengthened = (
                    f"{self.lengthened}: the {self.start_step} steps that are done stay as they are, and later ones are done "
                    f"as in a run of the new length; {_promise(config)}"
                )
                self.event("lengthened", step=self.start_step, message=self.lengthened)
            if self.older:
                self.event("older", step=self.start_step, message=self.older)
            began = "resume" if self.start_step else "start"
            self.event(began, step=self.start_step, pid=os.getpid(), began_in=here(self.folder))
            self._writer.drain()
        except BaseException as error:
            self.__exit__(type(error), error)  # a refusal must not lock this process out of its own folder
            raise

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type | None = None, error: BaseException | None = None, *_: object) -> None:
        """Write what waits and let go of the folder.

        Raises:
            InputError, RunError: writing failed and no call has said so yet; a note on `error` instead if there is one.
        """
        try:
            failure = self._writer.close()
        finally:
            self.stop.end()
            if not self._writer.is_alive:  # a write that hangs keeps the folder until the process ends
                _release(self._lock)
        if self._is_new and isinstance(error, InputError):
            self._remove_if_nothing_was_done()
        if failure is not None and error is None:
            raise failure
        if failure is not None and error is not None:
            error.add_note(f"Besides, the run folder could not be written: {failure}")

    def _remove_if_nothing_was_done(self) -> None:
        """Take back the folder of a run that was refused; one that holds anything but its beginnings stays."""
        with contextlib.suppress(OSError):  # one that cannot be removed stays; what was refused is said all the same
            if holds_only(self.folder, {*_BEGINNINGS, "config.toml", "events.jsonl"}):
                shutil.rmtree(self.folder)

    @property
    def settings(self) -> dict[str, Any]:
        """As they stand in its config.toml: of a run that was begun with others, those that there were then."""
        return {name: value for name, value in _read_config(self.folder / "config.toml").items() if name != "recipe"}

    def steps(self, num_steps: int, on_interrupt: Callable[[int], None] = lambda step: None) -> Iterator[int]:
        """Step numbers still to be done, counted from 1. After Ctrl-C or SIGTERM the step at hand is the last one.

        If it came too late for that step's checkpoint, the next one is the last.

        Args:
            on_interrupt: told the step at hand when the first signal comes; a second one stops at once.
        """
        step = self.start_step

        def handle(number: int) -> None:
            if self.stop.hear(number):
                self.interrupted = True
                on_interrupt(step)

        with handling(handle, signal.SIGINT, signal.SIGTERM):  # between two steps as well
            for step in range(self.start_step + 1, num_steps + 1):
                yield step
                if self.interrupted and self._left_open != step:
                    self.event("interrupt", step=step)
                    return

    def commits(self, step: int, num_steps: int, config: CheckpointsConfig) -> bool:
        """A checkpoint is due after this step."""
        is_due = step % config.every == 0 or step == num_steps or self.interrupted
        self._left_open = None if is_due else step
        return is_due

    def log_environment(self, facts: Mapping[str, Any]) -> None:
        """Write environment.json on the first start; afterwards compare. In place of the `dress` of the run's own prompts stands
        what it and all that its settings name were shown (train/seen.py).

        Raises:
            InputError: what the run trains from (`origin`) is no longer what it was, or a record of what it was shown is not.
        """
        path = self.folder / "environment.json"
        facts = json.loads(json.dumps(facts, default=str))
        self._seen |= self._shown(facts.pop("dress", ()))
        files = files_named(self._texts())
        self.environment = facts = facts | {"seen": self._seen.to_json()} | ({"files": files} if files else {})
        if (self.start_step or self.is_finished) and path.exists():
            try:
                before = dict(json.loads(path.read_text()))
            except (OSError, ValueError, TypeError):
                raise InputError(f"{path}: cannot be read; restore it, or choose another --out") from None
            with contextlib.suppress(ValueError):  # an older run has none; else what was looked at since is none of it
                self._seen = Seen(self._seen.dress) | Seen.read(before.get("seen"))
            if moved := differing_keys(before.pop("origin", {}), facts.get("origin", {})):
                raise InputError(
                    f"{self.folder}: this run started from something else ({'; '.join(moved)}); "
                    "restore it to go on, or choose another --out"
                )
            now = {name: value for name, value in facts.items() if name != "origin"}
            if changed := differing_keys(_without_notes(before), _without_notes(now)):
                self.warn("this resume may not be bit-exact: " + "; ".join(changed))
        else:
            for note in dict(facts.get("model") or {}).get("notes", ()):
                self.warn(str(note))
            with storing(path):
                write_whole(path, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")

    def _texts(self) -> Iterator[str]:
        return named_in(self._config.model_dump(mode="json"))

    def _shown(self, dress: Iterable[str]) -> Seen:
        try:
            named = [carried(text) for text in self._texts()]
        except ValueError as error:
            raise InputError(f"{error}; restore it: what this run learns from could not be told") from None
        return functools.reduce(Seen.__or__, named, Seen(frozenset(dress)))

    @property
    def seen(self) -> Seen:
        """What the run and all that its settings name were shown, as far as records tell; once log_environment was called."""
        return self._seen

    def saw(self, families: Iterable[str]) -> None:
        """Sealed families are met: what is saved from here on tells so."""
        self._seen |= Seen(looked=frozenset(families))

    def log_step(self, step: int, metrics: Metrics, groups: Sequence[Group[Drawn]] = ()) -> None:
        """Append a metrics line and store the step's rollouts, which must not change after this.

        Blocks while two steps wait to be written. Raises what writing an earlier one raised.
        """
        self._wake()
        line = json.dumps({"step": step, **dict(sorted(metrics.items()))}, ensure_ascii=False)
        self._writer.put(functools.partial(self._write_step, step, line, groups), is_record=True)
        for listener in self.listeners:
            if listener(self, step, metrics) is False:  # as after Ctrl-C: this step is the last, and is saved
                self.interrupted = True

    def log_evaluation(self, step: int, groups: Sequence[Group[Drawn]]) -> None:
        """Store the rollouts of an evaluation, as `log_step` does."""
        self._wake()
        self._writer.put(functools.partial(self._write_evaluation, step, groups), is_record=True)

    def log_probe(self, step: int, groups: Sequence[Group[Drawn]]) -> None:
        """Store the rollouts of a probe before a step, as `log_step` does."""
        self._wake()
        self._writer.put(functools.partial(self._write_evaluation, step, groups, "probes"), is_record=True)

    def log_table(self, step: int, kind: str, table: pa.Table) -> None:
        """Store a table of a step in the folder of its kind ("trees"), as `log_step` does."""
        self._wake()
        self._writer.put(functools.partial(self._write_table, step, kind, table), is_record=True)

    def save(self, step: int, write: Callable[[Path], None], config: CheckpointsConfig) -> None:
        """Commit the step: `write` puts model and training state into a folder that then becomes the newest checkpoint."""
        self._wake()
        self._writer.drain()
        with storing(self.folder):
            # The rest is synced when it is written.
            for name in ("events.jsonl", digests.FILE, *_RECORDED, "."):
                if (self.folder / name).exists():
                    sync(self.folder / name)
        best = self._best(step, config)

        def whole(folder: Path) -> None:
            write(folder)
            write_seen(folder, self._seen)

        with storing(self.folder / "checkpoints"):
            self.checkpoint = write_checkpoint(
                self.folder, step, whole, keep=config.keep, digests=self._digests.seal(), spare=best.step if best else None
            )
            self._tell_best(best, config)

    def _end_commit(self, config: CheckpointsConfig | None) -> None:
        """What follows the rename that commits a step, where a kill came between: no later step may do it."""
        if self.checkpoint is None or config is None:
            return
        best = self._best(self.start_step, config)
        drop_old_checkpoints(self.folder, config.keep, best.step if best else None)
        self._tell_best(best, config)

    def _tell_best(self, best: Best | None, config: CheckpointsConfig) -> None:
        if best is not None:
            folder = f"checkpoints/step-{best.step:06d}"
            told = {"metric": config.best, "value": best.value, "step": best.step, "checkpoint": folder}
            write_whole(self.folder / BEST, json.dumps(told, indent=1) + "\n")

    def _best(self, step: int, config: CheckpointsConfig) -> Best | None:
        """Of the checkpoints that there are and the one of this step; that of all before is among them, for it was kept."""
        if config.best is None:
            return None
        steps = {step, *map(step_of, checkpoint_folders(self.folder))}
        path = self.folder / "metrics.jsonl"
        best = best_of(path.read_bytes().splitlines() if path.exists() else [], steps, config.best, config.best_is)
        if best is None and not self._lacks_best:
            self._lacks_best = True
            self.warn(
                f"checkpoints.best = {config.best!r}: the metrics of step {step} have no such number, so its checkpoint cannot "
                "be the best; those of an evaluation have it at the steps of evaluation.every"
            )
        return best

    def event(self, event: str, **facts: Any) -> None:
        """Append a line to events.jsonl, with the time; of a finished run only once something is recorded."""
        if event == "finish" and not self.is_finished:
            self._writer.drain()
            facts["digests"] = self._digests.seal()
        line = {"time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "event": event, **facts}
        text = json.dumps(line, ensure_ascii=False, default=str)
        if self.is_finished:
            self._held.append(text)
        else:
            self._writer.put(functools.partial(self._write_event, text), is_record=False)

    def warn(self, message: str) -> None:
        self.event("warning", message=message)
        self.warnings.append(message)

    warnings: list[str]

    def write(self, name: str, text: str) -> None:
        """Write a file of the result whole, unless it holds this text already."""
        path = self.folder / name
        if not _holds_text(path, text):
            self._wake()
            with storing(path):
                write_whole(path, text)

    def _wake(self) -> None:
        """Something is recorded in a run that was finished: what it has said so far is written after all."""
        if self.is_finished:
            self.is_finished = False
            with storing(self.folder):
                _sign(self._lock)
                if self._sealed_at_end is not None:
                    self._keep_digests(max(self.start_step, 1), self._sealed_at_end)
            for text in self._held:
                self._writer.put(functools.partial(self._write_event, text), is_record=False)
            self._held.clear()

    def _is_whole(self) -> bool:
        """What a finished run has left is there: its newest checkpoint, or no step that wanted one."""
        if self.checkpoint is not None and self.checkpoint != checkpoint_folders(self.folder)[0]:
            return False
        metrics = self.folder / "metrics.jsonl"
        lines = metrics.read_bytes().splitlines() if metrics.exists() else []
        return all((step_in(line) or 0) <= self.start_step for line in lines)

    def _write_step(self, step: int, line: str, groups: Sequence[Group[Drawn]]) -> None:
        with storing(self.folder / "metrics.jsonl"):
            written = {}
            if groups:
                name = f"rollouts/step-{step:06d}.parquet"
                written[name] = write_rollouts(self.folder / name, step, groups)
            content = line.encode()
            with (self.folder / "metrics.jsonl").open("ab") as file:
                file.write(content + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._digests.add(step, {**written, digests.METRICS: stamp(content)})

    def _write_evaluation(self, step: int, groups: Sequence[Group[Drawn]], kind: str = "evaluations") -> None:
        path = self.folder / kind / f"step-{step:06d}.parquet"
        with storing(path):
            path.parent.mkdir(exist_ok=True)
            written = write_rollouts(path, step, groups)
            self._digests.add(step, {f"{kind}/{path.name}": written})

    def _write_table(self, step: int, kind: str, table: pa.Table) -> None:
        path = self.folder / kind / f"step-{step:06d}.parquet"
        with storing(path):
            path.parent.mkdir(exist_ok=True)
            self._digests.add(step, {f"{kind}/{path.name}": write_table(path, table)})

    def _write_event(self, line: str) -> None:
        with storing(self.folder / "events.jsonl"), (self.folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _write_config(self, config: Config) -> tuple[str, str]:
        """Write the settings, or compare them with those that there are.

        Returns:
            What was raised of them, and which there were not then; "" each where nothing.
        """
        path = self.folder / "config.toml"
        self.warnings = []
        older = ""
        text = f'recipe = "{self.recipe}"\n{config.to_toml()}'
        new = tomllib.loads(text)
        metrics = self.folder / "metrics.jsonl"
        if path.exists() and ((metrics.exists() and metrics.stat().st_size) or checkpoint_folders(self.folder)):
            old = _read_config(path)
            old, then = config.with_effect(old), as_of(config, config.with_effect(new), config.with_effect(old))
            new, changed = then.values, differing_keys(old, then.values)
            if told := words([then]):
                older = f"{self.folder} was made {told}: it goes on as it was begun"
            if changed and (raised := _raised(old, new)):
                self.check_goes_on()
                self.is_finished = False
                write_whole(path, text)
                return raised, older
            elif changed:
                raise InputError(
                    f"{self.folder}: this run folder was made with other settings ({'; '.join(changed)}); "
                    "repeat the command with the old ones to go on, or choose another --out"
                )
        else:
            if self.is_finished and path.exists() and differing_keys(_read_config(path), new):
                self._wake()
            write_whole(path, text)
        return "", older

    def check_goes_on(self) -> None:
        """InputError where what training on from the newest checkpoint would take was dropped at the end of a stage."""
        newest = next(iter(checkpoint_folders(self.folder)), None)
        if newest is not None and (newest / KEPT_STATE).exists() and not (newest / STATE).exists():
            raise InputError(
                f"{self.folder}: no training goes on from here: it was a stage of a pipeline, which keeps the models of its "
                "finished stages alone (keep_states=true keeps the rest); start from it, with model.name and another --out"
            )

    def _report_bad_checkpoint(self, folder: Path, why: str) -> None:
        self.warn(f"checkpoint {folder.name} is damaged ({why}); going back to the one before it")

    def _check_evidence(self) -> digests.Evidence:
        """Warn of what is committed and is not as it was written. It stays: who reads it again refuses it."""
        if not self.start_step and not self.is_finished:
            return digests.Evidence()  # nothing is committed
        if self.is_finished:
            self._sealed_at_end = digests.newest_seal(self.folder)
            found = digests.check(self.folder, sealed=self._sealed_at_end)
        else:
            found = digests.check(self.folder, sealed=self._seal(), until=self.start_step)
        for sentence in found.sentences:
            self.warn(sentence)
        return found

    def _seal(self) -> dict[str, Any] | None:
        return digests.seal_of(self.checkpoint) if self.checkpoint is not None else None

    def _keep_digests(self, step: int, sealed: Mapping[str, Any] | None) -> None:
        _replace(self.folder / digests.FILE, self._digests.kept(step, sealed))
        self._digests = digests.Digests(self.folder)

    def _drop_after(self, step: int, damaged_steps: Set[int] | Mapping[int, str]) -> None:
        """Remove what was recorded after the newest good checkpoint."""
        for kind in _RECORDED:
            for path in (self.folder / kind).iterdir() if (self.folder / kind).is_dir() else ():
                name = re.fullmatch(r"(\.partial-)?step-(\d{6})\.parquet", path.name)
                if name and (name[1] or int(name[2]) > step or step == 0):
                    path.unlink()
        unwanted = [*(self.folder / "checkpoints").glob(".partial-*"), *checkpoint_folders(self.folder)]
        for path in unwanted:
            if path.name.startswith(".partial-") or step_of(path) > step:
                shutil.rmtree(path, ignore_errors=True)
        self._keep_digests(step, self._seal())
        (self.folder / BEST).unlink(missing_ok=True)  # it may name what was just removed; the next commit says it anew
        metrics = self.folder / "metrics.jsonl"
        lines = metrics.read_bytes().splitlines(keepends=True) if metrics.exists() else []
        steps = [step_in(line) for line in lines]
        committed = [k for k, found in enumerate(steps) if step > 0 and found is not None and found <= step]
        end = committed[-1] if committed else -1  # one that cannot be read is damage before this, and cut off by a kill after it
        _replace(metrics, b"".join(line for k, line in enumerate(lines) if k in {*committed} or (k < end and steps[k] is None)))
        recorded = {steps[k] for k in committed} | {*damaged_steps}
        lost = [s for s in range(1, step + 1) if s not in recorded]
        if lost:
            self.warn(f"metrics.jsonl lacks {len(lost)} of the steps that are committed, the first {lost[0]}")


_LENGTHS = ("num_steps", "epochs", "token_budget", "operation_budget")
"""Settings that may be raised of a run that there is; all others stay as they were."""


def _raised(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What differs, if that is lengths alone and each was raised; else nothing."""
    names = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
    for name in names:
        x, y = old.get(name), new.get(name)
        if name not in _LENGTHS or not isinstance(x, int | float) or not isinstance(y, int | float) or x >= y:
            return ""
    return ", ".join(f"{name} raised from {old[name]} to {new[name]}" for name in sorted(names))


def _promise(config: Config) -> str:
    """Whether what comes of a lengthened run is what a run of that length gives: not where a setting spans the whole run."""
    values = config.model_dump(mode="json")

    def value(part: str, name: str) -> Any:
        found = values.get(part)
        return found.get(name) if isinstance(found, dict) else None

    spanning = [
        name
        for name, spans in (
            ("optimizer.schedule", value("optimizer", "schedule") not in (None, "constant")),
            ("mixture.scenarios_from", value("mixture", "scenarios_from")),
            ("curriculum.hard_from", value("curriculum", "order") == "hard_later"),
            ("length.warmup", value("length", "weight") and value("length", "warmup")),
            ("length.ramp", value("length", "weight") and value("length", "ramp")),
            ("cluster.staleness", value("cluster", "staleness")),
            ("auxiliary_sft.final_weight", value("auxiliary_sft", "final_weight") is not None),
        )
        if spans
    ]
    if spanning:
        return f"{', '.join(spanning)} spans the whole run, so the result is not that of such a run from its start"
    return "weights and rollouts come out as those of such a run from its start, which has no evaluation where this one ended"


def says_finished(folder: Path) -> bool:
    """The last that its events say of where the run stands is that it is finished."""
    return digests.last_state(folder).get("event") == "finish"


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file ({error}); restore it or choose another --out") from None


@contextlib.contextmanager
def holding(folder: Path, *, signed: bool = True) -> Generator[Callable[[], None]]:
    """Within, no other process can hold the folder; InputError if one does.

    Args:
        signed: say in the lock which process it is, so that another one can name it; else that is done when what is given is
            called, and nothing is written before.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = _lock(folder)
        if signed:
            _sign(handle)
    try:
        yield functools.partial(_sign, handle)
    finally:
        _release(handle)


def _lock(folder: Path) -> int:
    """Hold the folder for this process. The kernel lets go of it when the process ends, however it ends."""
    handle = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(handle, 32, 0).decode(errors="replace").strip()
        os.close(handle)
        raise InputError(
            f"{folder}: another process (pid {owner or 'unknown'}) is working on this run folder"
        ) from None
    return handle


def _sign(handle: int) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)


def _release(handle: int) -> None:
    """Let go of a folder; its lock names nobody any more."""
    with contextlib.suppress(OSError):
        if os.pread(handle, 32, 0) == str(os.getpid()).encode():
            os.ftruncate(handle, 0)
    os.close(handle)


def holds_only(folder: Path, names: Set[str]) -> bool:
    """Nothing is in the folder but files and empty folders of these names; true of one that is not there."""
    paths = list(folder.iterdir()) if folder.is_dir() else []
    return all(path.name in names and not (path.is_dir() and any(path.iterdir())) for path in paths)


def write_whole(path: Path, text: str) -> None:
    """Write a file in one rename: whole or not at all. One that holds this text already is left alone."""
    if not _holds_text(path, text):
        _write_renamed(path, text.encode())


def _replace(path: Path, content: bytes) -> None:
    """Give a file that there may be this content; none is made to hold nothing."""
    if content != (path.read_bytes() if path.exists() else b""):
        _write_renamed(path, content)


def _write_renamed(path: Path, content: bytes) -> None:
    partial = path.with_name(f".partial-{path.name}")
    partial.write_bytes(content)
    partial.rename(path)


def _holds_text(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except (OSError, UnicodeEncodeError):
        return False


@contextlib.contextmanager
def storing(path: Path) -> Generator[None]:
    """Turn what a disk can do wrong into one sentence."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        code = getattr(error, "errno", None)
        if code in (errno.EACCES, errno.EROFS, errno.EPERM, errno.EEXIST, errno.ENOTDIR):
            raise InputError(f"{path}: cannot write there ({os.strerror(code)}); choose another --out") from error
        raise RunError(
            f"{path}: writing failed ({error}); the last checkpoint is intact: mend that and repeat the command to go on"
        ) from error


def _without_notes(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts that decide bytes: where a model came from says nothing of a checkpoint of it, which is loaded when a run goes on."""
    kept, model = {name: fact for name, fact in facts.items() if name not in ("seen", "files")}, facts.get("model")
    if isinstance(model, dict):
        kept["model"] = {key: value for key, value in model.items() if key != "notes"}
    return kept
