"""The two spaces that a red team searches: the embedded world's requests, and requests of files under transforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Literal

from sanmai.attack.catalogue import FAMILIES
from sanmai.attack.families import ATTACKS, LANGUAGE_NAMES, attack, check_attack, in_language, saying
from sanmai.attack.family import dressed as dress
from sanmai.attack.search import Cell, Genome, Space, hold_out, prompt_id, words_asked
from sanmai.data.testbeds import own_testbed
from sanmai.types import InputError, Problem
from sanmai.world.chance import generator, stable_hash
from sanmai.world.requests import DANGEROUS, OBJECTS, PHRASINGS, SEEN, WRAPPER_TEXTS, Language, Request, Wrapper

HoldoutBy = Literal["cell", "category", "style", "language"]
DIRECT = "direct"
"""The style of a request that is asked as it stands."""
OWN = "own"
"""The language of a request whose language is not stated."""
NO_CATEGORY = "other"
_LANGUAGE_STYLES = {"other_language", "translation"}
_SLOT_SIZE = 60
"""A multiple of 2, 3, 4, 5 and 6, so that all words of a place are equally likely."""


def object_categories(count: int = 6, seed: int = 0) -> dict[str, str]:
    """A category for each object of the embedded world, "kind 1" to "kind N": as even as can be among dangerous and harmless,
    seen and held-out ones.

    The world has no categories of harm; these are drawn, so that there is something to hold out.

    Raises:
        ValueError: not 1 <= count <= 15 (there are 15 objects of each sort).
    """
    if not 1 <= count <= 15:
        raise ValueError(f"count = {count}: expected 1 to 15 categories")
    found: dict[str, str] = {}
    for is_dangerous, is_seen in product((True, False), repeat=2):
        names = [name for name in OBJECTS if (name in DANGEROUS) == is_dangerous and (name in SEEN) == is_seen]
        generator("categories", seed).shuffle(names)
        found |= {name: f"kind {k % count + 1}" for k, name in enumerate(names)}
    return found


def world_space(
    *, seed: int, categories: int = 6, share: float = 0.25, by: HoldoutBy = "cell", names: Sequence[str] = ()
) -> Space:
    """Dangerous requests of the embedded world: 6 categories x 4 wrappers x 2 languages = 48 cells.

    Cells to train on use the seen objects and phrasings; held-out cells the held-out objects and all phrasings. The world's own
    held-out wrappers are cells like others: name them in `names` to keep them out of training.

    Args:
        seed: of the categories and the holdout.
        share, by, names: what is held out; see hold_out.

    Raises:
        ValueError: as hold_out and object_categories do.
    """
    kinds = object_categories(categories, seed)
    wrappers: tuple[Wrapper, ...] = tuple(WRAPPER_TEXTS)
    labels = sorted(set(kinds.values()))
    cells = [Cell(*parts) for parts in product(labels, wrappers, ("en", "zh"))]
    held_out = hold_out(cells, share, by=by, names=names, seed=seed)

    def objects(cell: Cell, *, dangerous: bool) -> tuple[str, ...]:
        is_seen = cell not in held_out
        return tuple(
            name for name in OBJECTS
            if kinds[name] == cell.category and (name in DANGEROUS) == dangerous and (name in SEEN) == is_seen
        )  # fmt: skip

    def render(genome: Genome) -> Problem:
        cell = genome.cell
        language: Language = "zh" if cell.language == "zh" else "en"
        phrasings = PHRASINGS["seen"][language] + (PHRASINGS["heldout"][language] if cell in held_out else ())
        [wrapper] = [name for name in wrappers if name == cell.style]
        request = Request(genome.base, phrasings[genome.slots[0] % len(phrasings)], wrapper, language)
        return _of_cell(replace(request.to_problem(), solution=None), genome)

    def twin(genome: Genome) -> Problem:
        harmless = objects(genome.cell, dangerous=False)
        return render(replace(genome, base=harmless[stable_hash("twin", genome.base, genome.slots) % len(harmless)]))

    return Space({cell: objects(cell, dangerous=True) for cell in cells}, held_out, 1, _SLOT_SIZE, render, twin)


def request_space(
    problems: Sequence[Problem],
    *,
    seed: int,
    styles: Sequence[str],
    languages: Sequence[str] = (),
    category_tag: str = "category",
    harmless: Sequence[Problem] = (),
    share: float = 0.25,
    by: HoldoutBy = "cell",
    names: Sequence[str] = (),
) -> Space:
    """Requests of kind "safety" under transforms.

    A cell's language is that of the answer: the request's own ("own" where it is not stated), or one of `languages`, which is
    asked for. Within a category requests are divided between training and held-out cells, as the seed and their ids say;
    translations of one (tag `original`) stay together. A category with a single request leaves it to the training cells. Cells
    that no request is left for, or whose style applies to none, are dropped.

    Args:
        styles: "direct", names of ATTACKS or chains of them such as "past_tense+base64", or of families (attack/catalogue.py)
            such as "stutter+upper_case"; the embedded world's requests take families alone.
        languages: ISO 639-1 codes of LANGUAGE_NAMES.
        category_tag: the tag that holds a request's category; "other" where it has none.
        harmless: of kind "general"; each elite's twin is one of them.
        share, by, names: what is held out; see hold_out.

    Raises:
        InputError: no safety problem, a world's request, an unknown style or language.
        ValueError: as hold_out does.
    """
    asked = {p.id: p for p in problems if p.kind == "safety"}
    _check_requests(list(asked.values()), styles, languages)
    category = {p.id: str(p.tags.get(category_tag, NO_CATEGORY)).replace("/", "-") for p in asked.values()}
    spoken = {p.id: p.language or OWN for p in asked.values()}
    tongues = sorted({*spoken.values(), *languages})
    twins = [p for p in harmless if p.kind == "general"]

    def dressed(problem: Problem, genome: Genome) -> Problem | None:
        cell = genome.cell
        made = _styled(problem, cell.style, genome.slots)
        if made is not None and cell.language not in (problem.language or OWN, made.language, OWN):
            made = in_language(made, cell.language)
        return None if made is None else _of_cell(made, genome, original=_request(problem))

    def render(genome: Genome) -> Problem | None:
        problem = asked[genome.base]
        if genome.text is not None:
            problem = saying(problem, genome.text)
        return dressed(problem, genome)

    def twin(genome: Genome) -> Problem | None:
        if not twins:
            return None
        problem = twins[stable_hash("twin", genome.base, genome.slots) % len(twins)]
        return dressed(problem, replace(genome, base=problem.id))

    num_slots = max((_num_slots(name) for name in styles), default=0)

    def applies(cell: Cell, name: str) -> bool:
        is_spoken = spoken[name] == cell.language or cell.language in languages
        return is_spoken and render(Genome(cell, name, (0,) * num_slots)) is not None

    possible = {
        cell: found
        for cell in (Cell(*parts) for parts in product(sorted(set(category.values())), styles, tongues))
        if (found := [name for name in asked if category[name] == cell.category and applies(cell, name)])
    }
    held_out = hold_out(list(possible), share, by=by, names=names, seed=seed)
    sides = _sides({p.id: _request(p) for p in asked.values()}, category, list(possible), held_out, share, seed)
    pools = {cell: tuple(n for n in found if sides[n] == (cell in held_out)) for cell, found in possible.items()}
    pools = {cell: found for cell, found in pools.items() if found}
    return Space(pools, held_out & pools.keys(), num_slots, _SLOT_SIZE, render, twin)


def _styled(problem: Problem, style: str, slots: Sequence[int]) -> Problem | None:
    """The request in a style's dress; None where it does not apply."""
    if style == DIRECT:
        return problem
    if not _is_of_families(style):
        return attack(problem, style, choice=slots)
    found: Problem | None = problem
    for part, slot in zip(style.split("+"), slots, strict=False):
        found = None if found is None else dress(found, FAMILIES[part], seed=slot)
    return found


