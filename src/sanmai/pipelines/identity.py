"""What a stage is identified by, which one that was made before is the same, and why one that was finished is not."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from sanmai.config import Config, differing_keys, named_in, texts_in
from sanmai.older import AsOf, as_of, enumerated
from sanmai.policies.text.checkpoints import newest_good_checkpoint
from sanmai.policies.text.resolve import chosen_model
from sanmai.policies.text.tiny import TINY_PATH, is_embedded
from sanmai.recipes import RECIPES
from sanmai.rewards.verifiers import VERSIONS
from sanmai.types import InputError

MANIFEST = "stage.json"
"""In a stage's folder once it is finished: what it was made from."""
BEGUN = "begun.json"
"""In a pipeline's folder: the same of the stage that was begun last."""
_DIGITS = 10
"""Of a stage's digest."""
_WHOLE_BYTES = 2**26
"""Of a larger file the digest is of its size, its time and its ends."""
_FUNCTION = re.compile(r"^(.+\.py):\w+$")
"""A function in a file, as settings name it."""
_FACTS = frozenset({"recipe", "version", "settings", "files", "made_from"})
_MAPPINGS = ("settings", "files", "made_from", "graders")


def facts_of(recipe: str, config: Config, made_from: Mapping[str, str]) -> dict[str, Any]:
    """All that a stage's result depends on: settings, the recipe's version, files and models named, the stages before it.

    Args:
        made_from: digests of the stages that it refers to, by name.
    """
    settings = config.with_effect(config.model_dump(mode="json"))
    named = {text: _FUNCTION.sub(r"\1", text) for text in _names_in(config)}  # a reward in a file changes with the file
    files = {text: digest for text, file in named.items() if (digest := content_digest(file)) is not None}
    known = RECIPES.get(recipe)
    return {
        "recipe": recipe, "version": known.version if known else 1, "settings": settings, "files": files,
        "made_from": dict(made_from),
    }  # fmt: skip


