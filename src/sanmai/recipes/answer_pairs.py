"""Where the two answers of a pair come from: a policy, or a preference file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.preferences import load_pairs
from sanmai.data.trace import parse_trace
from sanmai.learn.local_judge import decode
from sanmai.learn.sources import check_positions
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.rewards.judging.pairwise import AnswerPair
from sanmai.train.environment import describe_environment
from sanmai.train.state import weights_digest
from sanmai.types import Drawn, Group, Problem, StopReason

Fault = Literal["incomplete", "identical"]


@dataclass(frozen=True)
class DrawnPair:
    """A pair of answers, and why it cannot be judged, if so: one was cut off, or both say the same."""

    pair: AnswerPair
    fault: Fault | None = None


class Answers(Protocol):
    """Pairs of answers in a fixed order."""

    num_prompts: int
    counts: dict[str, int]
    """What was left out before anything was drawn."""

    def environment(self) -> dict[str, Any]:
        """What a run records of them; `origin` must not change when it is resumed."""
        ...

    def draw(self, start: int, count: int) -> tuple[list[DrawnPair], list[Group[Drawn]]]:
        """The pairs of so many prompts, and the rollouts that they were made of."""
        ...


class SampledAnswers:
    """Answers of a policy; the same for the same seed, however often and in whatever order they are drawn."""

    def __init__(
        self, policy: TextPolicy, problems: Sequence[Problem], counts: Mapping[str, int], *, seed: int, samples: int,
        sampling: SamplingConfig, thought_tags: tuple[str, str], reads_thoughts: bool,
    ) -> None:
        """Args:
            counts: of problems that were left out, by reason.
            samples: answers to each problem, an even number.
            reads_thoughts: a pair shows thought and answer, not the answer alone.
        """
        check_positions(policy, problems, sampling.max_tokens)
        self.policy, self.problems, self.counts, self.num_prompts = policy, problems, dict(counts), len(problems)
        self._seed, self._samples, self._sampling = seed, samples, sampling
        self._tags, self._reads_thoughts = thought_tags, reads_thoughts

    def environment(self) -> dict[str, Any]:
        digest = weights_digest(self.policy)
        return describe_environment(self.policy, {"train": self.problems}, start_digest=digest)

    def draw(self, start: int, count: int) -> tuple[list[DrawnPair], list[Group[Drawn]]]:
        groups = self._sample(self.problems[start : start + count])
        drawn = []
        for group in groups:
            for k in range(0, self._samples, 2):
                drawn.append(self._pair(group, k))
        return drawn, groups

    def _sample(self, problems: Sequence[Problem]) -> list[Group[Drawn]]:
        policy, open_tag = self.policy, self._tags[0]
        requests = [
            Request(
                render_prompt(policy.tokenizer, p.messages),
                [(self._seed, "preferences", p.id, k) for k in range(self._samples)],
            )
            for p in problems
        ]
        written: list[list[Drawn]] = [[] for _ in problems]
        for done in sample(policy, requests, self._sampling):
            prompt, text = requests[done.request].prompt_tokens, decode(policy.tokenizer, done)
            trace = parse_trace(
                text,
                open_tag=open_tag,
                close_tag=self._tags[1],
                opened_in_prompt=opened_in_prompt(policy.tokenizer, prompt, open_tag),
                is_truncated=done.stop_reason is not StopReason.STOP,
            )
            rollout = Drawn(
                problems[done.request].id, done.sample, prompt, done.tokens, done.logp, done.stop_reason, 0, text, trace
            )
            written[done.request].append(rollout)
        in_order = (tuple(sorted(rollouts, key=lambda r: r.sample)) for rollouts in written)
        return [Group(problem, rollouts) for problem, rollouts in zip(problems, in_order, strict=True)]

    def _pair(self, group: Group[Drawn], k: int) -> DrawnPair:
        """Two neighbours of a group as a pair."""
        traces = [r.trace for r in group.rollouts[k : k + 2] if r.trace is not None]
        first, second = ((t.text if self._reads_thoughts else t.answer).strip() for t in traces)
        pair = AnswerPair(f"{group.problem.id}#{k // 2}", group.problem.messages, first, second)
        if not all(trace.is_complete for trace in traces):
            return DrawnPair(pair, "incomplete")
        return DrawnPair(pair, "identical" if first == second else None)


class RecordedAnswers:
    """The answers of a preference file; the recorded choice is the first answer."""

    def __init__(self, source: str, *, on_warning: Callable[[str], None]) -> None:
        loaded = load_pairs(source, on_warning=on_warning)
        self.source = source
        self.pairs = [AnswerPair(p.id, p.messages, p.chosen, p.rejected) for p in loaded.items]
        self.num_prompts = len(self.pairs)
        self.counts = {"duplicates": loaded.duplicates}
        if loaded.duplicates:
            on_warning(f"{source}: {loaded.duplicates} pairs left out because an earlier one says the same")

    def environment(self) -> dict[str, Any]:
        sha = hashlib.sha256(repr(self.pairs).encode("utf-8", "surrogatepass"))
        return {"recorded": str(Path(self.source)), "origin": {"pairs": sha.hexdigest()[:16]}}

    def draw(self, start: int, count: int) -> tuple[list[DrawnPair], list[Group[Drawn]]]:
        return [DrawnPair(pair) for pair in self.pairs[start : start + count]], []