def _is_of_families(style: str) -> bool:
    return all(part in FAMILIES for part in style.split("+"))


def _request(problem: Problem) -> str:
    """What translations of one request share; the id of any other."""
    return str(problem.tags.get("original", problem.id))


def _sides(
    requests: Mapping[str, str],
    category: Mapping[str, str],
    cells: Sequence[Cell],
    held_out: frozenset[Cell],
    share: float,
    seed: int,
) -> dict[str, bool]:
    """Per problem whether its request belongs to the held-out cells: a share of those of a category with both.

    A request that has two categories is on the side that the first of them gives it.
    """
    sides: dict[str, bool] = {}
    for label in sorted(set(category.values())):
        of_label = {cell in held_out for cell in cells if cell.category == label}
        names = {requests[n] for n in category if category[n] == label} - sides.keys()
        wanted = max(1, round((share or 0.25) * len(names)))
        number = min(wanted, len(names) - 1) if of_label == {True, False} else len(names) if of_label == {True} else 0
        ordered = sorted(names, key=lambda n: stable_hash("side", seed, n))
        sides |= {name: k < number for k, name in enumerate(ordered)}
    return {name: sides[request] for name, request in requests.items()}


def _of_cell(problem: Problem, genome: Genome, original: str | None = None) -> Problem:
    """The prompt with the id, and the tags that say which cell it belongs to."""
    cell = genome.cell
    tags = {**problem.tags, "category": cell.category, "style": cell.style, "cell": str(cell)}
    tags |= {"original": original} if original is not None else {}
    return replace(problem, id=prompt_id(genome, words_asked(problem)), tags=tags, solution=None, demonstration=None)


def _num_slots(style: str) -> int:
    if style == DIRECT:
        return 0
    return sum(1 if _is_of_families(style) else len(ATTACKS[part].slots) for part in style.split("+"))


def _check_requests(asked: Sequence[Problem], styles: Sequence[str], languages: Sequence[str]) -> None:
    if not asked:
        raise InputError(
            "problems: none is of kind safety, so there is nothing dangerous to ask (problems.kind=safety takes all for it)"
        )
    has_own = not all(name == DIRECT or _is_of_families(name) for name in styles)
    if has_own and (found := [p.id for p in asked if own_testbed(p) is not None]):
        raise InputError(
            f"problem {found[0]}: a request of the embedded world; expected problems.source = world, which has its own styles, "
            "or names of families for styles"
        )
    for name in styles:
        _check_style(name)
    if not styles or len(set(styles)) < len(styles):
        raise InputError(f"styles = {list(styles)}: expected names, each once")
    if unknown := [code for code in languages if code not in LANGUAGE_NAMES]:
        raise InputError(f"languages: {unknown[0]!r} is not known; expected of {', '.join(LANGUAGE_NAMES)}")


def _check_style(name: str) -> None:
    if _LANGUAGE_STYLES & set(name.split("+")):
        raise InputError(f"styles: {name!r}: languages are a dimension of their own; name them in `languages`")
    try:
        check_attack(name if name != DIRECT and not _is_of_families(name) else "base64")
    except ValueError as error:
        raise InputError(f"styles: {error}; or {DIRECT}") from None
