"""What relative paths in a run's settings are relative to: the folder that the run was begun in, wherever they are read from."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

_FUNCTION = re.compile(r"^(.+\.py):(\w+)$")
"""A function in a file, as settings name it."""
_WORDS = ("tiny", "new")
"""Names of models that are no paths, whatever folders there are."""


def here(folder: Path) -> str:
    """The working folder as a run's folder sees it, so that a tree that is moved whole keeps its paths."""
    return os.path.relpath(Path.cwd(), folder.resolve())


def began_in(folder: Path) -> Path | None:
    """The folder that a run was begun in, or last gone on with; None where its events do not say."""
    try:
        lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    for line in reversed(lines):
        if '"began_in"' not in line:
            continue
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("event") in ("start", "resume") and isinstance(found.get("began_in"), str):
            return (folder.resolve() / found["began_in"]).resolve()
    return None


def as_named(began: Path | None, text: str) -> str:
    """What a path in a run's settings is called from here.

    A text that names nothing in the folder that the run was begun in, such as a hub's name or a word, stays as it is; so does one
    that means the same from here. Where something of that name is here and not there, it is another one: a path is called what it
    was, where nothing is now.

    Args:
        began: as `began_in` gives it.
        text: a path, or a function in a file, "FILE.py:FUNCTION".

    Example:
        as_named(Path("/home/me/work"), "base") == "/home/me/work/base"
    """
    function = _FUNCTION.match(text)
    path, ending = (function[1], f":{function[2]}") if function else (text, "")
    if began is None or text in _WORDS:
        return text
    try:
        there, from_here = began / path, Path(path)
        if not path or from_here.is_absolute() or not (there.exists() or (os.sep in path and from_here.exists())):
            return text
        is_same = there.exists() and from_here.exists() and from_here.samefile(there)
    except (OSError, ValueError):
        return text  # no path at all
    return text if is_same else f"{there}{ending}"
