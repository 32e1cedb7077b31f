"""Where Sanmai keeps what can be made again: compiled kernels, unpacked models."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """A folder in the user's cache; one that cannot be made where the user has no home."""
    found = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return (found if found.is_absolute() else Path("/nonexistent")).joinpath("sanmai", *parts)
