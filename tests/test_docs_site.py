"""The documentation as a site (`make docs`): every page and name is there, and nothing is loaded from elsewhere."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sanmai

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md") if page.name != "LOG.md")


def test_every_page_has_a_place_in_the_site_and_every_public_name_in_the_reference():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    assert sorted(re.findall(r"[\w/-]+\.md", nav)) == sorted(map(str, PAGES))
    reference = "\n".join(
        (ROOT / "docs" / page).read_text(encoding="utf-8") for page in PAGES if page.parts[0] == "api"
    )
    shown = set(re.findall(r"^::: sanmai\.(\w+)$", reference, re.M)) | set(re.findall(r"^ +- (\w+)$", reference, re.M))
    verbs = {
        "audit",
        "compare",
        "doctor",
        "plan",
        "scale",
        "score",
        "search",
        "search_problems",
    }  # sanmai.api.verbs, whole
    assert set(sanmai.__all__) <= shown | verbs and "::: sanmai.api.verbs" in reference


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_asks_nobody_for_anything(tmp_path):
    if not (importlib.util.find_spec("mkdocs") and importlib.util.find_spec("mkdocstrings")):
        pytest.skip("the extra `docs` is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=600, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    running = (tmp_path / "site" / "api" / "running" / "index.html").read_text(encoding="utf-8")
    for name in ("sanmai.run", "sanmai.Run", "sanmai.Run.samples", "sanmai.Model.generate"):
        assert f'id="{name}"' in running, name
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="(https?:[^"]*)"', text)
        loaded += re.findall(r'<link[^>]* rel="stylesheet"[^>]* href="(https?:[^"]*)"', text)
        assert not loaded, (page, loaded)
