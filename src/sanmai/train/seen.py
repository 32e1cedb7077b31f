"""What a model's history was shown, carried with its weights: in a run's environment.json, in checkpoints, in what is exported.

    seen.json     {"dress": [...], "looked": [...]}

Folders are moved, copied and thrown away; what stands beside the weights goes where they go. A run's record is that of its own
prompts and of every model, judge, reward model and file of another run that its settings name, as these are when it begins.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanmai.policies.text.checkpoints import MANIFEST, checkpoint_folders, file_stamp, stamp_differs
from sanmai.policies.text.gguf_files import gguf_value, is_gguf
from sanmai.policies.text.resolve import chosen_model
from sanmai.types import InputError

FILE = "seen.json"
GGUF_KEY = "sanmai.seen"
"""Of the same in a GGUF file."""
LEDGER = "looks.jsonl"
"""One line a look at sealed families; see evidence/looks.py."""
WRITER = "writer_saw"
"""Tag of a row that a model wrote: families that this model was shown."""
TAGS = ("family", "attack", "style", "wrapper", WRITER)
"""Tags of a problem that name a family, a transform, a red team's style or a wrapper of the embedded world, or several by a +."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
"""What may name a family or a transform. Texts that other people's tags hold are nobody else's business."""
_MAX_PARENTS = 4
_WHOLE_BYTES = 2**26


@dataclass(frozen=True)
class Seen:
    """What a history was shown."""

    dress: frozenset[str] = frozenset()
    """Names in TAGS of all problems that it was trained, chosen or measured with."""
    looked: frozenset[str] = frozenset()
    """Sealed families that something in it was released on."""

    def __or__(self, other: Seen) -> Seen:
        return Seen(self.dress | other.dress, self.looked | other.looked)

    def __bool__(self) -> bool:
        return bool(self.dress or self.looked)

    def to_json(self) -> dict[str, list[str]]:
        return {"dress": sorted(self.dress), "looked": sorted(self.looked)}

    @staticmethod
    def read(value: Any) -> Seen:
        """Of what to_json gave.

        Raises:
            ValueError: it is something else.
        """
        if not isinstance(value, Mapping) or not all(isinstance(value.get(name), list) for name in ("dress", "looked")):
            raise ValueError("expected the lists dress and looked")
        return Seen(*(frozenset(map(str, value[name])) for name in ("dress", "looked")))


def dress_of(problems: Iterable[object]) -> frozenset[str]:
    """The names in the values of TAGS, each once, also of "role_play+base64"; what has no tags has none."""
    tagged = [tags for one in problems if isinstance(tags := getattr(one, "tags", None), Mapping)]
    values = {tags[name] for tags in tagged for name in TAGS if isinstance(tags.get(name), str)}
    return frozenset(part for value in values for part in value.split("+") if _NAME.fullmatch(part))


def carried(name: str, *, with_looks: bool = True) -> Seen:
    """What the model, the run folder or the file of one that a setting names was shown; nothing where it names none of them.

    Args:
        with_looks: those in its ledger too, which it had since it was made.

    Raises:
        ValueError: a record was there and is not what was written.
    """
    try:
        if not 0 < len(name) < 1000 or not Path(name).exists():
            return Seen()
        if (chosen := chosen_model(name)) is not None and chosen != name:
            return carried(chosen, with_looks=with_looks)
    except (OSError, InputError):
        return Seen()
    found = _in_gguf(Path(name)) if is_gguf(name) else Seen()
    for folder in _folders(Path(name)):
        found |= _beside(folder) | _of_run(folder) | (_of_ledger(folder) if with_looks else Seen())
    return found


def files_named(texts: Iterable[str]) -> dict[str, str]:
    """Of the files that settings name: SHA-256, of large ones the size, by which a later reader knows that they are the same."""
    found = {}
    for text in texts:
        with contextlib.suppress(OSError, ValueError):
            if 0 < len(text) < 1000 and (path := Path(text)).is_file():
                size = path.stat().st_size
                found[text] = file_stamp(path)["sha256"] if size <= _WHOLE_BYTES else f"{size} bytes"
    return found


def write_seen(folder: Path, seen: Seen) -> None:
    """Put the record beside a model's weights; of nothing there is none."""
    if seen:
        (folder / FILE).write_text(json.dumps(seen.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _folders(path: Path) -> Iterator[Path]:
    """Of a path: itself, its newest checkpoint, and the run folder that it is in."""
    if path.is_dir():
        yield path
        yield from checkpoint_folders(path)[:1]
    above = path.resolve().parents[:_MAX_PARENTS]
    if (run := next((p for p in above if (p / "config.toml").is_file()), None)) is not None:
        yield run


def _beside(folder: Path) -> Seen:
    path = folder / FILE
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        expected = manifest["files"].get(FILE)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        expected = None  # no checkpoint of ours: an exported folder, or somebody else's
    if expected is not None and (why := stamp_differs(path, expected)):
        raise ValueError(f"{path} {why}")
    if not path.is_file():
        return Seen()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        is_ours = isinstance(found, Mapping) and not found.keys().isdisjoint(("dress", "looked"))
        return Seen.read(found) if is_ours else Seen()  # somebody else's file of that name
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error})") from None


def _in_gguf(file: Path) -> Seen:
    value = gguf_value(file, GGUF_KEY)
    try:
        return Seen() if value is None else Seen.read(json.loads(value))
    except ValueError as error:
        raise ValueError(f"{file}: {GGUF_KEY} cannot be read ({error})") from None


def _of_run(folder: Path) -> Seen:
    try:
        return Seen.read(json.loads((folder / "environment.json").read_text(encoding="utf-8"))["seen"])
    except (OSError, ValueError, KeyError, TypeError):
        return Seen()  # an older run, or no run: its checkpoints may tell


def _of_ledger(folder: Path) -> Seen:
    try:
        rows = map(json.loads, (folder / LEDGER).read_text(encoding="utf-8").splitlines())
        return Seen(looked=frozenset(str(family) for row in rows for family in row["families"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Seen()  # who looks again is told of a damaged one
