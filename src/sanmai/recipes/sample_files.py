"""Sampled completions on disk: read back from the rollout files of a run, and written as data to train on.

`data.parquet` has one row per kept completion:

| column | meaning |
|---|---|
| id | problem and number of the sample: `train/17#3` |
| messages | the conversation, a list of {role, content}; the last is the assistant's whole turn, thought tags included |
| problem_id, kind, language, answer, verifier | of the problem |
| pass_rate | share of the problem's samples that is right; null where that cannot be told |
| num_tokens | of the completion, stop token included |
| rewritten | a judge model has rewritten it |
| source | the model that wrote it |
| tags | the problem's, a JSON object as text; `writer_saw`: families that the model that wrote it was shown (train/seen.py) |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.attack.catalogue import families_named
from sanmai.data.chat import prompt_end, render_prompt
from sanmai.data.filters import Sample
from sanmai.data.trace import opened_tag
from sanmai.policies.text.checkpoints import sync
from sanmai.train.digests import require_whole
from sanmai.train.runs import storing
from sanmai.train.seen import WRITER, Seen
from sanmai.types import InputError, Problem, StopReason, Tokenizer, Verdict

_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("problem_id", pa.string()),
        ("kind", pa.string()),
        ("language", pa.string()),
        ("answer", pa.string()),
        ("verifier", pa.string()),
        ("pass_rate", pa.float64()),
        ("num_tokens", pa.int32()),
        ("rewritten", pa.bool_()),
        ("source", pa.string()),
        ("tags", pa.string()),
    ]
)


def read_samples(path: Path, problems: Mapping[str, Problem], tokenizer: Tokenizer, open_tag: str) -> list[Sample]:
    """The samples of one rollout file, in its order.

    Args:
        problems: by id; those that were sampled.
        tokenizer: of the model that sampled: whether its prompts end with the opening tag.

    Raises:
        InputError: the file is missing or damaged.
    """
    require_whole(path.parent.parent, f"{path.parent.name}/{path.name}")
    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path}: cannot be read ({reason}); restore it, or sample again into another --out") from None
    opened: dict[str, str] = {}
    samples = []
    for row in rows:
        problem = problems[row["problem_id"]]
        if problem.id not in opened:
            prompt = render_prompt(tokenizer, problem.messages)
            opened[problem.id] = opened_tag(prompt_end(tokenizer, prompt, open_tag), open_tag) or ""
        samples.append(
            Sample(
                problem,
                row["sample"],
                opened[problem.id] + row["text"],
                row["tokens"],
                StopReason(row["stop_reason"]),
                _verdicts(row),
                row["reward"],
                row["failure"],
            )
        )
    return samples


def _verdicts(row: Mapping[str, Any]) -> dict[str, Verdict]:
    names = [column.removeprefix("label/") for column in row if column.startswith("label/")]
    return {
        name: Verdict(row[f"score/{name}"], row[f"reason/{name}"], row[f"label/{name}"])
        for name in names
        if row[f"label/{name}"] is not None
    }


class DataWriter:
    """data.parquet, written in parts and whole or not at all. Use as a context manager."""

    def __init__(self, path: Path, source: str, shown: Seen = Seen()) -> None:
        """Args:
        source: names the model that wrote the completions.
        shown: what it was shown: a row that is copied elsewhere tells the families in it still.
        """
        self.path, self.source, self.num_rows = path, source, 0
        families = frozenset().union(*map(families_named, shown.dress | shown.looked))
        self._more = {WRITER: "+".join(sorted(families))} if families else {}
        self._partial = path.with_name(f".partial-{path.name}")

    def __enter__(self) -> Self:
        with storing(self.path):
            self._file = pq.ParquetWriter(self._partial, _SCHEMA, compression="zstd")
        return self

    def write(self, samples: Sequence[Sample], rewritten: frozenset[str] = frozenset()) -> None:
        """Append rows.

        Args:
            rewritten: ids of the samples whose completion a judge model wrote.
        """
        if not samples:
            return
        rows = [_row(sample, self.source, sample.id in rewritten, self._more) for sample in samples]
        with storing(self.path):
            self._file.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
        self.num_rows += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with storing(self.path):
                self._file.close()
                if error is None:
                    sync(self._partial)
                    self._partial.rename(self.path)
        finally:
            self._partial.unlink(missing_ok=True)


def _row(sample: Sample, source: str, is_rewritten: bool, more: Mapping[str, str]) -> dict[str, Any]:
    problem = sample.problem
    return {
        "id": sample.id,
        "messages": [dict(m) for m in (*problem.messages, {"role": "assistant", "content": sample.completion})],
        "problem_id": problem.id,
        "kind": problem.kind,
        "language": problem.language,
        "answer": problem.answer,
        "verifier": problem.verifier,
        "pass_rate": sample.pass_rate,
        "num_tokens": len(sample.tokens),
        "rewritten": is_rewritten,
        "source": source,
        "tags": json.dumps({**problem.tags, **more}, ensure_ascii=False),
    }
