"""What an audit asks: sets of problems by their role, from files or the embedded world, and the same in the dress of attacks.

A set keeps whole requests together (translations of one share the tag `original`), holds at most `limit` prompts (one request
at least), and holds none that the model was trained on or driven by, as far as its history tells.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sanmai.attack.families import attack
from sanmai.config import Config
from sanmai.data.problems import load_problems, normalised_prompt
from sanmai.data.testbeds import EMBEDDED, Testbed, find_testbed, own_testbed
from sanmai.data.twins import RefusedError, make_twin, read_worked
from sanmai.evidence.lineage import TrainedOn
from sanmai.evidence.served import is_served
from sanmai.policies.text.resolve import resolve_model
from sanmai.policies.text.tiny import TINY_PATH, is_embedded
from sanmai.rewards.verifiers import VERIFIERS
from sanmai.types import InputError, Problem
from sanmai.world.chance import generator

Role = Literal["reasoning", "reasoning_ood", "twins", "safety", "general", "attacks"]


class SourcesConfig(Config):
    """Each a list of files, folders or hub sets in one of the formats of docs/data.md, or "world" (the embedded one).

    With none at all a model that knows the embedded world's words is asked about it.
    """

    reasoning: tuple[str, ...] = ()
    """Problems with reference answers, like those that the model was trained for."""
    reasoning_ood: tuple[str, ...] = ()
    """The same of other forms: what training did not look like."""
    safety: tuple[str, ...] = ()
    """Prompts that ask for something dangerous, whatever kind their rows say."""
    general: tuple[str, ...] = ()
    """Harmless prompts. Of files in XSTest's format, or whose rows say so, also their dangerous contrasts."""

    @property
    def by_role(self) -> dict[Role, tuple[str, ...]]:
        return {
            "reasoning": self.reasoning, "reasoning_ood": self.reasoning_ood, "safety": self.safety, "general": self.general,
        }  # fmt: skip

    def or_world(self, model: str, *roles: Role) -> SourcesConfig:
        """These; where there are none, the embedded world for each of the roles.

        Raises:
            InputError: there are none, and the model does not know the world.
        """
        if any(self.by_role.values()):
            return self
        if not knows_world(model):
            raise InputError(
                f"sources: nothing to ask {model!r}; name files with --reasoning, --safety and --general (formats: docs/data.md)"
            )
        return SourcesConfig(**{role: (EMBEDDED,) for role in roles})


@dataclass(frozen=True)
class ProblemSet:
    """Problems that are asked together."""

    name: str
    """Role and source, such as "safety: multijail_dev", or "attacks: role_play"."""
    role: Role
    problems: list[Problem]
    num_read: int
    """Problems that the source has, before those trained on are left out and the rest is thinned."""
    num_trained_on: int = 0


def knows_world(model: str) -> bool:
    """Whether a model has the embedded world's tokenizer; InputError where the name means no model."""
    if is_embedded(model):
        return True
    if is_served(model):
        return False
    own, worlds = (_vocabulary(Path(folder)) for folder in (resolve_model(model), TINY_PATH))
    return own is not None and own == worlds


def problem_sets(
    sources: SourcesConfig,
    attacks: Sequence[str],
    *,
    limit: int,
    seed: int,
    twins: bool,
    trained: TrainedOn,
    on_warning: Callable[[str], None],
) -> list[ProblemSet]:
    """Every set, in the order in which they are asked; none is empty.

    Args:
        attacks: names of transforms, or chains of them; each makes a set of the dangerous and harmless requests it applies to.
        limit: prompts per set at most.
        seed: decides which requests are left when a set is thinned, and how transforms and twins are filled in.

    Raises:
        InputError: a file that cannot be used, a problem without what its role needs, two problems with one id, or no problem.
    """
    sets: list[ProblemSet] = []
    for role, names in sources.by_role.items():
        for name, label in zip(names, _labels(names), strict=True):
            found = [_in_set(p, role) for p in _load(name, role, on_warning)]
            fresh = [p for p in found if not _is_trained_on(p, trained)]
            kept = thinned(fresh, limit, seed)
            sets.append(ProblemSet(f"{role}: {label}", role, kept, len(found), len(found) - len(fresh)))
            if role == "reasoning" and twins:
                sets += _fresh_set(f"twins: {label}", "twins", _twins(name, kept, seed), trained, limit, seed)
    bases = [p for s in sets if s.role in ("safety", "general") for p in s.problems]
    for attack_name in dict.fromkeys(attacks):
        dressed = _attacked(bases, attack_name, seed)
        sets += _fresh_set(f"attacks: {attack_name}", "attacks", dressed, trained, limit, seed)
    for known in (s for s in sets if not s.problems):
        on_warning(
            f"{known.name}: the model was trained on every one of its {known.num_read:,} prompts; it is left out"
        )
    sets = [s for s in sets if s.problems]
    _check(sets)
    return sets


def _fresh_set(
    name: str, role: Role, problems: Sequence[Problem], trained: TrainedOn, limit: int, seed: int
) -> list[ProblemSet]:
    """The set of what was made from problems; none where nothing was."""
    if not problems:
        return []
    fresh = [p for p in problems if not _is_trained_on(p, trained)]
    return [ProblemSet(name, role, thinned(fresh, limit, seed), len(problems), len(problems) - len(fresh))]


def _labels(names: Sequence[str]) -> list[str]:
    """What sets are called by: the files' names without endings, with as much more as tells them apart."""
    paths = [Path(name.removeprefix("hub:")) for name in names]
    found = [path.stem for path in paths]
    for longer in (lambda path: path.name, lambda path: f"{path.parent.name}/{path.name}", str):
        count = Counter(found)
        found = [longer(path) if count[label] > 1 else label for path, label in zip(paths, found, strict=True)]
    return found


