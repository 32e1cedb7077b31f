"""Files of solutions whose steps are labelled: files in, checked. What a process reward model learns from.

| format | columns |
|---|---|
| stepwise (TRL's, and what `sanmai run step_labels` writes) | a prompt; completions: the steps' texts; labels: one each, true or
  1 (right), false or 0, what lies between (the share of continuations that were right), null; separator, counts, id, language |
| PRM800K | question.problem; label.steps with completions, their rating (-1 wrong, 0 neutral, 1) and which one was chosen |
| Math-Shepherd | input with "ки" after each step; label, the same with + or - in its place |
| ProcessBench | problem; steps; label: the first wrong step from 0, -1 where none is |

The steps of a row are put together to one text, with the separator of its format between them, and are told apart by the
characters at which they end (`steps.token_ends`): nothing is tokenized apart from its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sanmai.data.files import Row
from sanmai.data.generic import language_of, not_used, prompt_of
from sanmai.data.preferences import Loaded
from sanmai.data.problems import Notes, OnError, Source, locate
from sanmai.data.rows import Fields, RowError, id_of, is_tag, shown
from sanmai.types import InputError, Message

MARK = "ки"
"""Math-Shepherd's, after each step."""
SEPARATORS = {"stepwise": "\n", "prm800k": "\n\n", "math_shepherd": "\n", "process_bench": "\n\n"}
"""Between the steps of each format, where a row states none: as they were written, or as TRL puts them together."""


@dataclass(frozen=True)
class LabelledSteps:
    """A prompt with one response in steps, each labelled or not.

    Example:
        LabelledSteps("a/0", ({"role": "user", "content": "2+3-1?"},), ("2+3=6\\n", "6-1=5"), (0.0, None))
    """

    id: str
    messages: tuple[Message, ...]
    steps: tuple[str, ...]
    """Their texts with all that stands between them: joined they are the response."""
    labels: tuple[float | None, ...]
    """1 right, 0 wrong; between, the share of continuations that were right; None where nobody says."""
    counts: tuple[tuple[int, int] | None, ...] = ()
    """(c, k): so many of k continuations were right. Empty, or one each."""
    language: str | None = None
    tags: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    scores: tuple[float, ...] = ()
    """What some model gave each step, where the row has it; empty, or one each."""

    @property
    def response(self) -> str:
        return "".join(self.steps)

    @property
    def ends(self) -> list[int]:
        """Characters of the response after each step."""
        found, at = [], 0
        for step in self.steps:
            at += len(step)
            found.append(at)
        return found

    @property
    def first_error(self) -> int | None:
        """The first step that is labelled wrong, from 0 (of a share: none of the continuations was right); -1: none is wrong.

        None where that cannot be said: a step before it, or with no wrong step any, has no label.
        """
        for index, label in enumerate(self.labels):
            if label is None:
                return None
            if label == 0:
                return index
        return -1


