"""Answers of annotators in an SQLite file: nothing is changed or removed, and of two answers to one pair the later counts.

Each answer is one transaction that is on the disk when it returns: processes and threads may write at once, and a kill loses
none that was acknowledged.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sanmai.types import InputError, RunError

_WAIT_SECONDS = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
  number INTEGER PRIMARY KEY, annotator TEXT NOT NULL, pair TEXT NOT NULL, said TEXT NOT NULL, turned INTEGER NOT NULL,
  seconds REAL, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS by_annotator ON answers (annotator, pair);
"""


@dataclass(frozen=True)
class Answer:
    """What one annotator said of one pair, in the pair's own order whatever the side it was shown on."""

    annotator: str
    pair: str
    said: Mapping[str, int | None]
    """1 the first, -1 the second, 0 the same; None invalid: it cannot be told."""


class Store:
    """The file. Every call has a connection of its own."""

    def __init__(self, path: Path, digest: str) -> None:
        """Open it, or make it.

        Args:
            digest: of the pairs that answers refer to.

        Raises:
            InputError: it is no such file, or one of other pairs.
            RunError: the disk does not take it.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_TABLES)
            connection.execute("INSERT OR IGNORE INTO facts VALUES ('pairs', ?)", (digest,))
            (found,) = connection.execute("SELECT value FROM facts WHERE name = 'pairs'").fetchone()
        if found != digest:
            raise InputError(
                f"{path}: its answers are to other pairs, gold questions, dimensions or another seed; go on with those, or name "
                "another --answers"
            )

    def add(self, answer: Answer, *, is_turned: bool, seconds: float | None = None) -> None:
        """Keep an answer; it is on the disk when this returns. Raises as the constructor."""
        row = (answer.annotator, answer.pair, json.dumps(dict(answer.said)), int(is_turned), seconds)
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO answers (annotator, pair, said, turned, seconds) VALUES (?, ?, ?, ?, ?)", row)
            connection.execute("COMMIT")

    def answers(self, annotator: str | None = None) -> list[Answer]:
        """The latest answer of each annotator to each pair, in the order in which they were given first."""
        where, values = ("WHERE annotator = ?", (annotator,)) if annotator is not None else ("", ())
        with self._connected() as connection:
            rows: Sequence[tuple[str, str, str]] = connection.execute(
                f"SELECT annotator, pair, said FROM answers {where} ORDER BY number", values
            ).fetchall()
        return list({(who, pair): Answer(who, pair, json.loads(said)) for who, pair, said in rows}.values())

    @contextlib.contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous=FULL")
                yield connection
        except sqlite3.OperationalError as error:
            raise RunError(f"{self.path}: cannot be read or written ({error})") from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: not a file of answers ({error})") from None
