"""A finished folder is left alone: planning, or giving the same command again, writes nothing into it.

The class: a folder of any recipe whose last word is that it is finished; whatever is asked of it with the same settings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = (
    "num_steps=2", "prompts_per_step=2", "rollouts_per_prompt=2", "sampling.max_tokens=12", "problems.num_problems=20",
    "problems.evaluation_share=0.2",
)  # fmt: skip


def sanmai(*words: str | Path) -> str:
    code = "import sys; from sanmai.cli import main; sys.argv[0] = 'sanmai'; main()"
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def given(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder: when it was changed, and what a file holds."""
    paths = [folder, *sorted(folder.rglob("*"))]
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in paths}
