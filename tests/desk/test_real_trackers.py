"""The trackers themselves, where they are installed: a run that is killed and resumed leaves each step once in what they keep."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sqlite3
import struct
from pathlib import Path
from typing import Any

import pytest

from desk.test_trackers import train
from sanmai.desk.trackers import Tracking

LAST = 12
Points = list[tuple[int, float]]


def of_wandb(folder: Path) -> Points:
    """From its offline files, one for each start: a LevelDB log of protocol buffers."""
    records = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    found = []
    for path in sorted(folder.rglob("*.wandb")):
        data, at, parts = path.read_bytes(), 7, []  # after its own header
        while at + 7 <= len(data):
            if at % 32768 > 32768 - 7:
                at += 32768 - at % 32768
                continue
            size, kind = struct.unpack("<HB", data[at + 4 : at + 7])
            parts.append(data[at + 7 : at + 7 + size])
            at += 7 + size
            if kind in (1, 4):  # whole, or the last part
                record: Any = records.Record()
                record.ParseFromString(b"".join(parts))
                parts = []
                if record.WhichOneof("record_type") == "history":
                    values = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
                    found += [(record.history.step.num, values["reward/mean"])] if "reward/mean" in values else []
    return found


def of_trackio(folder: Path) -> Points:
    with contextlib.closing(sqlite3.connect(folder / "sanmai.db")) as base:
        rows = [(step, json.loads(text)) for step, text in base.execute("select step, metrics from metrics order by id")]
    return [(step, values["reward/mean"]) for step, values in rows if "reward/mean" in values]


def of_mlflow(folder: Path) -> Points:
    mlflow = pytest.importorskip("mlflow")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    [run] = client.search_runs([client.get_experiment_by_name("sanmai").experiment_id])
    assert run.info.status == "FINISHED"
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "reward/mean")]


@pytest.mark.slow  # MLflow makes its tables for a minute and more
@pytest.mark.parametrize(("name", "kept"), [("wandb", of_wandb), ("trackio", of_trackio), ("mlflow", of_mlflow)])
def test_a_tracker_keeps_each_step_of_a_killed_and_resumed_run_once(tmp_path, monkeypatch, name, kept):
    if importlib.util.find_spec(name) is None:  # to import it would tell Trackio where to write
        pytest.skip(f"{name} is not installed")
    for variable in ("WANDB_MODE", "TRACKIO_DIR", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    for dies_at in (8, None):  # the newest checkpoint is step 6
        tracking = Tracking([name])
        with contextlib.suppress(ZeroDivisionError):
            train(tmp_path / "run", tracking, LAST, dies_at=dies_at)
        tracking.close()
    events = (tmp_path / "run" / "events.jsonl").read_text()
    assert '"warning"' not in events
    points = kept(tmp_path / "run" / "tracking" / name)
    assert points == [(step, float(step)) for step in range(1, LAST + 1)]
