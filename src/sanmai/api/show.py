"""Progress where Python runs: a live table on a terminal, one output that changes in a notebook, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from sanmai.learn.progress import Progress, cells, duration

if TYPE_CHECKING:
    from sanmai.train.runs import Listener, Run
    from sanmai.types import Metrics

_SECONDS_BETWEEN = 0.2
_LINES, _STEPS = 8, 8


def progress_here(quiet: bool, listeners: Sequence[Listener] = ()) -> Progress:
    """What shows a run to who called it; lines go to standard error, which leaves standard output to the caller."""
    if quiet:
        return Progress(None, listeners)
    if is_notebook():
        return NotebookProgress(listeners)
    from rich.console import Console

    return Progress(Console(stderr=True), listeners)


def is_notebook() -> bool:
    """This process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and shell.has_trait("kernel")


class NotebookProgress(Progress):
    """A bar, the newest steps and what was said, in one output of the cell."""

    def __init__(self, listeners: Sequence[Listener] = ()) -> None:
        super().__init__(None, listeners)
        self._said_lines: list[str] = []
        self._status, self._share = "", 0.0
        self._output: Any = None
        self._shown_at = 0.0

    def begin(self, run: Run, num_steps: int) -> None:
        super().begin(run, num_steps)
        self._rows.clear()
        self._status, self._share = "", 0.0
        self._draw()

    def say(self, text: str, style: str | None = None) -> None:
        self._said = time.monotonic()
        self._said_lines.append(text)
        self._draw()

    def _tell(self, step: int, metrics: Metrics, rate: float, left: float) -> None:
        self._share = step / max(self._last, 1)
        self._status = f"step {step:,} of {self._last:,}, about {duration(left)} left"
        self._draw(is_urgent=step == self._last)

    def close(self) -> None:
        super().close()
        self._draw()

    def _draw(self, *, is_urgent: bool = True) -> None:
        now = time.monotonic()
        if not is_urgent and now - self._shown_at < _SECONDS_BETWEEN:
            return
        from IPython.display import HTML, display

        self._shown_at = now
        page = HTML(self._html())
        if self._output is None:
            self._output = display(page, display_id=True)
        elif self._output is not None:
            self._output.update(page)

    def _html(self) -> str:
        rows = list(self._rows)[-_STEPS:]
        names = list(dict.fromkeys(name for _, metrics, _ in rows for name in cells(metrics)))
        table = ""
        if rows:
            head = "".join(f"<th>{escape(name)}</th>" for name in ("step", *names, f"{self._unit}/s"))
            body = "".join(
                f"<tr><td>{step:,}</td>{_tds(cells(metrics).get(name, '') for name in names)}<td>{rate:,.0f}</td></tr>"
                for step, metrics, rate in rows
            )
            table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        bar = f'<progress value="{self._share:.4f}" max="1" style="width:20em"></progress> {escape(self._status)}'
        left_out = len(self._said_lines) - _LINES
        said = [*([f"... {left_out} lines more"] if left_out > 0 else []), *self._said_lines[-_LINES:]]
        return f"<div><pre>{escape(chr(10).join(said))}</pre>{bar if self._status else ''}{table}</div>"


def _tds(texts: Iterable[str]) -> str:
    return "".join(f"<td>{escape(text)}</td>" for text in texts)
