"""Looks at sealed families: a ledger that each is written to beforehand, and what a model's history has to do with them.

    looks.jsonl     one line a look: when, by which stream, at which weights, which families

A ledger lies beside the streams' folders, and another in the run folder that made the model, so that it goes where the
model goes.
A model whose history touched a sealed family has met it before: by a file that it was trained, chosen or judged with, by whatever
wrote that file, by a teacher, a judge or a reward model in a local folder, or by a look that was had before it was finished. The
folders of its history are read as they are now, and the record beside its weights (train/seen.py) as it was when it was made.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import re
import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sanmai.attack.catalogue import families_named
from sanmai.config import named_in
from sanmai.data.problems import load_problems
from sanmai.evidence.lineage import DATA_ENDINGS, Step, history, run_folder
from sanmai.pipelines.identity import content_digest
from sanmai.policies.text.tiny import is_embedded
from sanmai.train.places import as_named, began_in
from sanmai.train.seen import LEDGER, TAGS, carried, files_named
from sanmai.types import InputError, Problem

_MAX_PARENTS = 4
_TAG = re.compile(r'"(?:' + "|".join(TAGS) + r')"\s*:\s*"([^"]*)"')
Words = tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """One look at sealed families."""

    time: str
    """UTC, ISO 8601."""
    stream: str
    """The stream's folder: a run that goes on has had its look."""
    weights: str
    families: tuple[str, ...]
    model: str = ""
    """Digest of the model's files, or its name: loaded in other arithmetic or with adapters, its weights have another digest."""
    settings: str = ""
    """Digest of the stream's settings: another stream in a folder of the same name is another look."""


@dataclass(frozen=True)
class Touches:
    """What of a history touched sealed families."""

    found: tuple[str, ...] = ()
    """A sentence each; none: as far as its files tell, nothing."""
    unread: tuple[str, ...] = ()
    """Files that it names and that could not be read: what was in them cannot be told."""
    elsewhere: tuple[str, ...] = ()
    """Sets and models of the hub, and models behind servers, that it names: what they saw is not known here."""


