"""Trackers of other people, told what metrics.jsonl is told: TensorBoard, Weights & Biases, Trackio, MLflow.

Nothing is sent anywhere unless you say so: each writes below the run folder (`tracking/NAME`), W&B in its offline mode, unless
its own environment variables name a server. A resumed run does its newest steps again, with the same values; a tracker is told
only what it has not heard, by `tracking/last.json`.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import os
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sanmai.train.runs import Run, write_whole
from sanmai.types import InputError, Metrics

PROJECT = "sanmai"
_PACKAGES = {
    "tensorboard": "tensorboard>=2.21", "wandb": "wandb>=0.31", "trackio": "trackio>=0.43", "mlflow": "mlflow>=3.17",
}  # fmt: skip
"""With floors: a resolver that is held by other pins would else take a version of years ago."""


class Tracker(Protocol):
    """One run of one tracker."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    """Event files; what a killed run wrote after `last` is dropped by TensorBoard itself."""

    def __init__(self, folder: Path, name: str, config: Mapping[str, Any], last: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=last + 1 if last >= 0 else None)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class Wandb:
    """Offline unless WANDB_MODE says otherwise; `wandb sync FOLDER` sends it later."""

    def __init__(self, folder: Path, name: str, config: Mapping[str, Any], last: int) -> None:
        wandb = importlib.import_module("wandb")

        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=name, id=name, dir=str(folder), config=dict(config),
            mode=os.environ.get("WANDB_MODE", "offline"), resume="allow",
        )  # fmt: skip

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._run.log(dict(metrics), step=step)

    def close(self) -> None:
        self._run.finish()


class Trackio:
    """A local database, below the run's folder (of a stage: the pipeline's) unless TRACKIO_DIR names another place.

    The package reads that variable once, when it is imported: all runs of a process are in one place, and `note` says so of a
    run that would be elsewhere by itself. It prints, which is kept from standard output.
    """

    def __init__(self, folder: Path, name: str, config: Mapping[str, Any], last: int) -> None:
        wanted = _outermost(folder)
        wanted.mkdir(parents=True, exist_ok=True)
        is_named = "TRACKIO_DIR" in os.environ
        os.environ.setdefault("TRACKIO_DIR", str(wanted))
        try:
            self._module = importlib.import_module("trackio")
            place = Path(getattr(importlib.import_module("trackio.utils"), "TRACKIO_DIR"))  # noqa: B009 - another's module
        finally:
            if not is_named:
                del os.environ["TRACKIO_DIR"]
        is_elsewhere = not is_named and place.resolve() != wanted.resolve()
        self.note = f"trackio writes all runs of a process to one place: this one is in {place}" if is_elsewhere else ""
        with contextlib.redirect_stdout(io.StringIO()):
            self._module.init(project=PROJECT, name=name, config=dict(config), resume="allow")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._module.log(dict(metrics), step=step)

    def close(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self._module.finish()


class Mlflow:
    """A SQLite file below the run folder unless MLFLOW_TRACKING_URI names a server; a "=" in a name becomes ":"."""

    def __init__(self, folder: Path, name: str, config: Mapping[str, Any], last: int) -> None:
        mlflow = importlib.import_module("mlflow")

        folder.mkdir(parents=True, exist_ok=True)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve() / 'mlflow.db'}"
        self._client = mlflow.MlflowClient(tracking_uri=uri)
        found = self._client.get_experiment_by_name(PROJECT)
        experiment = found.experiment_id if found else self._client.create_experiment(PROJECT)
        runs = self._client.search_runs([experiment], f"tags.sanmai = '{name}'", max_results=1)
        begun = runs[0] if runs else self._client.create_run(experiment, tags={"sanmai": name}, run_name=name)
        self._id = begun.info.run_id

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._client.log_metric(self._id, name.replace("=", ":"), value, step=step)

    def close(self) -> None:
        self._client.set_terminated(self._id)


TRACKERS: dict[str, Any] = {"tensorboard": TensorBoard, "wandb": Wandb, "trackio": Trackio, "mlflow": Mlflow}


class Tracking:
    """A listener of train/runs.py that tells trackers every metrics line, each once.

    A tracker that fails is left out from there on, with a warning in the run's events: no run ends for it.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Raises InputError: a tracker that is not known, or whose package is not installed."""
        for name in names:
            if name not in TRACKERS:
                raise InputError(f"tracking = {name!r}: expected one of {', '.join(TRACKERS)}")
            if importlib.util.find_spec(name) is None:
                raise InputError(f"tracking = {name!r}: its package is not installed (pip install '{_PACKAGES[name]}')")
        self._names = tuple(dict.fromkeys(names))
        self._open: dict[tuple[Path, str], Tracker] = {}
        self._failed: set[tuple[Path, str]] = set()
        self._last: dict[Path, dict[str, int]] = {}

    def __call__(self, run: Run, step: int, metrics: Metrics) -> None:
        last = self._last.setdefault(run.folder, _told(run.folder))
        for name in self._names:
            key = (run.folder, name)
            if key in self._failed or step <= last.get(name, -1):
                continue
            try:
                if key not in self._open:
                    place = run.folder / "tracking" / name
                    self._open[key] = TRACKERS[name](place, _name(run.folder), _config(run.folder), last.get(name, -1))
                    if note := getattr(self._open[key], "note", ""):
                        run.warn(note)
                self._open[key].log(step, metrics)
            except Exception as error:  # noqa: BLE001  # foreign code, beside the run: whatever it raises, the run goes on
                self._failed.add(key)
                said = (str(error).splitlines() or [""])[0][:200]
                run.warn(f"tracking with {name} ended at step {step}: {type(error).__name__}: {said}")
                continue
            last[name] = step
            (run.folder / "tracking").mkdir(exist_ok=True)
            write_whole(run.folder / "tracking" / "last.json", json.dumps(last) + "\n")

    def close(self) -> None:
        """End every tracker; safe to call again."""
        while self._open:
            key, tracker = self._open.popitem()
            if key not in self._failed:
                tracker.close()


def _outermost(place: Path) -> Path:
    """Of a tracker's place in a stage's folder that in the pipeline's; else the place itself."""
    run, rest = place.parents[1], place.relative_to(place.parents[1])
    while run.parent.name == "stages" and (run.parents[1] / "graph.json").exists():
        run = run.parents[1]
    return run / rest


def _told(folder: Path) -> dict[str, int]:
    """The last step that each tracker has heard of."""
    try:
        found = json.loads((folder / "tracking" / "last.json").read_text(encoding="utf-8"))
        return {str(name): int(step) for name, step in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _name(folder: Path) -> str:
    """What trackers call a run, whoever else's folder has the same name (the stages of every pipeline do)."""
    path = folder / "tracking" / "name"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        was_told = (folder / "tracking" / "last.json").exists()  # by a version that gave the folder's name alone
        name = folder.resolve().name if was_told else f"{folder.resolve().name}-{secrets.token_hex(3)}"
        path.parent.mkdir(exist_ok=True)
        write_whole(path, name + "\n")
        return name


def _config(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
