"""The data of a pipeline, written out once: what each later stage reads, in files that any other tool reads as well.

cold_start.jsonl       a small set of readable demonstrations
reasoning.jsonl        problems with answers, for RL and for rejection sampling
scenarios.jsonl        the same and general and safety prompts, for the last RL
demonstrations.jsonl   general and safety demonstrations, for the second SFT
evaluation.jsonl       held-out problems of all kinds; the tag `set` says which
probe.jsonl            with `data.probe`: held-out problems of all kinds that are not in evaluation.jsonl, for constraints
card.json              how many of each, and where they came from
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.chat import demonstration
from sanmai.data.problems import OnError, load_problems, normalised_prompt, split
from sanmai.data.testbeds import EMBEDDED, Testbed, find_testbed, own_testbed
from sanmai.learn.progress import Progress
from sanmai.learn.sources import GENERATED, StoriesConfig, story_problems
from sanmai.recipes.cards import write_card
from sanmai.train.runs import Run, storing, write_whole
from sanmai.types import InputError, Problem

Kind = str


def _listed(source: str | tuple[str, ...]) -> tuple[str, ...]:
    return ((source,) if source else ()) if isinstance(source, str) else source


class DataConfig(Config):
    """Each source is "world" (the embedded one), or files in one of the formats of docs/data.md; an empty list is none.

    Reasoning, its evaluation and the cold start may be "stories" too: small sums in English words.
    """

    cold_start: str | tuple[str, ...] = EMBEDDED
    """Demonstrations for the first SFT: few, readable, in one language."""
    cold_start_limit: int = Field(200, ge=1)
    """Use so many of them at most."""
    reasoning: str | tuple[str, ...] = EMBEDDED
    """Problems with reference answers."""
    reasoning_limit: int | None = Field(None, ge=1)
    """Use so many of them at most."""
    general: str | tuple[str, ...] = EMBEDDED
    """Harmless prompts; demonstrations among them go to the second SFT."""
    safety: str | tuple[str, ...] = EMBEDDED
    """Prompts that ask for something dangerous; demonstrations among them go to the second SFT."""
    demonstrations_limit: int = Field(300, ge=0)
    """Use so many demonstrations of general and safety prompts at most, half of each kind."""
    evaluation: str | tuple[str, ...] = EMBEDDED
    """Held-out reasoning problems. Of general and safety prompts from files a share is held out, by a hash of the text."""
    evaluation_limit: int = Field(300, ge=1)
    """Held-out problems of each set at most."""
    unseen_general: str | tuple[str, ...] = ()
    """Harmless prompts of other kinds than any stage sees: evaluated alone, as the set general_ood."""
    unseen_safety: str | tuple[str, ...] = ()
    """Dangerous requests in categories or wordings that no stage sees: evaluated alone, as the set safety_ood."""
    stories: StoriesConfig = StoriesConfig()
    """Of the small sums, when a source is "stories"; those of the kinds that are not trained on are the set reasoning_ood."""
    holdout: float = Field(0.2, gt=0, lt=1)
    """That share."""
    probe: float = Field(0.0, ge=0, lt=1)
    """Share of the held-out general and safety prompts (of the embedded world: of its held-out objects), and of as many held-out
    reasoning problems, that is kept apart in probe.jsonl to drive constraints, and not reported."""
    on_error: OnError = "raise"
    """At a malformed line: stop and name it, or skip and count it."""

    only_with = (
        OnlyWith(
            'reasoning, evaluation or cold_start = "stories"',
            lambda c: "stories" in (c.reasoning, c.evaluation, c.cold_start),
            "stories",
        ),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.reasoning or not self.evaluation:
            raise ValueError("reasoning and evaluation need a source: there is nothing to learn or to measure without")
        if made := [name for name in ("unseen_general", "unseen_safety") if {*_listed(getattr(self, name))} & {*GENERATED}]:
            raise ValueError(f"{made[0]}: expected files; what is generated has held-out problems of its own")
        if "stories" in (self.general, self.safety):
            raise ValueError('general, safety: "stories" are reasoning problems')
        return self


def check_sources(data: DataConfig) -> None:
    """Refuse files that are not there before anything is begun.

    Raises:
        InputError: it names the setting, where was looked, and what is expected.
    """
    for setting in ("cold_start", "reasoning", "general", "safety", "evaluation", "unseen_general", "unseen_safety"):
        for name in _listed(getattr(data, setting)):
            if name in GENERATED or ":" in name or Path(name).exists():
                continue
            raise InputError(
                f"data.{setting} = {name!r}: no such file in {Path.cwd()}; expected one in a format of docs/data.md. The first "
                "lines of a preset, and docs/recipes.md, say what makes the files that it names"
            )


class GatherConfig(Config):
    seed: int = Field(0, ge=0)
    """Names the choice of problems."""
    data: DataConfig = DataConfig()


def run_gather(config: GatherConfig, out: Path, *, progress: Progress | None = None) -> Path:
    """Write the files; the folder. The same configuration writes the same bytes."""
    with Run(out, "gather", config) as run:
        files, sources = gathered(config, run.warn)
        for name, found in files.items():
            write_problems(run.folder / f"{name}.jsonl", found)
        card = {
            name: {"problems": len(found), "kinds": dict(Counter(p.kind for p in found)), "sources": sources[name]}
            for name, found in files.items()
        }
        write_card(run.folder, card)
        (progress or Progress.silent()).end(run)
    return run.folder


def gathered(
    config: GatherConfig, on_warning: Callable[[str], None]
) -> tuple[dict[str, list[Problem]], dict[str, list[str]]]:
    """The problems of each file by its name without ".jsonl", and the sources that they came from; nothing is written."""
    files, sources = _files(config.data, config.seed, on_warning)
    apart = ("evaluation", "probe")
    trained = {normalised_prompt(p) for name, found in files.items() if name not in apart for p in found}
    for name in apart:
        asked = files.get(name, [])
        clean = [p for p in asked if normalised_prompt(p) not in trained]
        if len(clean) < len(asked):
            on_warning(f"{len(asked) - len(clean)} {name} prompts are among those trained on and left out")
        files |= {name: clean} if name in files else {}
    if not any(p.kind == "reasoning" for p in files["evaluation"]):
        raise InputError("data.evaluation: no reasoning problem is left that is not trained on, so nothing could be measured")
    if "probe" in files:
        _check_probe(files["probe"], files["evaluation"], config.data.probe)
    for name in files:
        if twice := [i for i, count in Counter(p.id for p in files[name]).items() if count > 1]:
            raise InputError(
                f"data: the id {twice[0]!r} is in two of the sources of {name}.jsonl; ids key the random streams"
            )
    return files, sources


def _check_probe(probe: Sequence[Problem], evaluation: Sequence[Problem], share: float) -> None:
    """Each kind that is asked for must be on both sides."""
    sides = [("probe", {p.kind for p in probe}), ("what is reported", {p.kind for p in evaluation})]
    for name, kinds in sides:
        if missing := sorted(sides[0][1].union(sides[1][1]) - kinds):
            raise InputError(
                f"data.probe = {share}: no held-out prompt of kind {missing[0]} fell into {name}; give more of them, "
                "or change the share"
            )


def write_problems(path: Path, problems: Iterable[Problem]) -> None:
    """Problems as a generic JSONL file (docs/recipes.md), whole or not at all; demonstrations end their `messages`."""
    with storing(path):
        write_whole(path, "".join(json.dumps(_row(p), ensure_ascii=False) + "\n" for p in problems))


def _row(problem: Problem) -> dict[str, Any]:
    messages = [dict(message) for message in problem.messages]
    if problem.demonstration is not None:
        messages.append({"role": "assistant", "content": problem.demonstration})
    row = {
        "id": problem.id,
        "messages": messages,
        "answer": problem.answer,
        "verifier": problem.verifier,
        "kind": problem.kind,
        "language": problem.language,
        "solution": problem.solution,
        "tags": dict(problem.tags),
    }
    return {name: value for name, value in row.items() if value is not None}


def _files(
    data: DataConfig, seed: int, on_warning: Callable[[str], None]
) -> tuple[dict[str, list[Problem]], dict[str, list[str]]]:
    """The problems of each file, and the sources that they came from."""
    kinds: dict[str, list[Problem]] = {}
    held_out: list[Problem] = []
    probe: list[Problem] = []
    for kind in ("general", "safety"):
        source = getattr(data, kind)
        train, held = (
            _split_prompts(source, kind, data, seed, on_warning)
            if (bed := find_testbed(source)) is None
            else _requests(bed, kind, seed)
        )
        kinds[kind] = train
        if data.probe:
            kept, held = _apart(held, data.probe)
            probe += kept
        held_out += [_in_set(p, kind) for p in held[: data.evaluation_limit]]
    for kind in ("general", "safety"):
        held_out += [_in_set(p, f"{kind}_ood") for p in _unseen(kind, data, on_warning)]
    if data.reasoning == "stories":
        reasoning = story_problems(data.stories, seed)[0][: data.reasoning_limit]
    elif (bed := find_testbed(data.reasoning)) is not None:
        reasoning = bed.train(data.reasoning_limit, seed=seed)
    else:
        reasoning = _load(data.reasoning, data, on_warning)[: data.reasoning_limit]
    reasoning = [_bare(p) for p in reasoning]
    demonstrations = [
        p
        for kind in kinds.values()
        for p in [q for q in kind if demonstration(q) is not None][: data.demonstrations_limit // 2]
    ]
    files = {
        "cold_start": _cold_start(data, seed, on_warning),
        "reasoning": reasoning,
        # The few come first: a stage that takes so many from the start has them all.
        "scenarios": [_bare(p) for kind in kinds.values() for p in kind] + reasoning,
        "demonstrations": demonstrations,
        "evaluation": _evaluation(data, seed, on_warning) + held_out,
    }
    if data.probe:
        sums = [p for p in files["evaluation"] if p.tags.get("set") == "reasoning"]
        kept, _ = _apart(sums, data.probe)
        files["probe"] = probe + kept
        ids = {p.id for p in kept}
        files["evaluation"] = [p for p in files["evaluation"] if p.id not in ids]
    names = {
        "cold_start": (data.cold_start,),
        "reasoning": (data.reasoning,),
        "scenarios": (data.reasoning, data.general, data.safety),
        "demonstrations": (data.general, data.safety),
        "evaluation": (data.evaluation, data.general, data.safety, data.unseen_general, data.unseen_safety),
        "probe": (data.evaluation, data.general, data.safety),
    }
    return files, {
        name: list(dict.fromkeys(s for source in given for s in _listed(source))) for name, given in names.items()
    }


_PROBE_SEED = -1
"""Of no run, so that the probe is not cut along the line that the held-out prompts were."""


def _apart(problems: Sequence[Problem], share: float) -> tuple[list[Problem], list[Problem]]:
    """The share that drives constraints, and the rest, which is reported; the same for every seed.

    Requests of a testbed are told apart by what they are about, other prompts by a hash of their text.
    """
    objects = sorted({about for p in problems if (bed := own_testbed(p)) is not None and (about := bed.subject(p)) is not None})
    if not objects:
        rest, kept = split(problems, share, seed=_PROBE_SEED)
        return kept, rest
    ordered = sorted(objects, key=lambda name: hashlib.sha256(f"probe/{name}".encode()).digest())
    chosen = set(ordered[: max(round(share * len(ordered)), 1)])
    return [p for p in problems if p.tags.get("object") in chosen], [
        p for p in problems if p.tags.get("object") not in chosen
    ]


def _cold_start(data: DataConfig, seed: int, on_warning: Callable[[str], None]) -> list[Problem]:
    if (bed := find_testbed(data.cold_start)) is not None:
        found = bed.train(data.cold_start_limit, seed=seed + 1_000_003)
    elif data.cold_start == "stories":
        found = story_problems(data.stories, seed + 1_000_003)[0]
    else:
        found = _load(data.cold_start, data, on_warning, needs_answer=False)
    shown = [p for p in found if demonstration(p) is not None][: data.cold_start_limit]
    if data.cold_start and not shown:
        raise InputError(f"data.cold_start = {data.cold_start!r}: no row has a worked solution or a demonstration")
    return shown


def _evaluation(data: DataConfig, seed: int, on_warning: Callable[[str], None]) -> list[Problem]:
    if data.evaluation == "stories":
        sets = {"yes": "reasoning", "no": "reasoning_ood"}  # by whether its kind is trained on
        return [_in_set(_bare(p), sets[str(p.tags["trained"])]) for p in story_problems(data.stories, seed)[1]]
    bed = find_testbed(data.evaluation)
    if bed is None:
        return [
            _in_set(_bare(p), "reasoning") for p in _load(data.evaluation, data, on_warning)[: data.evaluation_limit]
        ]
    near, far = bed.held_out(data.evaluation_limit), bed.held_out(data.evaluation_limit, is_far=True)
    return [_in_set(_bare(p), "reasoning") for p in near] + [_in_set(_bare(p), "reasoning_ood") for p in far]


def _requests(bed: Testbed, kind: Kind, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Requests on seen objects, and on held-out objects in held-out words."""
    held = bed.requests(kind, seed=0, objects="heldout", phrasings="heldout", wrappers=None)
    return bed.requests(kind, seed=seed, shown=True), [_bare(p) for p in held]