def digest_of(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def graders_of(folder: Path) -> dict[str, int]:
    """Versions of the verifiers that graded a run's problems, as its environment.json says; empty where none did."""
    try:
        found = json.loads((folder / "environment.json").read_text(encoding="utf-8")).get("graders") or {}
        return {str(name): int(version) for name, version in dict(found).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def read_manifest(folder: Path, name: str = MANIFEST) -> dict[str, Any]:
    """The MANIFEST of a stage's folder; empty where there is none that can be read, and without what is no mapping there."""
    try:
        found = dict(json.loads((folder / name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
    return {name: value for name, value in found.items() if name not in _MAPPINGS or isinstance(value, Mapping)}


def outdated_graders(manifest: Mapping[str, Any]) -> str | None:
    """In words, which verifiers grade otherwise now than when a stage was done; None where all are as they were."""
    graders = manifest.get("graders") or {}
    changed = [name for name, version in graders.items() if VERSIONS.get(name, version) != version]
    if not changed:
        return None
    return ", ".join(f'the verifier "{name}" was version {graders[name]} and is {VERSIONS[name]}' for name in changed)


@dataclass(frozen=True)
class Before:
    """A stage that was made, or begun, from the same as one that is asked for, when there were other settings."""

    digest: str
    """In its folder's name."""
    facts: dict[str, Any]
    then: AsOf


def made_before(folder: Path, name: str, config: Config, facts: Mapping[str, Any]) -> Before | None:
    """The newest such stage of that name, finished ones first; its folder and digest stay as they are.

    Args:
        folder: of the pipeline.
    """
    for made in (*(made for _, made in _finished(folder / "stages", name)), read_manifest(folder, BEGUN)):
        digest = made.get("digest")
        is_there = made.get("name") == name and (folder / "stages" / f"{name}-{digest}").is_dir()
        if is_there and (then := _same(made, config, facts)) is not None:
            return Before(str(digest), {fact: made[fact] for fact in facts}, then)
    return None


def _finished(folder: Path, name: str) -> list[tuple[Path, dict[str, Any]]]:
    """The finished stages of that name, the newest first; those that were set aside among them."""
    found = [(path, read_manifest(path)) for path in folder.glob(f"{name}-*")]
    found = [(path, made) for path, made in found if made.get("name") == name]
    return sorted(found, key=lambda one: (one[0] / MANIFEST).stat().st_mtime, reverse=True)


def _same(made: Mapping[str, Any], config: Config, facts: Mapping[str, Any]) -> AsOf | None:
    """How the settings were written that a stage was made from, if nothing else differs from these facts."""
    if not made.keys() >= _FACTS or any(made[fact] != facts[fact] for fact in ("recipe", "version", "made_from")):
        return None
    was = config.with_effect(made["settings"])
    then = as_of(config, facts["settings"], was)
    named = set(named_in(then.values))  # a setting that came later may name a file
    is_same = then.values == was and _of(made["files"], named) == _of(facts["files"], named)
    return then if is_same else None


def _of(files: Mapping[str, str], named: Iterable[str]) -> dict[str, str]:
    return {name: files[name] for name in named if name in files}


def why_anew(folder: Path, name: str, config: Config, facts: Mapping[str, Any]) -> str | None:
    """A sentence on the newest finished stage of that name that the facts are not those of, or else on one that was begun; None
    where there is neither.

    Args:
        folder: of the pipeline.
    """
    for path, made in _finished(folder / "stages", name)[:1]:
        reason, remedy = _difference(made, config, facts)
        return f"{name} is done anew: {reason}. What was made before stays in {path}; {remedy}."
    made = read_manifest(folder, BEGUN)
    for path in (folder / "stages").glob(f"{name}-{'?' * _DIGITS}"):
        known = (made.get("name"), made.get("digest")) == (name, path.name.removeprefix(f"{name}-"))
        reason, remedy = _difference(made if known else {}, config, facts)
        return f"{name} is begun anew: {reason}. What was begun before stays in {path}; {remedy}."
    return None


def _difference(made: Mapping[str, Any], config: Config, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Why a finished stage is not the one that is asked for, and what would make it so."""
    if not made.keys() >= _FACTS:
        return "what it was made from is not written down, as older versions left it", "the version that made it goes on with it"
    if made["recipe"] != facts["recipe"] or made["version"] != facts["version"]:
        was, now = (f"recipe {of['recipe']}, version {of['version']}" for of in (made, facts))
        return f"{was}, is now {now}", "the Sanmai that its environment.json names goes on with it"
    was = config.with_effect(made["settings"])
    if changed := differing_keys(was, as_of(config, facts["settings"], was).values):
        return enumerated(changed, "; "), "with these as they were it is found again"
    if changed := differing_keys(made["files"], facts["files"]):
        return f"the content of {changed[0].split(' was ')[0]} changed", "with that as it was it is found again"
    before = [stage for stage, digest in facts["made_from"].items() if made["made_from"].get(stage) != digest]
    return f"{', '.join(before) or 'a stage before it'} was done anew", "it belongs to what was there before"


def content_digest(name: str) -> str | None:
    """Of the file, the files in the folder, or the checkpoint or chosen model that a setting names; None where it names none."""
    path = TINY_PATH if is_embedded(name) else Path(name)
    try:
        if not name or len(name) > 1000 or not path.exists():
            return None
        if (chosen := chosen_model(name)) is not None:
            return content_digest(chosen) or chosen
        if path.is_dir() and (path / "checkpoints").is_dir():
            path = newest_good_checkpoint(path) or path
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        sha = hashlib.sha256()
        for file in files:
            sha.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
            sha.update(_file_bytes(file))
    except (OSError, InputError):
        return None  # whoever opens it says what is wrong with it
    return sha.hexdigest()[:16]


def _file_bytes(file: Path) -> bytes:
    facts = file.stat()
    if facts.st_size <= _WHOLE_BYTES:
        return file.read_bytes()
    with file.open("rb") as opened:
        start = opened.read(2**20)
        opened.seek(-(2**20), 2)
        return start + opened.read() + str(facts.st_mtime_ns).encode()


def _names_in(config: Config) -> Iterator[str]:
    """Texts in settings that may name a file or folder: no choice among stated words does, whatever lies where one works."""
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, Config):
            yield from _names_in(value)
        elif not _is_choice(info.annotation):
            dumped = config.model_dump(mode="json", include={name})
            yield from texts_in(dumped)
            # Of a command: a program writes into the folders that it works in, of which only those of runs are read.
            yield from (word for word in named_in(dumped) if os.path.isfile(word) or os.path.isdir(f"{word}/checkpoints"))


def _is_choice(annotation: Any) -> bool:
    """A Literal, or one of several, or None."""
    if get_origin(annotation) is Literal:
        return True
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return get_origin(annotation) in (UnionType, Union) and bool(kinds) and all(map(_is_choice, kinds))
