"""What only some things need: the table is pyproject's, doctor tells all of it, and every sentence names the same command."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import sanmai.extras
from sanmai.desk import doctor
from sanmai.extras import EXTRAS, needs

ROOT = Path(__file__).resolve().parents[2]
OURS = {"dev", "docs"}
"""Extras of those who work on Sanmai."""


def test_the_table_has_every_extra_of_pyproject_with_its_packages_and_readme_tells_of_each():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    packages = {name: {re.split(r"[<>=\[]", one)[0] for one in own} for name, own in stated.items() if name not in OURS}
    assert {name: set(extra.modules) for name, extra in EXTRAS.items()} == packages
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in EXTRAS if f"`{name}`" not in readme] == []


def test_doctor_tells_which_are_there_and_how_the_others_come(monkeypatch):
    find = sanmai.extras.importlib.util.find_spec
    monkeypatch.setattr(sanmai.extras.importlib.util, "find_spec", lambda name: None if name in ("ray", "PIL") else find(name))
    lines = list(doctor.extras_lines())
    assert len(lines) == len(EXTRAS) + 1
    assert "extra cluster (samplers on Ray): lacks ray" in lines and "extra vision (pictures in prompts): lacks pillow" in lines
    assert lines[-1].endswith('cluster]"') and "vision" in lines[-1]
    assert str(needs("x", "vision")).startswith("x needs the extra `vision` (pillow); in the folder")


def test_nothing_sends_anybody_to_an_index_for_sanmai():
    """Sanmai is on none, so its name there is somebody else's."""
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*"), ROOT / "README.md"]
    bad = re.compile(r"pip install[^\n`]*['\" ]sanmai\b(?!\.)")
    assert [str(f) for f in files if f.is_file() and bad.search(f.read_text(encoding="utf-8", errors="replace"))] == []