def _split_prompts(
    source: str | tuple[str, ...], kind: Kind, data: DataConfig, seed: int, on_warning: Callable[[str], None]
) -> tuple[list[Problem], list[Problem]]:
    found = [replace(p, kind=kind) for p in _load(source, data, on_warning, needs_answer=False)]
    train, held = split(found, data.holdout, seed)
    return train, [_bare(p) for p in held]


def _unseen(kind: Kind, data: DataConfig, on_warning: Callable[[str], None]) -> list[Problem]:
    """Prompts that are evaluated alone, thinned evenly to the limit: files are often sorted by category."""
    found = _load(getattr(data, f"unseen_{kind}"), data, on_warning, needs_answer=False)
    chosen = found[:: max(-(-len(found) // data.evaluation_limit), 1)]
    return [_bare(replace(p, kind=kind)) for p in chosen]


def _load(
    source: str | tuple[str, ...], data: DataConfig, on_warning: Callable[[str], None], *, needs_answer: bool = True
) -> list[Problem]:
    found: dict[str, Problem] = {}
    for name in _listed(source):
        loaded = load_problems(name, on_error=data.on_error, needs_answer=needs_answer, on_warning=on_warning)
        if loaded.skipped:
            on_warning(f"{name}: {len(loaded.skipped)} malformed lines passed over, the first: {loaded.skipped[0]}")
        for problem in loaded.problems:
            if problem.id in found:
                raise InputError(
                    f"{name}: the id {problem.id!r} is in another source as well; ids key the random streams"
                )
            found[problem.id] = problem
    return list(found.values())


def _in_set(problem: Problem, name: str) -> Problem:
    return replace(problem, tags={**problem.tags, "set": name})


def _bare(problem: Problem) -> Problem:
    """Without what RL must not see."""
    return replace(problem, solution=None, demonstration=None)
