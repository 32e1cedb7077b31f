"""A judge's replies on disk: one file per question, whole or not at all, so that several processes may share a folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from sanmai.types import Message, RunError


def reply_key(model: str, revision: str, settings: Mapping[str, float | int | str], messages: Sequence[Message]) -> str:
    """The name of a question: everything that the reply depends on, and nothing else (not where the model is served)."""
    facts = [model, revision, dict(settings), [[m["role"], m["content"]] for m in messages]]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class ReplyCache:
    """Replies by key. An entry that is not what was written, byte for byte, is a miss and is written again.

    Example:
        cache.put(key, "...")   # <folder>/3f/3f9a....json
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def get(self, key: str) -> str | None:
        try:
            entry = json.loads(self._path(key).read_bytes())
            reply, digest = entry["reply"], entry["sha256"]
            return reply if digest == _digest(key, reply) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None  # not there, or damaged in whatever way: the judge is asked again

    def put(self, key: str, reply: str) -> None:
        """Store a reply; the last of several writers stands.

        Raises:
            RunError: disk full or not writable.
        """
        path = self._path(key)
        partial = path.with_name(f".partial-{secrets.token_hex(8)}")
        text = json.dumps({"key": key, "reply": reply, "sha256": _digest(key, reply)})  # ASCII: any text can be stored
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="ascii")
            os.replace(partial, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise RunError(f"{self.folder}: the judge's replies cannot be stored there ({error})") from error

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _digest(key: str, reply: str) -> str:
    return hashlib.sha256(f"{key}\n{reply}".encode("utf-8", "surrogatepass")).hexdigest()
