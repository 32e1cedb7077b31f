"""Problems made by the generators of reasoning-gym (PyPI, extra `gym`): Stojanovski et al. 2025, arXiv:2505.24760.

Its item i of seed s is drawn from the number s + i, so the items of neighbouring seeds are the same ones but for one. Seeds here
lie a million apart; besides, a question belongs to training or to the held-out ones by a digest of its text, whatever the seed
and the settings. How answers are graded is in data/gym_table.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import hashlib
import importlib
import io
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any, Literal

from sanmai.data.gym_table import OWN_ANSWER, grading_of
from sanmai.extras import needs
from sanmai.types import InputError, Problem

Split = Literal["train", "heldout"]
PREFIX = "gym:"
PACKAGE = "reasoning-gym"
SPACING = 1_000_000
"""Between two seeds in the library's own counting; no set is as long."""
MAX_SEEDS = 4000
"""Seeds after which the library's own, 32 bits, begin anew."""
_HELD_OUT = 5
"""One question in so many is held out."""
_MISSES = 1000
"""A generator is at an end when so many draws in a row give no question that is new and of the split."""

Settings = Mapping[str, Mapping[str, Any]]
"""By generator, its own settings; what is not stated is its default."""


def names_of(source: Any) -> tuple[str, ...] | None:
    """The generators that a source names: "gym:a", "gym:a,b", or a list of these; None where it names none of them.

    Raises:
        ValueError: some of a list are no generators.
    """
    parts = (source,) if isinstance(source, str) else tuple(source or ())
    if not any(part.startswith(PREFIX) for part in parts):
        return None
    if others := [part for part in parts if not part.startswith(PREFIX)]:
        raise ValueError(f"{others[0]!r}: a list names generators (gym:NAME) or files, not both")
    listed = (name.strip().removeprefix(PREFIX) for part in parts for name in part.removeprefix(PREFIX).split(","))
    return tuple(dict.fromkeys(filter(None, listed)))


def gym_version() -> str | None:
    """The version of reasoning-gym that is installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def library() -> Any:
    """The table of generators of the installed reasoning-gym: name to (class, configuration class).

    Raises:
        InputError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it imports, about their own text
            importlib.import_module("reasoning_gym")
        return importlib.import_module("reasoning_gym.factory").DATASETS
    except ModuleNotFoundError as error:
        raise needs(f'problems.source = "gym:...": {error.name} is missing, and it', "gym") from None


def check_generators(names: Sequence[str], settings: Settings) -> None:
    """Refuse what cannot be made or cannot be graded.

    Raises:
        InputError: a name that is unknown (with the nearest) or refused (with the reason), or an unknown setting of one of them.
    """
    known = library()
    for name in names:
        if name not in known:
            raise InputError(f"gym:{name}: reasoning-gym {gym_version()} has no such generator{nearest(name, known)}")
        if (found := grading_of(name)).by == "refused":
            raise InputError(f"gym:{name} is no source here: {found.reason}")
    for name, values in settings.items():
        if name not in names:
            continue
        fields = {f.name for f in dataclasses.fields(known[name][1])} - {"seed", "size"}
        for key in values:
            where = f"problems.gym.settings.{name}.{key}"
            if key in ("seed", "size"):
                raise InputError(f"{where}: the run's `seed` and problems.gym.train and .heldout say this")
            if key not in fields:
                raise InputError(f"{where}: {name} has no such setting{nearest(key, fields)}")


