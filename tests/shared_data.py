"""Where the shared data sets are; a test that needs one that is not there is skipped with the reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_path(name: str) -> Path:
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"shared data not here: {path}")
    return path


def every(default: int) -> int:
    """Of a long list every which row is tried: a few dozen show what all do. SANMAI_TEST_EVERY=1 tries all."""
    return int(os.environ.get("SANMAI_TEST_EVERY", default))


def shared_rows(name: str) -> list[dict]:
    return [json.loads(line) for line in shared_path(name).read_text(encoding="utf-8").splitlines()]
