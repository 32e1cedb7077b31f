"""What a user sees while a recipe runs: a live table on a terminal, one plain line per step elsewhere."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING

from sanmai.activity import NOW
from sanmai.instruments.energy import EnergyMeter
from sanmai.terminal import printable
from sanmai.types import Metrics

if TYPE_CHECKING:
    from rich.console import Console

    from sanmai.train.runs import Listener, Run

COLUMNS = {
    "reward": ("reward/mean", "{:.3f}"),
    "accuracy": ("reward/accuracy", "{:.1%}"),
    "held out": ("eval/accuracy", "{:.1%}"),
    "win rate": ("eval/win_rate", "{:.1%}"),
    "harm": ("eval/harm", "{:.1%}"),
    "loss": ("loss/sft", "{:.4f}"),
    "preference loss": ("loss/dpo", "{:.4f}"),
    "pairs right": ("preference/accuracy", "{:.1%}"),
    "pair loss": ("loss/pairwise", "{:.4f}"),
    "label loss": ("loss/pointwise", "{:.4f}"),
    "held-out pairs": ("eval/pair_accuracy", "{:.1%}"),
    "held-out AUC": ("eval/auc", "{:.3f}"),
    "reverse KL": ("distill/reverse_kl", "{:.4f}"),
    "trees ended": ("search/ended", "{:.0%}"),
    "coverage": ("redteam/coverage", "{:.0%}"),
    "QD score": ("redteam/qd_score", "{:.1f}"),
    "archive ASR": ("redteam/archive_asr", "{:.0%}"),
    "length": ("rollout/length_mean", "{:.1f}"),
    "thinks": ("rollout/thinks", "{:.1%}"),
    "mixing": ("rollout/off_language", "{:.1%}"),
    "answers mix": ("rollout/answer_off_language", "{:.1%}"),
}
_SHOWN_STEPS = 12
HEARTBEAT_SECONDS = 30.0


class Progress:
    """Seconds per phase for events.jsonl, and lines for the user.

    Args:
        console: where lines go; None is silent (seconds are still recorded).
        listeners: told of every metrics line of every run that this is the progress of.
    """

    def __init__(self, console: Console | None, listeners: Sequence[Listener] = ()) -> None:
        self.console, self.listeners = console, listeners
        self._run: Run | None = None
        self._seconds: dict[str, float] = {}
        self._energy: EnergyMeter | None = None
        self._rows: deque[tuple[int, Metrics, float]] = deque(maxlen=_SHOWN_STEPS)
        self._live = None
        self._told: set[str] = set()
        self._mark = self._began = 0.0
        self._first = self._last = 0
        self._unit = "tokens"
        self._said, self._closed = time.monotonic(), threading.Event()
        if console is not None and not console.is_terminal:
            threading.Thread(target=self._beat, args=(self._closed,), daemon=True, name="heartbeat").start()
        self.was_interrupted = False
        """A signal ended the run before its last step, and what was done is saved."""

    @staticmethod
    def silent() -> Progress:
        return Progress(None)

    def begin(self, run: Run, num_steps: int) -> None:
        """The run is open and its model is loaded; steps follow."""
        self._run, self._first, self._last = run, run.start_step, num_steps
        run.listeners = self.listeners
        self._began = self._mark = time.monotonic()
        self._energy = EnergyMeter()
        if run.is_finished:
            self.say("This run is finished: nothing is done again.")
        elif run.start_step and run.start_step < num_steps:
            self.say(f"Going on after step {run.start_step} of {num_steps}.")
        elif run.start_step:
            self.say("This run is finished: nothing is done again.")
        if run.lengthened:
            self.say(f"{run.lengthened}.")
        if run.older:
            self.say(f"{run.older}.")
        if model := run.environment.get("model"):
            path = f"; {model['path']}" if "path" in model else ""
            is_known = "parameters" in model  # of a served one they are not
            size = f", {model['parameters']:,} parameters, {model['dtype']}" if is_known else ""
            self.say(f"Model: {model.get('name', 'new')}{size}{path}.")
            self._unit = model.get("unit", "tokens")
        if reward := dict(run.environment.get("origin") or {}).get("reward"):
            self.say(f"Reward: {reward}.")
        self._tell_warnings(run)
        if self.console is not None and self.console.is_terminal and run.start_step < num_steps:
            from rich.live import Live

            self._live = Live(console=self.console, refresh_per_second=4, transient=False)
            self._live.start()
            self._show(f"evaluating before step 1 of {num_steps}" if not run.start_step else "")

    @contextlib.contextmanager
    def phase(self, name: str) -> Generator[None]:
        start = time.monotonic()
        NOW.begin(name)
        try:
            yield
        finally:
            NOW.begin("")
            self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - start

    def step(
        self,
        step: int,
        metrics: Metrics,
        flops: Mapping[str, float] | None = None,
        num_steps: int | None = None,
        num_written: int | None = None,
    ) -> None:
        """A step is done: record its times and show it.

        Args:
            flops: useful operations per phase, where they are counted.
            num_steps: how many there will be, where that is known better than at the beginning.
            num_written: tokens of an evaluation, for the rate alone: the ledger counts them in the evaluation's file.
        """
        assert self._run is not None
        self._last = num_steps or self._last
        now = time.monotonic()
        elapsed, self._mark = now - self._mark, now
        counts = {name.split("/")[1]: value for name, value in metrics.items() if name.startswith("tokens/")}
        seconds = {k: round(v, 4) for k, v in self._seconds.items()}
        extra: dict[str, dict[str, float]] = {"flops": dict(flops)} if flops else {}
        if self._energy is not None and (joules := self._energy.joules()):
            extra["joules"] = joules
        self._run.event("step", step=step, seconds=seconds, tokens=counts, **extra)
        sampling = self._seconds.get("sampling", 0.0)
        rate = counts.get("sampled", 0.0) / sampling if sampling else counts.get("trained", 0.0) / max(elapsed, 1e-9)
        if num_written is not None:
            rate = num_written / max(elapsed, 1e-9)
        self._seconds = {}
        if not self._last:  # nothing was to be trained, so there is no step to show
            return
        self._rows.append((step, metrics, rate))
        self._tell(step, metrics, rate, (self._last - step) * (now - self._began) / max(step - self._first, 1))
        self._tell_warnings(self._run)

    def _tell_warnings(self, run: Run) -> None:
        """Those that were not told yet; what an earlier stage has told in the same words is in this one's record and report."""
        for warning in run.warnings:
            if warning not in self._told:
                self.say(f"Warning: {warning}", style="yellow")
        self._told.update(run.warnings)
        run.warnings.clear()

    def _tell(self, step: int, metrics: Metrics, rate: float, left: float) -> None:
        """Show a step that is done.

        Args:
            rate: units per second; of what samples and trains nothing 0.
            left: seconds that the steps to come may take.
        """
        if self._live is not None:
            self._show(f"step {step} of {self._last}, about {duration(left)} left")
        elif self.console is not None:
            said = [f"{name} {text}" for name, text in cells(metrics).items()]
            said += [f"{rate:,.0f} {self._unit}/s"] if rate or self._unit == "tokens" else []
            self.say("  ".join([f"step {step}/{self._last}", *said, f"{duration(left)} left"]))

    def interrupting(self, step: int) -> None:
        stop = self._run.stop if self._run is not None else None
        if stop is not None and stop.signal == signal.SIGTERM:
            self.say(f"SIGTERM: finishing step {step} and saving, within {stop.grace_seconds:g} s. A second one stops at once.")
        else:
            self.say(f"Ctrl-C: finishing step {step} and saving. Press again to stop at once and lose it.")

    def end(self, run: Run) -> None:
        """No more steps.

        Raises:
            KeyboardInterrupt, Terminated: the run was interrupted; a caller must not take it for finished.
        """
        self._leave_terminal()
        self._tell_warnings(run)  # some are known when all is done
        if not run.interrupted:
            run.event("finish")
            return
        self.was_interrupted = True
        self.say(f"Stopped and saved. Repeat the same command to go on from {run.checkpoint}.")
        raise run.stop.error()

    def close(self) -> None:
        """Give the terminal back and say nothing by itself any more; safe to call at any time."""
        self._closed.set()
        self._leave_terminal()

    def _leave_terminal(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line as it is: paths and file contents may look like markup."""
        self._said = time.monotonic()
        if self.console is not None:
            self.console.print(printable(text), style=style, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def _beat(self, closed: threading.Event) -> None:
        """Off a terminal a line says what goes on, wherever nothing else was said for HEARTBEAT_SECONDS."""
        began = self._said
        while not closed.wait(min(HEARTBEAT_SECONDS, 1.0)):
            if time.monotonic() - self._said >= HEARTBEAT_SECONDS:
                self.say(f"... {duration(time.monotonic() - began)}: {str(NOW) or 'loading and preparing'}")

    def _show(self, status: str) -> None:
        from rich.console import Group
        from rich.table import Table

        assert self._live is not None
        present = [name for name in COLUMNS if any(name in cells(m) for _, m, _ in self._rows)]
        room = self._live.console.width - len(f"step  {self._unit}/s")
        while len(present) > 1 and sum(max(len(name), 6) + 2 for name in present) > room:
            present.pop()  # on a narrow terminal fewer columns, not narrower ones
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("step", *present, f"{self._unit}/s"):
            table.add_column(name, justify="right")
        for step, metrics, rate in self._rows:
            shown = cells(metrics)
            table.add_row(str(step), *(shown.get(name, "") for name in present), f"{rate:,.0f}")
        self._live.update(Group(table, status))


def cells(metrics: Metrics) -> dict[str, str]:
    """What is shown of a step's metrics, by the name of its column."""
    return {name: form.format(metrics[key]) for name, (key, form) in COLUMNS.items() if key in metrics}


def duration(seconds: float) -> str:
    """Such as "2:05" or "1 h 03 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{rest:02d}"
