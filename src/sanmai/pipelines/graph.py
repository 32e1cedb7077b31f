"""A recipe of recipes: named stages whose settings refer to each other's results, each done once.

A stage is one call of a recipe. Wherever its settings hold the text "@NAME" or "@NAME/FILE" they mean the folder of an earlier
stage, or a file in it; of a command each word may. A stage is identified by the digest of its settings, of the files and
models that they name, of the stages that it refers to, and of its recipe's stated version; that digest is in the name of its
folder (identity.py). So a finished stage is found again, an interrupted one goes on where it was, and a changed one is a new
folder, as is all that hangs on it. One that was graded by a verifier that grades otherwise now is done anew under its own name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sanmai.config import Config, with_names
from sanmai.learn.progress import Progress
from sanmai.older import AsOf, enumerated, words
from sanmai.pipelines.identity import (
    BEGUN,
    MANIFEST,
    digest_of,
    facts_of,
    graders_of,
    made_before,
    outdated_graders,
    read_manifest,
    why_anew,
)
from sanmai.policies.text.checkpoints import newest_good_checkpoint
from sanmai.policies.text.cpu.allocator import return_freed_memory
from sanmai.policies.text.resolve import resolve_model
from sanmai.recipes import RECIPES, find_recipe
from sanmai.train.runs import holding, holds_only, storing, write_whole
from sanmai.train.state import keep_models_alone
from sanmai.types import InputError

GRAPH = "graph.json"
"""In the pipeline's folder: its stages in order, for reports."""
_BEGINNINGS = frozenset({"run.lock", "config.toml", ".partial-config.toml", f".partial-{GRAPH}"})
"""What a kill or a full disk can leave of a pipeline's folder before it has its GRAPH."""
_MODELS = "models"
"""Of a stage's checkpoints: what is kept, as its MANIFEST says it. Of one that says nothing all is."""
State = Literal["finished", "outdated", "interrupted", "new"]
"""outdated: finished, but graded by a verifier that grades otherwise now."""


@dataclass(frozen=True)
class Stage:
    """One recorded call of a recipe.

    Example:
        Stage("dev2", "zero", ZeroConfig(model=ModelConfig(name="@dev1")), "RL on the cold start")
    """

    name: str
    recipe: str
    config: Config
    """Settings with "@NAME" in place of what other stages make."""
    purpose: str
    tags: Mapping[str, str] = field(default_factory=dict)
    """For the report: what is evaluated, and by which stage."""

    @property
    def inputs(self) -> list[str]:
        """Names of the stages that it refers to, in order."""
        found: list[str] = []

        def look(text: str) -> str:
            found.extend([text[1:].split("/", 1)[0]] if text.startswith("@") else [])
            return text

        with_names(self.config.model_dump(mode="json"), look)
        return list(dict.fromkeys(found))