def make_gym_problems(
    names: Sequence[str], count: int, *, seed: int, split: Split, settings: Settings, ending: str
) -> tuple[list[Problem], list[str]]:
    """Distinct problems in turn from each generator, and a sentence on each that has fewer than its share; tag: kind.

    Args:
        count: of all of them together.
        seed: the same seed gives the same problems with the same version of the library.
        split: no question of one split is in the other, whatever the seeds.
        ending: words below each question.

    Raises:
        InputError: as `check_generators`, or a generator that breaks, or makes not a single problem.
    """
    check_generators(names, settings)
    shares = {name: count // len(names) + (k < count % len(names)) for k, name in enumerate(names)}
    found = {
        name: list(islice(_draws(name, seed, split, settings.get(name, {}), ending, share), share))
        for name, share in shares.items() if share
    }  # fmt: skip
    if empty := [name for name, problems in found.items() if not problems]:
        raise InputError(
            f"gym:{empty[0]}: not one question of the split {split!r} was found; give it more room (problems.gym.settings)"
        )
    notes = [
        f"gym:{name}: {len(problems)} different questions were found of the {shares[name]} asked for (split {split!r})"
        for name, problems in found.items() if len(problems) < shares[name]
    ]  # fmt: skip
    longest = max(map(len, found.values()), default=0)
    return [problems[i] for i in range(longest) for problems in found.values() if i < len(problems)], notes


def _draws(
    name: str, seed: int, split: Split, settings: Mapping[str, Any], ending: str, count: int
) -> Iterator[Problem]:
    """Problems of one generator; it ends when _MISSES draws in a row give none that is new."""
    start = 0 if split == "heldout" else SPACING * (1 + seed % MAX_SEEDS)
    dataset, seen, misses = _dataset(name, settings, start, count), set[str](), 0
    for index in range(dataset.size):
        if misses == _MISSES:
            return
        misses += 1
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # bf prints dots
                item = dataset[index]
        except Exception as error:  # noqa: BLE001 - another's code: whatever it raises is told with what it was asked for
            raise InputError(
                f"gym:{name}: item {index} of seed {start} cannot be made: {type(error).__name__}: {error}"
            ) from None
        question, answer = str(item["question"]).strip(), own_answer(name, item)
        text = " ".join(question.casefold().split())
        if not answer.strip() or text in seen or _split_of(text) != split:
            continue
        seen.add(text)
        misses = 0
        yield _problem(name, item, question, answer, ending, place=(start, index), settings=settings)


def _problem(
    name: str,
    item: Mapping[str, Any],
    question: str,
    answer: str,
    ending: str,
    *,
    place: tuple[int, int],
    settings: Mapping[str, Any],
) -> Problem:
    seed, index = place
    by = grading_of(name).by
    reference, verifier = answer, "gym" if by == "scorer" else by
    if by == "expression":
        numbers = [int(n) for n in item["metadata"]["numbers"]]
        reference = json.dumps({"numbers": numbers, "target": int(item["metadata"].get("target", 24))})
    elif by == "scorer":
        spec = {
            "generator": name,
            "module": library()[name][0].__module__,
            "settings": dict(settings),
            "seed": seed,
            "index": index,
        }
        reference = json.dumps(
            {"answer": answer, **spec, "question": digest(str(item["question"]))}, ensure_ascii=False
        )
    return Problem(
        f"gym/{name}/{seed}/{index}", ({"role": "user", "content": f"{question}\n\n{ending}".strip()},), reference, verifier,
        language="en", demonstration=f"<answer>{answer}</answer>", tags={"kind": name},
    )  # fmt: skip


def own_answer(name: str, item: Mapping[str, Any]) -> str:
    """The answer that a generator holds for right; "" where it has none."""
    if name in OWN_ANSWER:
        found = item["metadata"][OWN_ANSWER[name]]
        return found if isinstance(found, str) else json.dumps(found)
    return "" if item["answer"] is None else str(item["answer"])


def digest(question: str) -> str:
    """By which a scorer tells that it made the same item."""
    return hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _dataset(name: str, settings: Mapping[str, Any], start: int, count: int) -> Any:
    kind, config = library()[name]
    fields = {f.name: f.default for f in dataclasses.fields(config)}
    values = {
        k: tuple(v) if isinstance(v, list) and isinstance(fields.get(k), tuple) else v for k, v in settings.items()
    }
    # Some make all their items at once; one question in five is held out.
    size = (_HELD_OUT + 3) * count + _MISSES
    try:
        return kind(config(**values, seed=start, size=size))
    except (AssertionError, TypeError, ValueError) as error:
        stated = ", ".join(f"{k} = {v!r}" for k, v in settings.items()) or "its defaults"
        raise InputError(f"gym:{name} with {stated}: {error or type(error).__name__}") from None


def _split_of(text: str) -> Split:
    return (
        "heldout"
        if int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), 16) % _HELD_OUT == 0
        else "train"
    )


def nearest(name: str, known: Any) -> str:
    """ "; did you mean NAME?" of the known name that is most like this one; "" where none is."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean {near[0]}?" if near else ""
