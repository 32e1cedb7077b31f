"""Where the runs in a folder stand at this moment, and the report's page as a page that follows them.

Nothing here writes, and nothing holds a lock: a run that is watched does not know it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path
from typing import Any

from sanmai.recipes import RECIPES, resolve
from sanmai.report import format as fmt
from sanmai.report.comparison import is_comparison, load_comparison
from sanmai.report.comparison_html import render_comparison
from sanmai.report.html import render
from sanmai.report.load import RunData, as_mapping, as_number, event_time, is_number, load_run, read_lines
from sanmai.report.page import resource
from sanmai.report.pages import own_page
from sanmai.report.pipeline import is_pipeline, load_pipeline
from sanmai.report.pipeline_html import render_pipeline
from sanmai.report.summary import planned_steps
from sanmai.types import InputError

_TIMED_STEPS = 20
"""The time left is told from so many of the newest steps."""
_CLOCK_SECONDS = 2.0
"""Between what the kernel and a file system call the same moment."""


@dataclass(frozen=True)
class State:
    """Where a run stands."""

    version: str
    """Another one as soon as anything that the page shows has changed."""
    state: str
    """running, finished, stopped (the same command goes on) or begun."""
    line: str
    share: float | None = None
    """Of the steps, done."""
    alarm: str = ""

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def catalog(root: Path) -> dict[str, Path]:
    """The run folders at and below a folder, with a pipeline's stages, by path relative to it; "" is the folder itself.

    Raises:
        InputError: it is no folder.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a run folder, or one with run folders in it")
    places = [root] if is_run(root) else sorted(path for path in root.iterdir() if path.is_dir() and is_run(path))
    found = {}
    for place in places:
        for folder in (place, *sorted(path for path in place.glob("stages/*") if is_run(path))):
            found["" if folder == root else folder.relative_to(root).as_posix()] = folder
    return found


def is_run(folder: Path) -> bool:
    return (folder / "config.toml").is_file() or (folder / "graph.json").is_file()


