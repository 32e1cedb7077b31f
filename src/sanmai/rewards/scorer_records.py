"""A scorer (rewards/scorer.py) in one run: what it said of an item once is recorded and never asked again.

So a resume goes on with the same numbers, whatever the scorer would say the second time.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sanmai.rewards.custom import check_counts
from sanmai.rewards.judging.reply_cache import ReplyCache
from sanmai.rewards.scorer import Asked, Said, Scorer
from sanmai.types import Problem, Trace, Verdict

RECORDS = "judged"
"""Folder of a run with what its scorers said."""


class Judged:
    """A scorer in one run: what it said is kept in a folder and asked once.

    Example:
        judge = Judged(scorer, Path("runs/dpo/judged"), run.warn)
        judge([Asked("a cat runs", clip_FHWC=frames)])   # [{"VQ": Verdict(0.3, "VideoReward")}]
    """

    def __init__(self, scorer: Scorer, records: Path | None, on_warning: Callable[[str], None]) -> None:
        """Args:
            records: folder of what it said; None: only while this lives.

        Raises:
            InputError: the scorer cannot be started.
        """
        scorer.start()
        self.scorer, self.where, self._warn = scorer, scorer.where, on_warning
        self._cache = ReplyCache(records) if records is not None else None
        self._known: dict[str, Said] = {}
        self._counts: Counter[str] = Counter()

    @property
    def dimensions(self) -> tuple[str, ...]:
        return self.scorer.dimensions

    def __call__(self, items: Sequence[Asked]) -> list[dict[str, Verdict]]:
        """A verdict per dimension of each item, in order.

        Raises:
            RunError: as Scorer.ask, or nothing can be stored.
        """
        keys = [self._key(item) for item in items]
        new: dict[str, Asked] = {}
        for key, item in zip(keys, items, strict=True):
            if key not in self._known and (said := self._recorded(key)) is not None:
                self._known[key] = said
            if key not in self._known:
                new[key] = item
        for k in range(0, len(new), self.scorer.config.at_once):  # what is lost by a kill is one batch
            batch = [*new][k : k + self.scorer.config.at_once]
            try:
                said = self.scorer.ask([new[key] for key in batch])
            finally:
                self._tell_notes()
            for key, one in zip(batch, said, strict=True):
                self._known[key] = one
                if self._cache is not None:
                    self._cache.put(key, json.dumps([dict(one.scores), one.reason]))
        found = [self._known[key] for key in keys]
        self._counts.update(
            items=len(items), recorded=len(items) - len(new), ungraded=sum(None in one.scores.values() for one in found)
        )
        return [self._verdicts(one) for one in found]

    def told(self) -> dict[str, Any]:
        """For an event: the scorer, and what it was asked and took since the last time that this was told."""
        counts, starts, seconds = self._counts, self.scorer.starts, self.scorer.seconds
        self._counts, self.scorer.starts, self.scorer.seconds = Counter(), 0, 0.0
        return {
            "where": self.where, "by": self.scorer.told, "items": counts["items"], "recorded": counts["recorded"],
            "ungraded": counts["ungraded"], "starts": starts, "seconds": round(seconds, 3),
        }  # fmt: skip

    def _verdicts(self, said: Said) -> dict[str, Verdict]:
        told = f"{self.scorer.name}: {said.reason}" if said.reason else self.scorer.name
        return {
            name: Verdict(score, told, "graded") if score is not None else Verdict(None, told, "ungradable")
            for name, score in said.scores.items()
        }

    def _key(self, item: Asked) -> str:
        facts: list[Any] = [self.scorer.digest, item.prompt, dict(item.more)]
        sha = hashlib.sha256()
        if item.clip_FHWC is not None:
            facts += [list(item.clip_FHWC.shape), self.scorer.config.fps]
            sha.update(np.ascontiguousarray(item.clip_FHWC).tobytes())
        sha.update(json.dumps(facts, sort_keys=True).encode())
        return sha.hexdigest()

    def _recorded(self, key: str) -> Said | None:
        text = self._cache.get(key) if self._cache is not None else None
        if text is None:
            return None
        scores, reason = json.loads(text)
        return Said(scores, reason)

    def _tell_notes(self) -> None:
        notes, self.scorer.notes = self.scorer.notes, []
        for note in dict.fromkeys(notes):
            self._warn(note)


class OfTexts:
    """A scorer as graders of texts, one per dimension, that ask it together."""

    def __init__(self, judge: Judged, *, budget: float) -> None:
        """Args:
            budget: share of completions of which a dimension may say None before the run stops.
        """
        self._judge, self._budget = judge, budget
        self._last: tuple[list[Asked], list[dict[str, Verdict]]] = ([], [])

    def graders(self) -> dict[str, OfDimension]:
        """By dimension."""
        return {name: OfDimension(self, name, self._budget) for name in self._judge.dimensions}

    def scored(self, items: Sequence[tuple[Problem, Trace]]) -> list[dict[str, Verdict]]:
        """As Judged; the same completions are asked about once, whatever the dimension."""
        asked = [
            Asked(problem.prompt, {"completion": trace.text} | ({} if problem.answer is None else {"answer": problem.answer}))
            for problem, trace in items
        ]
        known, found = self._last
        if asked != known:
            found = self._judge(asked)
            self._last = (asked, found)
        return found


class OfDimension:
    """One dimension of a scorer of texts."""

    def __init__(self, texts: OfTexts, name: str, budget: float) -> None:
        self._texts, self.name, self._budget = texts, name, budget
        self._counts: Counter[str] = Counter()

    def __call__(self, items: Sequence[tuple[Problem, Trace]]) -> list[Verdict]:
        """One verdict per item, in order; RunError as Judged."""
        found = [verdicts[self.name] for verdicts in self._texts.scored(items)]
        self._counts.update(verdict.label for verdict in found)
        return found

    def check(self) -> None:
        """As of rewards/custom.py."""
        check_counts(self.name, self._counts, self._budget)
