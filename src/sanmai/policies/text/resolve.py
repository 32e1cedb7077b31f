"""From the name of a model to the folder or hub name that `transformers` loads."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sanmai.policies.text import tiny
from sanmai.policies.text.checkpoints import newest_good_checkpoint
from sanmai.policies.text.gguf_files import is_gguf, unpacked
from sanmai.policies.text.named import NAMED, fetched
from sanmai.types import InputError

DECISION = "decision.json"
"""In a guarded stage's folder: what its gate found, and the model that it chose; see pipelines/guarded.py."""


def resolve_model(name: str) -> str:
    """What `transformers` is to load: the embedded base, the newest good checkpoint of a run folder, or the name itself.

    Of a guarded stage's folder that of the model that its gate chose.
    """
    if tiny.is_embedded(name):
        return str(tiny.TINY_PATH)
    if name in NAMED and not Path(name).is_dir():
        return str(fetched(name))
    if is_gguf(name):
        return str(unpacked(Path(name)))
    if (chosen := chosen_model(name)) is not None:
        return resolve_model(chosen)
    if (Path(name) / "graph.json").is_file():
        made = max(Path(name).glob("stages/r1-*/stage.json"), key=lambda path: path.stat().st_mtime, default=None)
        raise InputError(
            f"model.name = {name!r}: this is a pipeline's folder, and its models are in {Path(name) / 'stages' / 'NAME-DIGEST'}"
            + (f"; r1 is {made.parent}" if made is not None else "")
        )
    checkpoints = Path(name) / "checkpoints"
    if checkpoints.is_dir():
        found = newest_good_checkpoint(Path(name))
        if found is None:
            raise InputError(f"model.name = {name!r}: this run folder has no complete checkpoint yet")
        if not (found / "config.json").is_file():
            raise InputError(f"model.name = {name!r}: this run trains no model; its checkpoints hold none")
        return str(found)
    if not name or (not Path(name).is_dir() and (name.count("/") != 1 or name.startswith((".", "/", "~")))):
        raise InputError(f"model.name = {name!r}: no such folder (a hub name has the form owner/model)")
    if not Path(name).is_dir() and _holds_runs(Path(name).parent):  # a slip of the pen is nothing to ask the hub
        raise InputError(f"model.name = {name!r}: no such folder ({Path(name).parent} holds runs, and is no hub owner)")
    return name


def _holds_runs(folder: Path) -> bool:
    return (folder / "config.toml").is_file() or next(folder.glob("*/config.toml"), None) is not None


def chosen_model(name: str) -> str | None:
    """The model that the gate of a guarded stage chose, as `model.name` takes it; None where the folder holds no decision.

    Raises:
        InputError: the decision cannot be read, or it was to stop.
    """
    path = Path(name) / DECISION
    if not path.is_file() or not (Path(name) / "graph.json").is_file():
        return None
    try:
        chosen = dict(json.loads(path.read_text(encoding="utf-8")))["model"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"model.name = {name!r}: its {DECISION} cannot be read; repeat the command that made it"
        ) from None
    if not isinstance(chosen, str) or not chosen:
        raise InputError(f"model.name = {name!r}: its gate promoted no model; {path} says why")
    return os.path.normpath(Path(name) / chosen) if chosen.startswith(".") else chosen
