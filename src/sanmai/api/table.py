"""Rows as people want them: dictionaries, columns, Arrow, pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, overload

from sanmai.types import InputError

if TYPE_CHECKING:
    import pandas
    import pyarrow

_SHOWN_ROWS = 10
_SHOWN_CHARACTERS = 80


class Table(Sequence[dict[str, Any]]):
    """Rows by number, columns by name.

    Example:
        run.metrics[-1]["reward/mean"]; run.metrics["reward/mean"]; run.metrics.to_pandas()
    """

    def __init__(self, arrow: pyarrow.Table) -> None:
        self._arrow = arrow

    @staticmethod
    def of(rows: Sequence[Mapping[str, Any]]) -> Table:
        """Of dictionaries; a name that a row lacks is None there."""
        import pyarrow as pa

        names = list(dict.fromkeys(name for row in rows for name in row))
        return Table(pa.table({name: [row.get(name) for row in rows] for name in names}))

    @property
    def columns(self) -> list[str]:
        return self._arrow.column_names

    def __len__(self) -> int:
        return self._arrow.num_rows

    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: slice) -> Table: ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    def __getitem__(self, key: int | slice | str) -> Any:
        """A row (int), rows (slice) or a column's values (str).

        Raises:
            KeyError, IndexError: no such column or row.
        """
        if isinstance(key, str):
            if key not in self.columns:
                raise KeyError(f"{key!r}: no such column; there are {', '.join(self.columns)}")
            return self._arrow.column(key).to_pylist()
        if isinstance(key, slice):
            return Table(self._arrow.take(list(range(*key.indices(len(self))))))
        number = key + len(self) if key < 0 else key
        if not 0 <= number < len(self):
            raise IndexError(f"row {key} of {len(self)}")
        return self._arrow.slice(number, 1).to_pylist()[0]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self._arrow.to_batches(max_chunksize=1024):
            yield from batch.to_pylist()

    def to_list(self) -> list[dict[str, Any]]:
        """A dictionary per row."""
        return self._arrow.to_pylist()

    def to_arrow(self) -> pyarrow.Table:
        return self._arrow

    def to_pandas(self) -> pandas.DataFrame:
        """Raises InputError where pandas is not installed."""
        try:
            return self._arrow.to_pandas()
        except ImportError:
            raise InputError("to_pandas() needs the package pandas (pip install pandas)") from None

    def __repr__(self) -> str:
        return f"Table of {len(self):,} rows: {', '.join(self.columns)}"

    def _repr_html_(self) -> str:
        """First and last rows, every text as text."""
        half = _SHOWN_ROWS // 2
        parts = [self.to_list()] if len(self) <= _SHOWN_ROWS else [self[:half].to_list(), self[-half:].to_list()]
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        gap = f"<tr><td colspan={len(self.columns)}>…</td></tr>"
        bodies = ["".join(f"<tr>{''.join(f'<td>{_cell(v)}</td>' for v in row.values())}</tr>" for row in rows) for rows in parts]
        return f"<table><thead><tr>{head}</tr></thead><tbody>{gap.join(bodies)}</tbody></table><p>{len(self):,} rows</p>"


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return escape(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…")


class Lines(list[str]):
    """Sentences, which print as they would on a terminal."""

    def __str__(self) -> str:
        return "\n".join(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def __repr__(self) -> str:
        return str(self)
