"""Checkpoints on disk: written whole or not at all, and read only when every byte is what was written.

A checkpoint is a plain `transformers` folder with two files beside it: `training_state.safetensors` (optimizer moments and
the reference policy) and `manifest.json` (step, size and SHA-256 of every other file, and the same of the run's digests of
its evidence as they were at the commit; train/digests.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
STATE = "training_state.safetensors"
KEPT_STATE = "kept_state.safetensors"
"""In its place once nothing trains on from there: without the optimizer's moments and the reference."""


def write_checkpoint(
    run: Path, step: int, write: Callable[[Path], None], *, keep: int, digests: Mapping[str, Any] | None = None,
    spare: int | None = None,
) -> Path:
    """Write checkpoints/step-NNNNNN under a run folder by an atomic rename, then drop all but the newest `keep`.

    Args:
        write: puts the files into the folder it is given.
        digests: size and SHA-256 of what commits the run's evidence.
        spare: a step whose checkpoint is not dropped.

    Raises:
        OSError: disk full or not writable; what was there before is untouched.
    """
    folder = run / "checkpoints" / f"step-{step:06d}"
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        with io_errors_as_oserror():
            write(partial)
        files = {path.relative_to(partial).as_posix(): file_stamp(path) for path in _files(partial)}
        manifest: dict[str, Any] = {"step": step, "files": files}
        if digests is not None:
            manifest["digests"] = dict(digests)
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        for path in partial.rglob("*"):
            sync(path)
        shutil.rmtree(folder, ignore_errors=True)  # only ever an older run's or a corrupted one
        partial.rename(folder)
        sync(folder.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    drop_old_checkpoints(run, keep, spare)
    return folder


def _files(folder: Path) -> list[Path]:
    """All of a folder, those of folders in it too."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def drop_old_checkpoints(run: Path, keep: int, spare: int | None) -> None:
    """Leave the newest `keep` checkpoints, and that of the step `spare`."""
    for old in checkpoint_folders(run)[keep:]:
        if step_of(old) == spare:
            continue
        (old / MANIFEST).unlink(missing_ok=True)  # without it a half-deleted folder is never taken for a checkpoint
        shutil.rmtree(old, ignore_errors=True)


def exchange_file(folder: Path, old: str, new: str, write: Callable[[Path], None]) -> None:
    """Let a file `new` stand in a checkpoint for the file `old`, which is removed. Killed at any moment it is whole.

    Args:
        write: makes the file at the path that it is given; not called where that was done before.

    Raises:
        OSError: not writable; the checkpoint is then as it was, or as it is to be.
    """
    manifest = json.loads((folder / MANIFEST).read_text())
    if old in manifest["files"]:
        with io_errors_as_oserror():
            write(folder / new)
        sync(folder / new)
        del manifest["files"][old]
        manifest["files"][new] = file_stamp(folder / new)
        partial = folder / f".partial-{MANIFEST}"
        partial.write_text(json.dumps(manifest, indent=1) + "\n")
        sync(partial)
        partial.replace(folder / MANIFEST)
        sync(folder)
    (folder / old).unlink(missing_ok=True)


def newest_good_checkpoint(run: Path, on_bad: Callable[[Path, str], None] = lambda folder, why: None) -> Path | None:
    """The newest checkpoint whose files are all as written; `on_bad` hears of each newer one that is not."""
    for folder in checkpoint_folders(run):
        why = defect(folder)
        if why is None:
            return folder
        on_bad(folder, why)
    return None


def defect(folder: Path) -> str | None:
    """What is wrong with a checkpoint folder, or None; OSError when that cannot be told because reading fails."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if unknown := manifest.keys() - {"step", "files", "digests"}:  # one flipped bit in "digests" would hide them
            return f"{MANIFEST} has an unknown part {min(unknown)!r}"
        if "digests" in manifest:
            int(manifest["digests"]["bytes"]), str(manifest["digests"]["sha256"])
        for name, expected in manifest["files"].items():
            if why := stamp_differs(folder / name, expected):
                return f"{name} {why}"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{MANIFEST} cannot be read ({type(error).__name__})"
    return None


def step_of(folder: Path) -> int:
    return int(folder.name.removeprefix("step-"))


def checkpoint_folders(run: Path) -> list[Path]:
    """Every checkpoint of a run folder, whole or not, newest first."""
    folders = [p for p in (run / "checkpoints").glob("step-*") if p.name.removeprefix("step-").isdigit()]
    return sorted(folders, key=step_of, reverse=True)


@contextlib.contextmanager
def io_errors_as_oserror() -> Generator[None]:
    """safetensors and tokenizers report a full disk by exceptions of their own, even a bare Exception; within, as OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        code = re.search(r"\(os error (\d+)\)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1]))) from error


def stamp(content: bytes) -> dict[str, Any]:
    """Size and SHA-256."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def file_stamp(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def stamp_differs(path: Path, expected: Mapping[str, Any]) -> str | None:
    """What is wrong with a file that should have this size and digest, or None; OSError when it cannot be read."""
    try:
        size = path.stat().st_size
        if size != expected["bytes"]:
            return f"has {size} bytes instead of {expected['bytes']}"
        return None if file_stamp(path)["sha256"] == expected["sha256"] else "is not what was written (SHA-256 differs)"
    except FileNotFoundError:
        return "is missing"


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