class Graph:
    """Stages in an order in which each comes after those that it refers to, and the folder that they are kept in."""

    def __init__(self, stages: Sequence[Stage], folder: Path) -> None:
        """Raises InputError when a stage refers to one that does not come before it."""
        self.stages, self.folder = list(stages), Path(folder)
        self.digests: dict[str, str] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        """What each stage's result depends on; its digest is of this."""
        self.older: dict[str, AsOf] = {}
        """The stages that are there from when there were other settings."""
        for stage in self.stages:
            for name in stage.inputs:
                if name not in self.digests:
                    raise InputError(
                        f"stage {stage.name} refers to @{name}, which is no stage before it; expected one of "
                        f"{', '.join(self.digests)}"
                    )
            made_from = {name: self.digests[name] for name in stage.inputs}
            self._identify(stage, facts_of(stage.recipe, stage.config, made_from))

    def _identify(self, stage: Stage, facts: dict[str, Any]) -> None:
        """Under its own digest, or under that of a stage that an older Sanmai made from the same, if only that is there."""
        self.facts[stage.name], self.digests[stage.name] = facts, digest_of(facts)
        if not _holds_anything(self.path(stage.name)):
            before = made_before(self.folder, stage.name, stage.config, facts)
            if before is not None:
                self.facts[stage.name], self.digests[stage.name] = before.facts, before.digest
                self.older |= {stage.name: before.then} if words([before.then]) else {}

    def path(self, name: str) -> Path:
        """The folder of a stage."""
        return self.folder / "stages" / f"{name}-{self.digests[name]}"

    def state(self, name: str) -> State:
        """How far a stage is; one whose model is gone or damaged is not finished, whatever it was."""
        stage = next(s for s in self.stages if s.name == name)
        if (self.path(name) / MANIFEST).is_file() and _has_model(stage.recipe, self.path(name)):
            return "outdated" if outdated_graders(read_manifest(self.path(name))) else "finished"
        return "interrupted" if _holds_anything(self.path(name)) else "new"

    def chosen(self, *, since: str | None = None, until: str | None = None, only: str | None = None) -> list[Stage]:
        """The stages to look at; the others are left as they are.

        Raises:
            InputError: a name that is no stage, or `only` together with another.
        """
        names = [stage.name for stage in self.stages]
        for option, name in (("--from", since), ("--until", until), ("--only", only)):
            if name is not None and name not in names:
                raise InputError(f"{option} {name}: no such stage; expected one of {', '.join(names)}")
        if only is not None and (since is not None or until is not None):
            raise InputError("--only together with --from or --until: expected one or the other")
        begin, end = only or since or names[0], only or until or names[-1]
        first, last = names.index(begin), names.index(end)
        if first > last:
            raise InputError(f"--from {since} comes after --until {until}")
        return self.stages[first : last + 1]

    def depends_on(self, name: str, other: str) -> bool:
        """Whether a stage refers to another, or to one that does."""
        stage = next(s for s in self.stages if s.name == name)
        return any(i == other or self.depends_on(i, other) for i in stage.inputs)

    def resolved(self, stage: Stage) -> Config:
        """The stage's settings with folders in place of names.

        Raises:
            InputError: a setting cannot work, or one of its problems would do nothing with the sources that it is given.
        """
        stated = stage.config.model_dump(exclude_unset=True, include={"problems"})
        values = with_names(stage.config.model_dump(mode="json"), self._with_path)
        return type(stage.config).read(values, source=f"stage {stage.name}", stated=stated)

    def write(self, config: str, *, is_whole: bool = True) -> None:
        """Say in GRAPH what hangs on what, for whoever reads the folder, and in config.toml with which settings.

        Args:
            config: text of config.toml.
            is_whole: false where more stages may follow: a graph that begins with these is then left as it is.

        Raises:
            InputError: the folder holds something else, or cannot be written to.
        """
        rows = [
            {
                "name": stage.name,
                "recipe": stage.recipe,
                "purpose": stage.purpose,
                "inputs": stage.inputs,
                "folder": str(self.path(stage.name).relative_to(self.folder)),
                "digest": self.digests[stage.name],
                **stage.tags,
            }
            for stage in self.stages
        ]
        with storing(self.folder):
            if not (self.folder / GRAPH).exists() and not holds_only(self.folder, _BEGINNINGS):
                raise InputError(f"{self.folder}: not empty, and not the folder of a pipeline; choose another --out")
            self.folder.mkdir(parents=True, exist_ok=True)
            if not is_whole and self._begins_with(rows, config):
                return
            write_whole(self.folder / "config.toml", config)
            write_whole(self.folder / GRAPH, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")

    def _begins_with(self, rows: list[dict[str, Any]], config: str) -> bool:
        try:
            found = json.loads((self.folder / GRAPH).read_text(encoding="utf-8"))[: len(rows)]
            return found == rows and (self.folder / "config.toml").read_text(encoding="utf-8") == config
        except (OSError, ValueError, TypeError, KeyError):
            return False

    def begin(self, stage: Stage) -> None:
        """Record what a stage is made from, for a Sanmai with other settings that is to go on with it."""
        path = self.folder / BEGUN
        with storing(path):
            write_whole(path, json.dumps(self._told_of(stage), indent=1) + "\n")

    def finish(self, stage: Stage, *, keeps_states: bool = True) -> None:
        """Record that a stage is done. No time in it: doing it again gives the same file.

        Args:
            keeps_states: false where `slim` is to leave its models alone.
        """
        graders = graders_of(self.path(stage.name))
        for name in stage.inputs:  # what an earlier stage's verdicts decided is in this one, too
            graders |= read_manifest(self.path(name)).get("graders") or {}
        path = self.path(stage.name) / MANIFEST
        with storing(path):
            kept = {} if keeps_states else {"keeps": _MODELS}
            write_whole(path, json.dumps({**self._told_of(stage), "graders": graders, **kept}, indent=1) + "\n")

    def slim(self, stage: Stage) -> None:
        """Leave of a finished stage's checkpoints what no other stage can need to go, where it was finished so."""
        if read_manifest(self.path(stage.name)).get("keeps") == _MODELS:
            with storing(self.path(stage.name)):
                keep_models_alone(self.path(stage.name))

    def _told_of(self, stage: Stage) -> dict[str, Any]:
        return {"name": stage.name, "digest": self.digests[stage.name], **self.facts[stage.name]}

    def _with_path(self, text: str) -> str:
        if not text.startswith("@"):
            return text
        name, _, file = text[1:].partition("/")
        return str(self.path(name) / file if file else self.path(name))


def run_graph(
    graph: Graph,
    progress: Progress,
    *,
    since: str | None = None,
    until: str | None = None,
    only: str | None = None,
    keeps_states: bool = False,
) -> bool:
    """Do what is not done; whether all that was chosen is finished.

    Args:
        since: do this stage again, and what hangs on it among those chosen, though finished; their folders are removed first.
        until: stop after this stage.
        only: this stage alone.
        keeps_states: keep of every stage that is done now what training on from its end would need, and older checkpoints.

    Raises:
        InputError: settings of a stage that cannot work; a stage needs the result of one that is not chosen and not finished;
            another process works in the folder; or what a stage raises.
    """
    chosen = graph.chosen(since=since, until=until, only=only)
    names = [stage.name for stage in chosen]
    for stage in chosen:
        graph.resolved(stage)  # what cannot work is refused now, not when its turn comes
        for name in stage.inputs:
            if name not in names and graph.state(name) != "finished":
                raise InputError(f"stage {stage.name} needs {name}, which is not finished and is not among those chosen")
    with holding(graph.folder, signed=since is not None) as sign:
        if since is not None:
            progress.say(f"Doing {since} again, and what hangs on it. To go on after an interruption, leave --from out.")
            for stage in chosen:
                if stage.name == since or graph.depends_on(stage.name, since):
                    _remove(graph.path(stage.name))
        if older := [name for name in names if name in graph.older and _holds_anything(graph.path(name))]:
            was, it = ("was", "it is") if len(older) == 1 else ("were", "they are")
            progress.say(f"{enumerated(older)} {was} made {words(graph.older[name] for name in older)}: {it} kept.")
        for k, stage in enumerate(chosen, start=1):
            if not _run_stage(graph, stage, f"[{k}/{len(chosen)}] {stage.name}: {stage.purpose}", progress, sign, keeps_states):
                return False
    return True


def _run_stage(graph: Graph, stage: Stage, title: str, progress: Progress, sign: Callable[[], None], keeps_states: bool) -> bool:
    """Do a stage, or go on with it; whether it is finished.

    Args:
        sign: called before anything is written.
    """
    state, path = graph.state(stage.name), graph.path(stage.name)
    said = {"finished": "done before", "interrupted": "going on"}.get(state, stage.recipe)
    progress.say(f"{title} ({said})", style="bold")
    if state == "finished":
        graph.slim(stage)  # after a kill in the middle of it; else there is nothing to do
        return True
    sign()
    if state == "outdated":
        kept = _set_aside(path)
        progress.say(f"{stage.name} is done anew: {outdated_graders(read_manifest(kept))}. What was made before stays in {kept}.")
    elif state == "new" and (reason := why_anew(graph.folder, stage.name, stage.config, graph.facts[stage.name])) is not None:
        progress.say(reason)
    recipe, config = find_recipe(stage.recipe), graph.resolved(stage)
    if (path / "config.toml").is_file():
        # The digest says that the settings are the same. The folder may have been moved, or be called by another name.
        with storing(path):
            write_whole(path / "config.toml", f'recipe = "{stage.recipe}"\n{config.to_toml()}')
    graph.begin(stage)
    try:
        recipe.run(config, path, progress=progress)
    except InputError as error:
        raise InputError(f"stage {stage.name}: {error}") from None
    return_freed_memory()  # the next stage loads models of its own
    if progress.was_interrupted:
        return False
    graph.finish(stage, keeps_states=keeps_states)
    graph.slim(stage)
    return True


def _holds_anything(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _set_aside(path: Path) -> Path:
    """Give a finished stage's folder another name, under which nothing looks for it."""
    number = 1 + sum(1 for _ in path.parent.glob(f"{path.name}-before*"))
    return path.rename(path.with_name(f"{path.name}-before{number}"))


def _has_model(name: str, path: Path) -> bool:
    """The model of a stage that makes one is there; true of the others."""
    recipe = RECIPES.get(name)
    if recipe is None:
        return True
    if recipe.chooses:
        try:
            model = Path(resolve_model(str(path)))
        except InputError:
            return False
        return not model.is_dir() or (model / "config.json").is_file()
    return not recipe.keeps_checkpoints or newest_good_checkpoint(path) is not None


def _remove(path: Path) -> None:
    """Remove a stage's folder; a kill in the middle leaves nothing that looks like a stage."""
    if path.exists():
        removed = path.with_name(f".removed-{path.name}")
        shutil.rmtree(removed, ignore_errors=True)
        path.rename(removed)
        shutil.rmtree(removed)