def load_steps(
    source: Source,
    *,
    rows: Sequence[Row] | None = None,
    separator: str | None = None,
    on_error: OnError = "raise",
    limit: int | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> Loaded[LabelledSteps]:
    """The labelled solutions of a file or hub data set, without duplicates; the format is told from each row's columns.

    Args:
        source: a .jsonl, .json, .csv or .parquet file, a folder of such files, hub:NAME[:CONFIG][:SPLIT], or the rows themselves.
        rows: the rows themselves; the source then only names them in errors.
        separator: between steps, where a row states none; None: what its format has.
        limit: stop after so many.
        on_warning: told of each note of the result; None: a UserWarning each.

    Raises:
        InputError: the source cannot be read, a line is malformed (on_error="raise"), or nothing is left.
    """
    name = str(source) if rows is not None or isinstance(source, str) else "rows"
    loaded: Loaded[LabelledSteps] = Loaded([])
    duplicates, seen, seen_ids = 0, set(), set()
    notes = Notes(source if rows is None and isinstance(source, str) else None)
    for file, where, _, default_id, row in locate(source if rows is None else rows, name):
        try:
            if isinstance(row, str):
                raise RowError(row)
            fields = Fields(row)
            found = _read(fields, default_id, separator)
            if found and found[0].id in seen_ids:
                raise RowError(f"the id {found[0].id!r} is not unique")
            notes.add(file, where, [*fields.notes, not_used(fields.left_over())])
        except RowError as error:
            reason = f"{where}: {error}"
            if on_error == "raise":
                raise InputError(f"{reason} (on_error=skip passes over such lines)") from None
            loaded.skipped.append(reason)
            continue
        for item in found:
            seen_ids.add(item.id)
            key = repr((item.messages, item.steps, item.labels))
            if key in seen:
                duplicates += 1
                continue
            seen.add(key)
            loaded.items.append(item)
        if limit is not None and len(loaded.items) >= limit:
            del loaded.items[limit:]
            break
    if not loaded.items:
        first = f"; the first reason: {loaded.skipped[0]}" if loaded.skipped else ""
        raise InputError(f"{name}: nothing in it{first}")
    notes.tell(on_warning)
    return Loaded(loaded.items, loaded.skipped, duplicates, notes.all)


def first_below(scores: Sequence[float], threshold: float) -> int:
    """The first step whose score is below the threshold, from 0; -1 where none is. ProcessBench's reading of a model's scores."""
    return next((index for index, score in enumerate(scores) if score < threshold), -1)


def as_row(item: LabelledSteps) -> dict[str, Any]:
    """The row that `load_steps` reads back; its steps hold what stands between them, so the separator is empty."""
    row: dict[str, Any] = {
        "id": item.id, "prompt": list(item.messages), "completions": list(item.steps), "labels": list(item.labels),
        "separator": "",
    }  # fmt: skip
    if item.counts:
        row["counts"] = [list(count) if count else None for count in item.counts]
    return row | ({"language": item.language} if item.language else {}) | ({"tags": dict(item.tags)} if item.tags else {})


def _read(fields: Fields, default_id: str, separator: str | None) -> list[LabelledSteps]:
    row = fields.row
    if isinstance(row.get("completions"), list) and "labels" in row:
        return [_stepwise(fields, default_id, separator)]
    if isinstance(row.get("steps"), list) and isinstance(row.get("label"), int) and not isinstance(row["label"], bool):
        return [_process_bench(fields, default_id, separator)]
    if isinstance(row.get("question"), Mapping) and isinstance(row.get("label"), Mapping):
        fields.take(("question",))
        return _prm800k(row, default_id, SEPARATORS["prm800k"] if separator is None else separator)
    if isinstance(row.get("input"), str) and isinstance(row.get("label"), str) and MARK in row["input"]:
        fields.take(("input",))
        return [_math_shepherd(row, default_id, SEPARATORS["math_shepherd"] if separator is None else separator)]
    raise RowError(
        f"columns {', '.join(sorted(map(str, row)))}: expected prompt, completions and labels (stepwise), problem, steps and "
        "label (ProcessBench), question and label (PRM800K), or input and label with ки (Math-Shepherd)"
    )


def _stepwise(fields: Fields, default_id: str, separator: str | None) -> LabelledSteps:
    row = fields.row
    steps = _texts(row["completions"], "completions")
    labels = row["labels"]
    if not isinstance(labels, list):
        raise RowError(f"labels: expected a list, found {type(labels).__name__}")
    if len(labels) != len(steps):
        raise RowError(f"{len(labels)} labels for {len(steps)} steps: expected one each")
    stated = row.get("separator")
    if stated is not None and not isinstance(stated, str):
        raise RowError(f"separator: expected text, found {type(stated).__name__}")
    between = stated if stated is not None else SEPARATORS["stepwise"] if separator is None else separator
    messages = prompt_of(fields.without(("completion", "completions")))[0]
    counts = _counts(row.get("counts"), len(steps))
    language, tags = language_of(fields)
    given = row.get("tags") if isinstance(row.get("tags"), Mapping) else {}
    tags |= {str(k): v for k, v in (given or {}).items() if is_tag(v)}
    found = _item(id_of(row, default_id), messages, steps, [_label(v) for v in labels], between, counts, language, tags)
    return replace(found, scores=_scores(row, len(steps)))


def _process_bench(fields: Fields, default_id: str, separator: str | None) -> LabelledSteps:
    row = fields.row
    steps, first = _texts(row["steps"], "steps"), row["label"]
    if not -1 <= first < len(steps):
        raise RowError(f"label = {first}: expected a step from 0 to {len(steps) - 1}, or -1")
    # After the first wrong step nothing is said of the others.
    labels = [1.0 if first < 0 or i < first else 0.0 if i == first else None for i in range(len(steps))]
    fields.take(("problem", "steps"))
    messages = prompt_of(fields)[0]
    tags = {name: row[name] for name in ("generator", "final_answer_correct") if is_tag(row.get(name))}
    between = SEPARATORS["process_bench"] if separator is None else separator
    found = _item(id_of(row, default_id), messages, steps, labels, between, tags=tags)
    return replace(found, scores=_scores(row, len(steps)))


def _math_shepherd(row: Row, default_id: str, separator: str) -> LabelledSteps:
    *parts, rest = row["input"].split(MARK)
    if rest.strip():
        raise RowError(f"input: {len(rest.strip())} characters after the last {MARK}")
    labels, at = [], 0
    for part in parts:  # the label is the input with + or - in place of the mark
        at += len(part)
        sign = row["label"][at : at + 1]
        if row["label"][at - len(part) : at] != part or sign not in ("+", "-"):
            raise RowError(f"label: does not follow the input at character {at}; expected + or - in place of each {MARK}")
        labels.append(1.0 if sign == "+" else 0.0)
        at += 1
    question, found, first = parts[0].partition("Step 1:")
    if not found or not question.strip():
        raise RowError('input: expected a question, then "Step 1:"')
    steps = [f"Step 1:{first}".strip(), *(part.strip() for part in parts[1:])]
    tags = {"task": row["task"]} if is_tag(row.get("task")) else {}
    messages = ({"role": "user", "content": question.strip()},)
    return _item(id_of(row, default_id), messages, _texts(steps, "input"), labels, separator, tags=tags)


def _prm800k(row: Row, default_id: str, separator: str) -> list[LabelledSteps]:
    """The solution that was chosen step by step, and for each other proposal one that ends with it, it alone labelled."""
    problem, listed = row["question"].get("problem"), row["label"].get("steps")
    if not isinstance(problem, str) or not isinstance(listed, list) or not listed:
        raise RowError("expected question.problem and label.steps")
    name, messages = id_of(row, default_id), ({"role": "user", "content": problem},)
    path: list[str] = []
    labels: list[float | None] = []
    others: list[LabelledSteps] = []
    tags = {"finish": reason} if is_tag(reason := row["label"].get("finish_reason")) else {}
    for number, step in enumerate(listed):
        if not isinstance(step, Mapping):
            raise RowError(f"label.steps: step {number + 1} is {shown(step)}")
        proposals = step.get("completions") or []
        if not isinstance(proposals, list) or not all(isinstance(p, Mapping) for p in proposals):
            raise RowError(f"label.steps: step {number + 1}: completions: expected a list of objects")
        texts = _texts([p.get("text") for p in proposals], "completions") if proposals else []
        rated = [_rating(p.get("rating")) for p in proposals]
        chosen = step.get("chosen_completion")
        if chosen is not None and not (type(chosen) is int and 0 <= chosen < len(proposals)):
            raise RowError(f"chosen_completion = {shown(chosen)}: expected one of {len(proposals)}")
        human = step.get("human_completion")
        has_human = chosen is None and isinstance(human, Mapping)
        if chosen is None and not has_human and len(proposals) == 1:
            chosen = 0
        for index, (text, rating) in enumerate(zip(texts, rated, strict=True)):
            if index != chosen and rating is not None:
                labelled = [*(None for _ in path), rating]
                others.append(_item(f"{name}/{number}.{index}", messages, [*path, text], labelled, separator, tags=tags))
        if chosen is not None:
            path.append(texts[chosen])
            labels.append(rated[chosen])
        elif isinstance(human, Mapping) and has_human:
            path += _texts([human.get("text")], "human_completion")
            labels.append(_rating(human.get("rating")))
        else:
            break
    main = [_item(name, messages, path, labels, separator, tags=tags)] if any(v is not None for v in labels) else []
    if not main and not others:
        raise RowError("no step has a rating")
    return [*main, *others]


def _rating(value: Any) -> float | None:
    """-1 is wrong; 0, neutral, counts as right, as its makers count it."""
    if value is None:
        return None
    if type(value) is not int or value not in (-1, 0, 1):
        raise RowError(f"rating = {shown(value)}: expected -1, 0 or 1")
    return float(value >= 0)


def _label(value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, bool | int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise RowError(f"label {shown(value)}: expected true, false, null or a number from 0 to 1")
    return float(value)


def _scores(row: Row, num_steps: int) -> tuple[float, ...]:
    """A model's scores as the row has them. As many as steps: none of them is made up."""
    value = row.get("scores")
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) != num_steps:
        count = len(value) if isinstance(value, list) else shown(value)
        raise RowError(f"scores: {count} for {num_steps} steps: expected one each")
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in value):
        raise RowError("scores: expected finite numbers")
    return tuple(map(float, value))


