"""Columns that have other names than those that are known, named by setting."""

from __future__ import annotations

from collections.abc import Mapping

from sanmai.config import Config
from sanmai.data.files import Row
from sanmai.data.rows import RowError, dig


class ColumnsConfig(Config):
    """What stands in which column of the files; a name with a dot looks inside a column: reward_model.ground_truth."""

    prompt: str | None = None
    """The prompt, as text or as messages; None: under its usual names."""
    answer: str | None = None
    """The reference answer."""
    solution: str | None = None
    """A worked solution."""
    completion: str | None = None
    """The completion to imitate."""
    thought: str | None = None
    """The thought before the completion."""
    system: str | None = None
    """The system message."""
    id: str | None = None
    """What names a row."""
    language: str | None = None
    """The language that thought and answer should be in."""

    @property
    def stated(self) -> dict[str, str]:
        """The columns that are named, by what they mean."""
        named = {
            "prompt": self.prompt, "answer": self.answer, "solution": self.solution, "completion": self.completion,
            "thought": self.thought, "system": self.system, "id": self.id, "language": self.language,
        }  # fmt: skip
        return {meaning: name for meaning, name in named.items() if name is not None}


def mapped(row: Row, columns: Mapping[str, str]) -> Row:
    """The row with each of these columns under the name of what it means; what stood there under that name is left out.

    Raises:
        RowError: none of the columns is in the row.
    """
    if not columns:
        return row
    missing = sorted(name for name in columns.values() if name.partition(".")[0] not in row)
    if missing:
        known = ", ".join(str(name) for name in row if str(name).isidentifier())
        raise RowError(f"problems.columns: no column {', '.join(missing)}; there are {known[:300]}")
    moved = {name for name in columns.values() if "." not in name}
    others = {name: value for name, value in row.items() if name not in moved and name not in columns}
    return {**{meaning: dig(row, name) if "." in name else row[name] for meaning, name in columns.items()}, **others}