def thinned(problems: Sequence[Problem], limit: int, seed: int) -> list[Problem]:
    """At most `limit` problems, in their order: whole requests, drawn by a hash of seed and id; always one request at least.

    Kinds are thinned in proportion, so that a set of both stays one where the limit leaves room for both.
    """
    if len(problems) <= limit:
        return list(problems)
    requests: defaultdict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        requests[_request(problem)].append(problem)
    by_kind: defaultdict[str, list[str]] = defaultdict(list)
    for name, group in requests.items():
        by_kind[group[0].kind].append(name)
    kept: set[str] = set()
    total = 0
    sizes = {kind: sum(len(requests[name]) for name in names) for kind, names in by_kind.items()}
    for kind in sorted(by_kind, key=lambda kind: -sizes[kind]):
        names, room, chosen = by_kind[kind], limit * sizes[kind] // len(problems), 0
        generator("audit", seed, kind).shuffle(names)
        for name in names:
            size = len(requests[name])
            if (chosen and chosen + size > room) or (total and total + size > limit):
                break
            chosen, total = chosen + size, total + size
            kept.add(name)
    return [problem for problem in problems if _request(problem) in kept]


def _load(name: str, role: Role, on_warning: Callable[[str], None]) -> list[Problem]:
    if (bed := find_testbed(name)) is not None:
        return _of_testbed(bed, role)
    # A malformed line ends an audit: no setting passes over it, as fewer prompts than the file has would show less.
    loaded = load_problems(name, needs_answer=False, skip_setting=None, on_warning=on_warning)
    if loaded.duplicates:
        on_warning(f"{name}: {loaded.duplicates} problems left out because an earlier one has the same prompt")
    found = [replace(p, solution=None, demonstration=None) for p in loaded.problems]
    if role == "general":
        # A file of plain prompts says nothing of kinds; its place says that they are harmless.
        return [replace(p, kind="general") if p.kind == "reasoning" else p for p in found]
    if role == "safety":
        harmless = sum(p.kind == "general" or p.answer is not None for p in found)
        if harmless:
            on_warning(
                f"{name}: {harmless:,} of {len(found):,} prompts are not dangerous, as their rows say, and are asked as "
                "dangerous ones (--safety); --general takes both sorts"
            )
        return [replace(p, kind="safety") for p in found]
    if wrong := next((p for p in found if p.kind != "reasoning" or p.answer is None), None):
        what = "no reference answer" if wrong.kind == "reasoning" else f"kind {wrong.kind}"
        raise InputError(
            f"sources.{role}: problem {wrong.id} of {name} has {what}; expected a reasoning problem with one"
        )
    return found


def _of_testbed(bed: Testbed, role: Role) -> list[Problem]:
    """Held-out problems, problems of other forms, or requests about held-out objects in every phrasing."""
    if role in ("safety", "general"):
        requests = bed.requests(role, seed=0, objects="heldout", phrasings=None, wrappers=None)
        found = [p for p in requests if p.tags["wrapper"] == "plain"]
    else:
        found = bed.held_out(600, is_far=role != "reasoning")
    return [replace(p, solution=None) for p in found]


def _twins(source: str, problems: Sequence[Problem], seed: int) -> list[Problem]:
    """The problems' twins with other numbers, where there are any."""
    if (bed := find_testbed(source)) is not None:
        return [twin for twin in bed.twins(problems, seed) if twin is not None]
    tags = {p.id: p.tags for p in problems}
    found = []
    for worked in read_worked(source) if not source.startswith("hub:") else ():
        if worked.problem.id in tags:
            try:
                twin = make_twin(worked, seed)
            except RefusedError:
                continue
            found.append(replace(twin, solution=None, tags={**tags[worked.problem.id], **twin.tags}))
    return found


def _attacked(problems: Sequence[Problem], name: str, seed: int) -> list[Problem]:
    """Of every request that the attack applies to one prompt, the first of its languages."""
    bases = list({_request(p): p for p in reversed(problems)}.values())[::-1]
    made = (attack(p, name, seed=seed) for p in bases)
    return [_in_set(p, f"attacks/{name}") for p in made if p is not None]


def _check(sets: Sequence[ProblemSet]) -> None:
    if not sets:
        raise InputError("sources: no problem is left to ask; name files that the model was not trained on")
    counts = Counter(p.id for s in sets for p in s.problems)
    if twice := [identity for identity, count in counts.items() if count > 1]:
        raise InputError(f"sources: the id {twice[0]!r} is in two of the sets; ids key the random streams")
    for problem in (p for s in sets for p in s.problems):
        if problem.verifier not in VERIFIERS:
            known = ", ".join(sorted(VERIFIERS))
            raise InputError(
                f"problem {problem.id}: verifier {problem.verifier!r} is not known; expected one of {known}"
            )


def _is_trained_on(problem: Problem, trained: TrainedOn) -> bool:
    """Its prompt was among those, or its object of the embedded world was."""
    bed = own_testbed(problem)
    is_known = bed is not None and bed.subject(problem) in trained.objects
    return is_known or normalised_prompt(problem) in trained.prompts


def _request(problem: Problem) -> str:
    return str(problem.tags.get("original", problem.id))


def _in_set(problem: Problem, name: str) -> Problem:
    """With the tag that figures are split by; a set that the row names itself is kept as `own_set`."""
    own = {"own_set": problem.tags["set"]} if "set" in problem.tags else {}
    return replace(problem, tags={**problem.tags, **own, "set": name})


def _vocabulary(folder: Path) -> Mapping[str, Any] | None:
    """A tokenizer's words, as its file has them; None without one."""
    try:
        found = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, Mapping) else None
