"""Rewriting by a judge model: the same solution in a readable thought, checked like a sample before it takes its place.

R1's cold-start data went this way (arXiv:2501.12948, supplement B.3.2): what is right and readable was rewritten into a
first-person thought in the question's language. Nothing here trusts the judge: a rewritten completion is taken apart, graded
and filtered anew. Replies are kept in `rewrites/`, so that a question that was answered is not asked again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from sanmai.config import Config
from sanmai.data.filters import Filter, Sample
from sanmai.data.trace import parse_trace
from sanmai.data.turns import turn_end
from sanmai.rewards.judging.judge import Complete, JudgeConfig, check_failures
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import GradingConfig, grade
from sanmai.train.runs import storing
from sanmai.types import Drawn, Message, StopReason, Tokenizer

Rewrite = Callable[[list[list[Message]]], list[str | None]]
"""Conversations to replies, in order; None where there was no reply."""

_INSTRUCTION = """\
Rewrite the solution below so that it reads well. Keep its reasoning and its final answer exactly; invent nothing. Write the \
thought in the first person, in the language of the question, without repetition. Reply with the whole solution and nothing \
else, in the same form: the thought between the same tags, then the answer.

Question:
{question}

Solution:
{completion}
"""


class RewriteConfig(Config):
    judge: JudgeConfig = JudgeConfig()
    """The model that rewrites; its max_tokens is the room for a rewritten completion."""
    instruction: str = _INSTRUCTION
    """What the judge model is told; {question} and {completion} stand for the two texts."""
    when_unusable: Literal["original", "drop"] = "original"
    """What becomes of a sample whose rewritten form fails a filter: it stays as it was sampled, or is left out."""
    max_growth: float = Field(2.0, gt=0)
    """Largest length of the rewritten form, in tokens of the sampled one."""

    @field_validator("instruction")
    @classmethod
    def _check(cls, value: str) -> str:
        if "{question}" not in value or "{completion}" not in value:
            raise ValueError("expected a text with {question} and {completion} in it")
        return value


def rewrite_with(complete: Complete, config: JudgeConfig) -> Rewrite:
    """A judge that rewrites: what it does not answer has no reply; RunError where that is more than its failure budget."""

    def rewrite(conversations: list[list[Message]]) -> list[str | None]:
        replies = complete(conversations)
        failures = Counter(reply.reason for reply in replies if not isinstance(reply, str))
        check_failures(failures, len(conversations), config)
        return [reply if isinstance(reply, str) else None for reply in replies]

    return rewrite


@dataclass
class RewriteCounts:
    """What became of the samples that were to be rewritten."""

    asked: int = 0
    rewritten: int = 0
    no_reply: int = 0
    """The judge did not answer: the original is kept."""
    unusable: Counter[str] = field(default_factory=Counter)
    """Replies by the filter that they failed."""
    examples: list[tuple[str, str, str]] = field(default_factory=list)
    """(sample id, filter, label) of the first unusable ones."""


class Rewriter:
    """Rewrites samples part by part.

    Args:
        ask: the judge model.
        folder: keeps replies, one file per part.
        filters: those that look at one sample by itself are asked again.
    """

    def __init__(
        self,
        ask: Rewrite,
        folder: Path,
        config: RewriteConfig,
        *,
        filters: Sequence[Filter],
        tokenizer: Tokenizer,
        rubric: Rubric,
        grading: GradingConfig,
    ) -> None:
        self.ask, self.folder, self.config, self.tokenizer = ask, folder, config, tokenizer
        self.rubric, self.grading = rubric, grading
        self.filters = [f for f in filters if f.is_about_one]
        self.counts = RewriteCounts()

    def apply(self, part: str, samples: Sequence[Sample]) -> tuple[list[Sample], frozenset[str]]:
        """The samples with those completions rewritten that stay usable, and the ids of these.

        Args:
            part: names the file of replies.
        """
        replies = self._replies(part, samples)
        answered = [s for s in samples if replies[s.id] is not None]
        attempts = self._graded([(s, str(replies[s.id]).strip()) for s in answered])
        faults = {
            attempt.id: self._fault(attempt, original) for attempt, original in zip(attempts, answered, strict=True)
        }
        by_id = {attempt.id: attempt for attempt in attempts}
        kept: list[Sample] = []
        for sample in samples:
            if sample.id not in by_id:
                kept.append(sample)
            elif faults[sample.id] is None:
                kept.append(by_id[sample.id])
            elif self.config.when_unusable == "original":
                kept.append(sample)
        self._count(samples, faults)
        return kept, frozenset(name for name, fault in faults.items() if fault is None)

    def _replies(self, part: str, samples: Sequence[Sample]) -> dict[str, str | None]:
        """By sample id; asks for those that are not on record and records what came. A question without reply is asked again."""
        path = self.folder / f"{part}.json"
        known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        conversations = {s.id: self._conversation(s) for s in samples}
        keys = {name: hashlib.sha256(json.dumps(c).encode()).hexdigest() for name, c in conversations.items()}
        open_ = [s.id for s in samples if keys[s.id] not in known]
        if open_:
            replies = self.ask([conversations[name] for name in open_])
            known |= {keys[name]: text for name, text in zip(open_, replies, strict=True) if text is not None}
            with storing(path):
                self.folder.mkdir(exist_ok=True)
                partial = path.with_name(f".partial-{path.name}")
                partial.write_text(json.dumps(known, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
                partial.rename(path)
        return {s.id: known.get(keys[s.id]) for s in samples}

    def _conversation(self, sample: Sample) -> list[Message]:
        parts = {"question": sample.problem.prompt, "completion": sample.completion}
        text = re.sub(r"\{(question|completion)\}", lambda match: parts[match[1]], self.config.instruction)
        return [{"role": "user", "content": text}]

    def _graded(self, texts: Sequence[tuple[Sample, str]]) -> list[Sample]:
        open_tag, close_tag = self.grading.thought_tags
        rollouts = []
        for sample, text in texts:
            tokens = [*self.tokenizer.encode(text, add_special_tokens=False), turn_end(self.tokenizer) or 0]
            trace = parse_trace(text, open_tag=open_tag, close_tag=close_tag)
            rollout = Drawn(
                sample.problem.id, sample.number, [], tokens, [0.0] * len(tokens), StopReason.STOP, 0, text, trace
            )
            rollouts.append((sample.problem, rollout))
        graded, _ = grade(rollouts, self.rubric, self.grading)
        return [
            replace(Sample.of(s.problem, rollout, open_tag), pass_rate=s.pass_rate)
            for rollout, (s, _) in zip(graded, texts, strict=True)
        ]

    def _fault(self, attempt: Sample, original: Sample) -> tuple[str, str] | None:
        """The first filter that drops the attempt, with its label."""
        for filter_ in self.filters:
            [drop] = filter_.judge([attempt])
            if drop is not None:
                return filter_.name, drop.label
        if len(attempt.tokens) > self.config.max_growth * len(original.tokens):
            return "growth", "too_long"
        return None

    def _count(self, samples: Sequence[Sample], faults: dict[str, Any]) -> None:
        self.counts.asked += len(samples)
        self.counts.no_reply += len(samples) - len(faults)
        self.counts.rewritten += sum(fault is None for fault in faults.values())
        for name, fault in faults.items():
            if fault is not None:
                self.counts.unusable[fault[0]] += 1
                if self.counts.unusable[fault[0]] <= 2:
                    self.counts.examples.append((name, *fault))