def _counts(value: Any, num_steps: int) -> tuple[tuple[int, int] | None, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) != num_steps:
        raise RowError(f"counts: expected a list of {num_steps}, one per step")
    found: list[tuple[int, int] | None] = []
    for pair in value:
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and all(type(n) is int for n in pair)
        if pair is not None and not (is_pair and 0 <= pair[0] <= pair[1]):
            raise RowError(f"counts: {shown(pair)}: expected [c, k] with c of k right")
        found.append(None if pair is None else (pair[0], pair[1]))
    return tuple(found)


def _texts(values: Sequence[Any], name: str) -> list[str]:
    for index, value in enumerate(values):
        if not isinstance(value, str) or not value.strip():
            raise RowError(f"{name}: step {index + 1} of {len(values)} is {'blank' if isinstance(value, str) else shown(value)}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise RowError(f"{name}: step {index + 1} holds half a surrogate pair, which no encoding can store")
    if not values:
        raise RowError(f"{name}: no steps")
    return list(values)


def _item(
    name: str,
    messages: tuple[Message, ...],
    steps: Sequence[str],
    labels: Sequence[float | None],
    separator: str,
    counts: tuple[tuple[int, int] | None, ...] = (),
    language: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> LabelledSteps:
    if all(label is None for label in labels):
        raise RowError("no step has a label")
    if not str(messages[-1]["content"]).strip():
        raise RowError("the prompt is empty")
    joined = (*(f"{step}{separator}" for step in steps[:-1]), steps[-1])
    return LabelledSteps(name, messages, joined, tuple(labels), counts, language, tags or {})
