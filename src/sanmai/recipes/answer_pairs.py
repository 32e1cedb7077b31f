"""Where the two answers of a pair come from: a policy, or a preference file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.preferences import load_pairs
from sanmai.data.trace import parse_trace
from sanmai.learn.local_judge import decode
from sanmai.learn.sources import check_positions, load_splits
from sanmai.policies.text.policy import load_policy
from sanmai.policies.text.sampler import Request, sample
from sanmai.rewards.pairwise import AnswerPair
from sanmai.train.environment import describe_environment
from sanmai.train.state import weights_digest
from sanmai.types import Group, InputError, Problem, Rollout, StopReason

if TYPE_CHECKING:
    from sanmai.recipes.preferences import PreferencesConfig

Fault = Literal["incomplete", "identical"]


@dataclass(frozen=True)
class Drawn:
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

    def draw(self, start: int, count: int) -> tuple[list[Drawn], list[Group]]:
        """The pairs of so many prompts, and the rollouts that they were made of."""
        ...


class SampledAnswers:
    """Answers of a policy; the same for the same seed, however often and in whatever order they are drawn."""

    def __init__(
        self,
        config: PreferencesConfig,
        given: Sequence[Problem] | None,
        *,
        on_warning: Callable[[str], None],
    ) -> None:
        train, held_out = load_splits(config.problems, config.seed, given, on_warning=on_warning, needs_answer=False)
        self.problems = [p for p in train if p.kind in config.kinds]
        self.counts = {"held_out": len(held_out), "of_another_kind": len(train) - len(self.problems)}
        if not self.problems:
            raise InputError(f"kinds = {list(config.kinds)}: none of the {len(train)} problems is of these kinds")
        self.config, self.num_prompts = config, len(self.problems)
        self.policy = load_policy(config.model, for_training=False)
        check_positions(self.policy, self.problems, config.sampling.max_tokens)

    def environment(self) -> dict[str, Any]:
        digest = weights_digest(self.policy)
        return describe_environment(self.policy, {"train": self.problems}, start_digest=digest)

    def draw(self, start: int, count: int) -> tuple[list[Drawn], list[Group]]:
        groups = self._sample(self.problems[start : start + count])
        drawn = []
        for group in groups:
            for k in range(0, self.config.samples, 2):
                drawn.append(self._pair(group, k))
        return drawn, groups

    def _sample(self, problems: Sequence[Problem]) -> list[Group]:
        policy, config = self.policy, self.config
        requests = [
            Request(
                render_prompt(policy.tokenizer, p.messages),
                [(config.seed, "preferences", p.id, k) for k in range(config.samples)],
            )
            for p in problems
        ]
        groups = [Group(problem, []) for problem in problems]
        for done in sample(policy, requests, config.sampling):
            prompt, text = requests[done.request].prompt_tokens, decode(policy.tokenizer, done)
            trace = parse_trace(
                text,
                open_tag=config.thought_tags[0],
                close_tag=config.thought_tags[1],
                opened_in_prompt=opened_in_prompt(policy.tokenizer, prompt, config.thought_tags[0]),
                is_truncated=done.stop_reason is not StopReason.STOP,
            )
            rollout = Rollout(
                problems[done.request].id, done.sample, prompt, done.tokens, done.logp, done.stop_reason, 0, text, trace
            )
            groups[done.request].rollouts.append(rollout)
        for group in groups:
            group.rollouts.sort(key=lambda r: r.sample)
        return groups

    def _pair(self, group: Group, k: int) -> Drawn:
        """Two neighbours of a group as a pair; for harm the thought counts, for help the answer alone."""
        traces = [r.trace for r in group.rollouts[k : k + 2] if r.trace is not None]
        first, second = ((t.answer if self.config.criteria == "helpfulness" else t.text).strip() for t in traces)
        pair = AnswerPair(f"{group.problem.id}#{k // 2}", group.problem.messages, first, second)
        if not all(trace.is_complete for trace in traces):
            return Drawn(pair, "incomplete")
        return Drawn(pair, "identical" if first == second else None)


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

    def draw(self, start: int, count: int) -> tuple[list[Drawn], list[Group]]:
        return [Drawn(pair) for pair in self.pairs[start : start + count]], []
