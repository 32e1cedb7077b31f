"""Beginnings of completions gone on with by the policy, several times each, and graded as whole completions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sanmai.data.chat import opened_in_prompt
from sanmai.data.trace import parse_trace
from sanmai.learn.local_judge import decode
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Completion, Request, SamplingConfig, sample
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import GradingConfig, check_budget, grade
from sanmai.types import Drawn, Graded, Problem, StopReason


@dataclass(frozen=True)
class Beginning:
    """The first `length` tokens of a completion."""

    problem: Problem
    drawn: Drawn
    length: int

    @property
    def tokens(self) -> list[int]:
        return self.drawn.completion_tokens[: self.length]

    @property
    def key(self) -> tuple[str, tuple[int, ...]]:
        """Equal for equal beginnings, whatever completions they are of."""
        return self.problem.id, tuple(self.tokens)


@dataclass
class Continued:
    """What became of beginnings."""

    rollouts: list[list[Graded]]
    """By beginning, in order: whole completions, their common beginning included; equal beginnings may share them."""
    num_asked: int = 0
    """Beginnings that differ."""
    prompt_tokens: int = 0
    """Read for them: prompts and what had been written."""
    sampled_tokens: int = 0
    failures: dict[str, int] = field(default_factory=dict)


def continued(
    policy: TextPolicy, rubric: Rubric, beginnings: Sequence[Beginning], *, k: int, name: Callable[[Beginning], tuple],
    sampling: SamplingConfig, grading: GradingConfig, shares: bool = True,
) -> Continued:  # fmt: skip
    """k continuations of each beginning, in its order; what was written counts against the budget of a completion.

    Args:
        name: of the random stream of a beginning, before the number of the continuation.
        shares: equal beginnings are asked once.

    Raises:
        RunError: the verifier broke for more continuations than grading.failure_budget allows.
    """
    keys = [beginning.key if shares else (number,) for number, beginning in enumerate(beginnings)]
    first: dict[tuple, int] = {}
    for number, key in enumerate(keys):
        first.setdefault(key, number)
    asked = [beginnings[number] for number in first.values()]
    requests = [
        Request([*one.drawn.prompt_tokens, *one.tokens], [(*name(one), j) for j in range(k)], written=one.length) for one in asked
    ]
    tags, written = grading.thought_tags, list[tuple[int, Problem, Drawn]]()
    for done in sample(policy, requests, sampling):
        of = asked[done.request]
        written.append((done.request, of.problem, whole(policy, of.drawn, of.length, done, done.sample, tags)))
    written.sort(key=lambda item: (item[0], item[2].sample))
    graded, failures = grade([(problem, drawn) for _, problem, drawn in written], rubric, grading)
    check_budget(failures, len(graded), grading.failure_budget)
    found: list[list[Graded]] = [[] for _ in asked]
    for (request, _, _), one in zip(written, graded, strict=True):
        found[request].append(one)
    place = {key: request for request, key in enumerate(first)}
    return Continued(
        [found[place[key]] for key in keys], len(asked), sum(len(r.prompt_tokens) for r in requests),
        sum(len(drawn.completion_tokens) - asked[request].length for request, _, drawn in written), failures,
    )  # fmt: skip


def whole(
    policy: TextPolicy, drawn: Drawn, length: int, done: Completion, number: int, tags: tuple[str, str],
    closing: Sequence[int] = (),
) -> Drawn:  # fmt: skip
    """The first tokens of a completion and what goes on from them as one completion, as a verifier reads it.

    Args:
        length: how many tokens of `drawn` it begins with.
        number: its sample's.
        closing: tokens between the two that were not drawn; their log-prob is 0.
    """
    tokens = [*drawn.completion_tokens[:length], *closing, *done.tokens]
    logp = [*drawn.sampling_logp[:length], *[0.0] * len(closing), *done.logp]
    text = decode(policy.tokenizer, Completion(0, number, tokens, logp, done.stop_reason))
    trace = parse_trace(
        text, open_tag=tags[0], close_tag=tags[1], is_truncated=done.stop_reason is not StopReason.STOP,
        opened_in_prompt=opened_in_prompt(policy.tokenizer, drawn.prompt_tokens, tags[0]),
    )  # fmt: skip
    return Drawn(
        drawn.problem_id, number, drawn.prompt_tokens, tokens, logp, done.stop_reason, drawn.policy_version, text, trace,
        images=drawn.images,
    )  # fmt: skip