def record_look(
    model: str, weights: str, families: Sequence[str], stream: Path, *, most: int, settings: str = ""
) -> list[Look]:
    """Write a look down, unless this stream has had it, and give those that came before it.

    Args:
        weights: digest of the model's weights.
        most: looks, this one included, that the model and those it came from may have had.
        settings: digest of the stream's settings.

    Raises:
        InputError: there were as many before; nothing is written then. Or a ledger cannot be read or written.
    """
    folder = stream.resolve()
    own = run_folder(model)
    paths = list(dict.fromkeys(p / LEDGER for p in (folder.parent, *([own.resolve()] if own else []))))
    try:
        with paths[0].open("a+", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # two streams at once have two looks
            had = _looks_before(model, weights, set(families), paths)
            mine = [look for look in had if look.stream == str(folder) and look.settings in ("", settings)]
            others = [look for look in had if look not in mine and (not mine or look.time < mine[0].time)]
            if not mine:
                if len(others) >= most:
                    raise InputError(
                        f"looks = {most}: {model} or what it came from has had {len(others)} looks at these sealed families, "
                        f"the last by {others[-1].stream}; a further one (looks = {len(others) + 1}) is no first contact"
                    )
                time = datetime.now(UTC).isoformat(timespec="microseconds")
                look = Look(time, str(folder), weights, tuple(families), content_of(model), settings)
                line = json.dumps(asdict(look), ensure_ascii=False) + "\n"
                for path in paths[1:]:
                    _append(path, line)
                handle.write(line)
                handle.flush()
                os.fsync(handle.fileno())
    except (OSError, UnicodeError) as error:
        raise InputError(f"{paths[0]}: a look cannot be recorded ({error}), so there is none") from None
    return others


def touches(model: str, sealed: Set[str], prompts: Set[Words]) -> Touches:
    """What a model's history, as far as its folders tell it, has to do with sealed families.

    Args:
        sealed: names of families.
        prompts: the words of sealed prompts, as words_of gives them: a file that lost its tags is known by them.
    """
    found = _carried(model, sealed)
    unread: list[str] = []
    elsewhere: list[str] = []
    seen: set[str] = set()
    for folder in _folders(model):
        config = settings_of(folder)
        if config.get("recipe") == "stream" and config.get("release"):
            found.append(f"{folder} is a stream that met sealed families")
        for families in (f & sealed for f in rollout_families(folder)):
            found += [f"{folder}: its rollouts are of {', '.join(sorted(families))}"] if families else []
        elsewhere += _elsewhere(config, began_in(folder))
        unread += _changed(folder)
        for name in _names(folder, config):
            if name.startswith("hub:"):
                elsewhere.append(name)
            elif _is_file_of_problems(name) and name not in seen:
                seen.add(name)
                try:
                    loaded = load_problems(name, on_error="skip", needs_answer=False, on_warning=lambda note: None)
                except InputError:
                    if why := _raw_families(Path(name), sealed, prompts):
                        found.append(f"{name}: {why}")
                    elif why is None:
                        unread.append(name)
                    continue
                if families := frozenset().union(*map(_families_of, loaded.problems)) & sealed:
                    found.append(f"{name}: its prompts are of {', '.join(sorted(families))}")
                elif prompts & {words_of(p) for p in loaded.problems}:
                    found.append(f"{name}: it has prompts of sealed families, without their tags")
    return Touches(*(tuple(dict.fromkeys(part)) for part in (found, unread, elsewhere)))


def _carried(model: str, sealed: Set[str]) -> list[str]:
    """What the record that goes with a model's weights says, however its folders were moved since."""
    try:
        seen = carried(model, with_looks=False)
    except ValueError as error:
        return [f"{error}, so what it was shown cannot be told"]
    families = frozenset().union(*map(families_named, seen.dress)) & sealed
    dressed = [f"{model}: prompts that its record names are of {', '.join(sorted(families))}"] if families else []
    looked = sorted(seen.looked & sealed)
    return dressed + ([f"{model}: what it came from was released on {', '.join(looked)}"] if looked else [])


def words_of(problem: Problem) -> Words:
    """The words of a prompt, turn by turn."""
    return tuple(message["content"] for message in problem.messages)


def _families_of(problem: Problem) -> frozenset[str]:
    return _tagged(problem.tags)


def _tagged(tags: Mapping[str, Any]) -> frozenset[str]:
    return frozenset().union(*(families_named(str(tags[name])) for name in TAGS if name in tags))


def _folders(model: str) -> Iterator[Path]:
    """The run folders of a model's history, and of all that their configurations name, and so on."""
    waiting, seen = [model], set[Path]()
    while waiting:
        for step in history(waiting.pop()):
            if step.folder is None or (folder := Path(step.folder).resolve()) in seen:
                continue
            seen.add(folder)
            yield folder
            waiting += [str(found) for name in _names(folder, settings_of(folder)) if (found := _run_above(name)) is not None]


def _run_above(name: str) -> Path | None:
    """The run folder that a name is, or is a file or checkpoint in."""
    path = Path(name)
    if not 0 < len(name) < 1000 or not path.exists():
        return None
    parents = [path, *path.resolve().parents][: _MAX_PARENTS + 1]
    return next((p for p in parents if (p / "config.toml").is_file()), None)


def _names(folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """Every text of a run's configuration, paths as they are called from here."""
    began = began_in(folder)
    for text in named_in(config):
        yield as_named(began, text)


def _changed(folder: Path) -> Iterator[str]:
    """Files that are others now than when the run read them."""
    try:
        files = dict(json.loads((folder / "environment.json").read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # an older run: what is there is taken for what was there
    for text, digest in files.items():
        path = as_named(began_in(folder), str(text))
        if files_named([path]).get(path, digest) != digest:
            yield f"{path} as it was then"


def _elsewhere(config: Mapping[str, Any], began: Path | None) -> Iterator[str]:
    """Models of a configuration that are in no folder here."""
    name, model, server = (config.get(key) for key in ("name", "model", "base_url"))
    if isinstance(name, str) and "trust_remote_code" in config and not is_embedded(name) and name != "new":
        yield from () if Path(as_named(began, name)).exists() else (f"the model {name}",)
    if server and isinstance(model, str) and model and not Path(as_named(began, model)).exists():
        yield f"{model} behind {server}"
    for part in config.values():
        if isinstance(part, Mapping):
            yield from _elsewhere(part, began)


def _is_file_of_problems(name: str) -> bool:
    """A file by its ending, there or not; or a folder that is no model and no run."""
    if name.lower().removesuffix(".gz").endswith(DATA_ENDINGS) and len(name) < 1000:
        return True
    if not (0 < len(name) < 1000 and "/" in name and Path(name).is_dir()):
        return False
    return not any((Path(name) / part).exists() for part in ("config.json", "config.toml", "checkpoints"))


def rollout_families(folder: Path) -> Iterator[frozenset[str]]:
    """Of the prompts that a run was trained on or measured with, as its records have them; for problems that no file names."""
    tags: set[str] = set()
    for kind in ("rollouts", "probes", "evaluations"):
        for path in sorted(folder.glob(f"{kind}/*.parquet")):
            try:
                tags |= set(pq.read_table(path, columns=["tags"]).column("tags").unique().to_pylist())
            except (OSError, ValueError, KeyError):
                continue
    for text in sorted(tag for tag in tags if tag):
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, Mapping):
            yield _tagged(found)


def _raw_families(path: Path, sealed: Set[str], prompts: Set[Words]) -> str | None:
    """Of a file that holds no problems (pairs, judgements): why it touches, "" where it does not; None: it cannot be read."""
    try:
        if path.suffix == ".parquet":
            text = "\n".join(json.dumps(row, ensure_ascii=False, default=str) for row in pq.read_table(path).to_pylist())
        else:
            content = path.read_bytes()
            text = (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode()
    except (OSError, EOFError, zlib.error, ValueError):
        return None
    text = text.replace('\\"', '"').replace("\\n", "\n")
    if named := frozenset().union(*map(families_named, set(_TAG.findall(text)))) & sealed:
        return f"its rows are of {', '.join(sorted(named))}"
    long = {words for prompt in prompts for words in prompt if len(words) > 20}
    return "it has words of sealed prompts" if any(words in text for words in long) else ""


def _looks_before(model: str, weights: str, families: Set[str], paths: Sequence[Path]) -> list[Look]:
    """Looks at the families that this model had, and those that its ancestors had before what came of them was finished."""
    steps = history(model)
    ledgers = [*paths, *(Path(step.folder) / LEDGER for step in steps if step.folder)]
    looks = {look: None for path in dict.fromkeys(p.resolve() for p in ledgers) for look in _read(path)}
    until = {str(step.facts["starting_weights"]): _finished(step) for step in steps if step.facts.get("starting_weights")}
    until |= {content_of(name): _finished(step) for step in steps if step.folder and (name := began_with(Path(step.folder)))}
    until[weights] = until[content_of(model)] = "~"

    def counts(look: Look) -> bool:
        return look.time < max(until.get(look.weights, ""), until.get(look.model, ""))

    return sorted((look for look in looks if families & set(look.families) and counts(look)), key=lambda look: look.time)


def content_of(model: str) -> str:
    """Of the model's files, however they are loaded; of a hub's model its name."""
    return content_digest(model) or model


def began_with(folder: Path) -> str | None:
    """The model that a run began with."""
    config = settings_of(folder)
    found = config.get("model")
    name = found.get("name") if isinstance(found, Mapping) else None
    return as_named(began_in(folder), name) if isinstance(name, str) and config.get("recipe") != "pretrain" else None


def _finished(step: Step) -> str:
    """The time of a run's last event; "~", after all times, where it is not known."""
    try:
        lines = (Path(step.folder or "") / "events.jsonl").read_text(encoding="utf-8").splitlines()
        return str(json.loads(lines[-1])["time"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return "~"


def _read(path: Path) -> list[Look]:
    """A ledger's looks, in the order in which they were written.

    Raises:
        InputError: a line is damaged: how many looks there were cannot be told.
    """
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            more = (str(row.get(name, "")) for name in ("model", "settings"))
            found.append(
                Look(str(row["time"]), str(row["stream"]), str(row["weights"]), tuple(map(str, row["families"])), *more)
            )
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path}:{number}: no look; restore the ledger, or how many there were cannot be told") from None
    return found


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as handle:
        handle.write(line)
        handle.flush()
        os.fsync(handle.fileno())


def settings_of(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