def version_of(folder: Path) -> str:
    """What changes when a run records something: of a pipeline, when any of its stages does."""
    digest = hashlib.sha256()
    for place in (folder, *sorted(folder.glob("stages/*"))):
        for name in ("config.toml", "graph.json", "metrics.jsonl", "events.jsonl", "stage.json", "audit.json", "decision.json"):
            try:
                seen = (place / name).stat()
            except OSError:
                continue
            digest.update(f"{place.name}/{name} {seen.st_size} {seen.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def state_of(folder: Path) -> State:
    """Where a run or a pipeline stands."""
    version = version_of(folder)
    if is_pipeline(folder):
        found = load_pipeline(folder)
        total, done = len(found.stages), found.num_finished
        at_work = next((name for name, stage in found.stages.items() if stage.state == "begun"), "")
        state = "finished" if total and done == total else "running" if is_held(folder) or _any_held(folder) else "stopped"
        where = f", {at_work} has begun" if at_work else ""
        where += " · the same command goes on from there" if state == "stopped" else ""
        return State(version, state, f"{state}: {done} of {total} stages finished{where}", done / total if total else None)
    events = read_lines(folder / "events.jsonl", [])
    steps = [event for event in events if event.get("event") == "step"]
    config = _config(folder)
    newest = (read_lines(folder / "metrics.jsonl", []) or [{}])[-1]  # of a killed run a step beyond the newest event
    step, planned = max(_last_step(steps), int(as_number(newest.get("step")) or 0)), _planned(config)
    last = next((e.get("event") for e in reversed(events) if e.get("event") in ("finish", "start", "resume")), None)
    is_finished = last == "finish"
    state = "finished" if is_finished else "running" if is_held(folder) else "stopped" if steps else "begun"
    words = [f"{state}: step {step:,}" + (f" of {planned:,}" if planned else "") if step or planned else state]
    if state == "stopped":
        words.append("the same command goes on from the newest checkpoint")
    if state == "running" and planned and (left := _seconds_left(steps, planned)) is not None:
        words.append(f"about {fmt.duration(left)} left")
    if events and (time := event_time(events[-1])) is not None and not is_finished:
        words.append(f"last heard of {fmt.duration(max(0.0, (datetime.now(UTC) - time).total_seconds()))} ago")
    share = min(1.0, step / planned) if planned else None
    return State(version, state, " · ".join(words), share, _alarm(events, newest))


def is_held(folder: Path) -> bool:
    """A process that is alive on this machine has signed the folder's lock. Not asked of the lock itself: that would take it.

    One that began after the lock was signed has the number of the one that signed it, and is another.
    """
    lock = folder / "run.lock"
    try:
        number, signed = int(lock.read_text().strip() or 0), lock.stat().st_mtime
    except (OSError, ValueError):
        return False
    if number <= 0:
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process
        pass
    began = _began(number)
    return began is None or began <= signed + _CLOCK_SECONDS


def _began(number: int) -> float | None:
    """When a process began, in seconds since 1970; None where this system does not tell."""
    try:
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
        # The name, in brackets, may hold anything; the start is the twentieth number after it.
        ticks = Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
        return int(boot.split()[1]) + int(ticks) / os.sysconf("SC_CLK_TCK")
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def page_of(folder: Path) -> str:
    """The report's page as it would be written now."""
    if (own := own_page(folder)) is not None:
        return own.page(folder)
    recipe = str(_config(folder).get("recipe"))
    defaults = resolve(RECIPES[recipe]).model_dump(mode="json") if recipe in RECIPES else None
    if is_comparison(folder):
        return render_comparison(load_comparison(folder), defaults)
    if is_pipeline(folder):
        return render_pipeline(load_pipeline(folder), defaults)
    return render(load_run(folder), defaults)


def made_live(page: str, state: State, back: str) -> str:
    """The page with a strip that says where the run stands, and a script that follows it; it may ask its own server alone.

    Args:
        back: address of the list of runs.
    """
    style, script = resource("templates/live.css"), resource("templates/live.js")
    hidden = " hidden" if state.share is None else ""
    bar = f'<progress data-part="bar" max="1" value="{state.share or 0:.4f}"{hidden}></progress>'
    strip = (
        f'<div class="live" id="live" data-state="{state.state}" data-version="{state.version}" role="status">'
        f'<span class="beat" aria-hidden="true"></span><span data-part="line">{escape(state.line)}</span>{bar}'
        f'<span class="alarm" data-part="alarm">{escape(state.alarm)}</span><a href="{escape(back)}">all runs</a></div>'
    )
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    allowed = unescape(policy).replace("; base-uri", "; connect-src 'self'; base-uri")
    for kind, text in (("style-src ", style), ("script-src ", script)):
        allowed = allowed.replace(kind, f"{kind}{_digest(text)} ")
    for old, new in (
        (policy, escape(allowed)),
        ("</head>", f"<style>{style}</style>\n</head>"),
        ('<a class="skip"', f'{strip}\n<a class="skip"'),
        ("<footer><p>One file, offline: it loads nothing and sends nothing.</p></footer>",
         "<footer><p>Live: it asks the server it came from, and nothing else.</p></footer>"),
        ("</body>", f"<script>{script}</script>\n</body>"),
    ):  # fmt: skip
        head, found, tail = page.partition(old) if old != "</body>" else page.rpartition(old)
        if found:
            page = head + new + tail
    return page


def _any_held(folder: Path) -> bool:
    return any(is_held(stage) for stage in folder.glob("stages/*"))


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _planned(config: Mapping[str, Any]) -> int | None:
    return planned_steps(RunData("", config=dict(config)))


def _last_step(steps: list[dict[str, Any]]) -> int:
    return int(as_number(steps[-1].get("step")) or 0) if steps else 0


def _seconds_left(steps: list[dict[str, Any]], planned: int) -> float | None:
    """By the mean of the newest steps' phases; the time between runs does not count."""
    seconds = [sum(v for v in as_mapping(e.get("seconds")).values() if is_number(v)) for e in steps[-_TIMED_STEPS:]]
    return (planned - _last_step(steps)) * sum(seconds) / len(seconds) if seconds else None


def _alarm(events: list[dict[str, Any]], newest: Mapping[str, Any]) -> str:
    """What a watcher should look at: alarms of the newest metrics line, then warnings."""
    alarms = sorted(name.removeprefix("alarm/") for name in newest if name.startswith("alarm/") and newest[name])
    num_warnings = sum(event.get("event") == "warning" for event in events)
    words = [f"alarm: {', '.join(alarms)}"] if alarms else []
    return "; ".join([*words, *([f"{num_warnings} warnings"] if num_warnings > 1 else ["1 warning"] if num_warnings else [])])


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def dumped(state: State) -> str:
    return json.dumps(state.to_json(), ensure_ascii=False)
