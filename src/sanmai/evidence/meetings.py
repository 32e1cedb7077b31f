"""Runs beside a stream that asked the same model in the dress of families that are sealed for it, without any record of a look.

A family is sealed in one rotation of three, and red teams, audits and files dress prompts in families too: what a model does
under them is seen there before the release, so that it is no first contact. Read are runs in the folder of the stream, and in
that of the model's own run, that measure and train nothing: the rows that they asked.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Set
from pathlib import Path

from sanmai.attack.catalogue import families_named
from sanmai.evidence.lineage import run_folder
from sanmai.evidence.looks import began_with, content_of, rollout_families, settings_of
from sanmai.recipes import RECIPES
from sanmai.train.places import as_named, began_in

_QUERIES = ("queries.jsonl", "checkpoints/*/queries.jsonl")
"""Of a red team: all that it asked, finished or not."""


def met_before(model: str, weights: str, sealed: Set[str], stream: Path) -> list[str]:
    """What met this model in the dress of sealed families before the stream was begun, a sentence a run.

    Args:
        weights: digest of the model's weights.
        stream: the stream's run folder.
    """
    began, own = _began(stream), run_folder(model)
    places = dict.fromkeys(p.resolve().parent for p in (stream, *([own] if own else [])))
    content = content_of(model)
    found = []
    for folder in sorted(p.parent for place in places for p in place.glob("*/config.toml")):
        recipe = RECIPES.get(str(settings_of(folder).get("recipe")))
        if recipe is None or recipe.makes not in ("data", "scores", "evidence") or not "" < _began(folder) < began:
            continue
        if (met := frozenset().union(*_families(folder)) & sealed) and _is_of(folder, weights, content):
            found.append(f"{folder} met it before in the dress of {', '.join(sorted(met))}")
    return found


def _is_of(folder: Path, weights: str, content: str) -> bool:
    """The run asked the model: by its weights when it began, or by the files of one that its settings name."""
    try:
        if json.loads((folder / "environment.json").read_text(encoding="utf-8"))["origin"]["weights"] == weights:
            return True
    except (OSError, ValueError, KeyError, TypeError):
        pass  # its settings may tell
    before = settings_of(folder).get("before")
    names = (began_with(folder), as_named(began_in(folder), before) if isinstance(before, str) else None)
    return any(content_of(name) == content for name in names if name)


def _families(folder: Path) -> Iterator[frozenset[str]]:
    yield from rollout_families(folder)
    for path in (found for pattern in _QUERIES for found in folder.glob(pattern)):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError):
            rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            yield from map(families_named, {str(row["genome"]["cell"][1]) for row in rows})


def _began(folder: Path) -> str:
    """The time of a run's first event; "" where it is not known."""
    try:
        with (folder / "events.jsonl").open(encoding="utf-8") as lines:
            return str(json.loads(next(lines))["time"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return ""
