"""README and docs say what the tree holds: links, paths, commands, options, presets and settings exist."""

import itertools
import re
from pathlib import Path

import pytest
import typer

from sanmai.cli import app
from sanmai.config import describe_settings
from sanmai.recipes import PRESETS, RECIPES, find_recipe, resolve

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.name != "LOG.md"]
COMMANDS = {
    name: {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for name, command in typer.main.get_command(app).commands.items()
}
RECIPE_OF = {name: name for name in ("compare", "sample", "audit", "redteam", "lengthen", "stream")} | {"doctor": "zero"}
"""Of the commands that take settings without naming a recipe."""


def anchor(heading: str) -> str:
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", re.sub(r"[`*]", "", heading.strip().lower()))
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def commands_in(page: Path) -> list[list[str]]:
    """The words of each `sanmai` command that stands on a line of its own or between backticks."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = [line.strip() for line in text.splitlines()] + re.findall(r"`([^`]+)`", text)
    lines = [line.split("  #")[0].split("   ")[0] for line in found if line.startswith("sanmai ")]
    return [re.split(r"\s+", re.split(r"[|;()]", line)[0].strip())[1:] for line in lines]


def settings_of(recipe: str) -> set[str]:
    return {name for name, _, _ in describe_settings(resolve(find_recipe(recipe)))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            file, _, heading = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            assert target.exists(), link
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M) if heading else []
            assert not heading or heading in map(anchor, headings), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_exist(page):
    for path in re.findall(r"`([\w.-]+/[\w./-]+\.(?:py|c|h|toml))`", page.read_text(encoding="utf-8")):
        if not path.startswith(("runs/", "data/", "my/", "path/")):
            assert any((base / path).exists() for base in (ROOT, ROOT / "src/sanmai", ROOT / "tests")), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_can_be_typed(page):
    for words in commands_in(page):
        name = words[0] if words else ""
        if name.startswith(("-", "[")) or not name.isascii() or name.isupper():
            continue
        assert name in COMMANDS, words
        options = {word.split("=")[0].rstrip(",.") for word in words if re.match(r"--[a-z]", word)}
        assert options <= COMMANDS[name] | {"--help"}, words
        recipe = words[1] if name in ("run", "plan") and len(words) > 1 else RECIPE_OF.get(name, "")
        assert name not in ("run", "plan") or recipe in {*RECIPES, "RECIPE", "RUN", "..."}, words
        for before, word in itertools.pairwise(words):
            if before == "--config" and re.fullmatch(r"[a-z0-9-]+", word):
                assert (PRESETS / f"{word}.toml").exists(), words
            setting = re.match(r"'?([a-z_0-9]+(?:\.[a-z_0-9]+)*)=", word) if before == "--set" else None
            if setting and recipe in RECIPES:
                assert setting[1] in settings_of(recipe), words
