"""The generative judge: a prompted model that scores one completion by a rubric, or compares two in both orders.

A judge is a measuring instrument that fails now and then. A question without a usable verdict is ungradable, never a score;
when too many are, the run stops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import OnlyWith
from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.endpoint import EndpointConfig
from sanmai.rewards.judging.judge_prompts import (
    HARMLESSNESS,
    HELPFULNESS,
    HIGHEST,
    LOWEST,
    UnreadableReplyError,
    quoted,
    read_score,
    rubric_prompt,
)
from sanmai.types import Message, Problem, RunError, Trace, Verdict

Complete = Callable[[Sequence[Sequence[Message]]], list[str | Failure]]
"""Replies to conversations, in order, each or why there is none: an Endpoint, or a local model (learn/local_judge.py)."""


class JudgeConfig(EndpointConfig):
    device: str = Field("cpu", pattern=r"^(cpu|mps|cuda(:\d+)?)$")
    """Where a local folder is run; not used with base_url."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of a local folder; not used with base_url."""
    failure_budget: float = Field(0.2, ge=0, le=1)
    """Share of a batch's questions that may end without a usable verdict before the run stops."""
    calls_per_pair: int = Field(4, ge=2, le=64)
    """Questions about each pair of answers, half of them in either order: an even number."""
    margin: float = Field(1.0, ge=0, lt=HIGHEST - LOWEST)
    """A pair is decided when the mean score gap (points of 1 to 10) is larger than this."""
    min_parsed: int = Field(3, ge=2)
    """A pair with fewer usable replies than this, or with none in one of the orders, is ungradable."""
    calls_per_answer: int = Field(1, ge=1, le=64)
    """Questions whether one answer is right; what more than half of them say stands, else it is ungradable."""

    only_with = (
        OnlyWith("no base_url", lambda c: c.base_url is None, "device", "dtype"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.calls_per_pair % 2 or self.min_parsed > self.calls_per_pair:
            raise ValueError("calls_per_pair must be even, and min_parsed at most calls_per_pair")
        if self.base_url is not None and (self.device != "cpu" or self.dtype != "float32"):
            raise ValueError("device and dtype are a local folder's, but base_url names a server")
        if self.base_url is None and self.api_key_variable is not None:
            raise ValueError("api_key_variable without base_url: a local folder needs no key")
        if self.base_url is not None and self.cache is not None and not self.revision:
            raise ValueError(
                "cache without revision: replies would outlive the weights that gave them; name the weights"
            )
        return self

    @property
    def where(self) -> str:
        """The judge as messages name it."""
        return f"{self.model!r} at {self.base_url}" if self.base_url else repr(self.model)


class RubricJudge:
    """Scores completions by a criterion: points of 1 to 10, mapped linearly to 0..1. A BatchGrader.

    Example:
        judge = RubricJudge(config, HELPFULNESS, endpoint)
        judge([(problem, trace)])   # [Verdict(0.667, "7 of 10: 'Clear, but ...'", "graded")]
    """

    def __init__(self, config: JudgeConfig, criteria: str, complete: Complete, *, shows_thought: bool = False) -> None:
        """Args:
        criteria: what is judged, in words; see judge_prompts.HELPFULNESS and HARMLESSNESS.
        shows_thought: the judge reads the thought, too.
        """
        self.config, self.criteria, self.complete, self.shows_thought = config, criteria, complete, shows_thought
        self.counts: Counter[str] = Counter()
        """Verdicts so far by label: "graded", "incomplete", "ungradable"."""

    def __call__(self, items: Sequence[tuple[Problem, Trace]]) -> list[Verdict]:
        """One verdict per item, in order. An incomplete completion is not shown to the judge: it has no answer.

        Raises:
            InputError: the judge cannot be asked at all.
            RunError: more than config.failure_budget of the questions got no usable verdict.
        """
        verdicts = [Verdict(None, "cut off or never closed", "incomplete")] * len(items)
        asked = [number for number, (_, trace) in enumerate(items) if trace.is_complete]
        prompts = [self._prompt(*items[number]) for number in asked]
        failures: Counter[str] = Counter()
        for number, prompt, reply in zip(asked, prompts, self.complete(prompts), strict=True):
            verdicts[number] = _verdict(reply, prompt, failures)
        self.counts.update(verdict.label for verdict in verdicts)
        check_failures(failures, len(asked), self.config)
        return verdicts

    def _prompt(self, problem: Problem, trace: Trace) -> list[Message]:
        thought = trace.thought if self.shows_thought else None
        return rubric_prompt(self.criteria, problem.messages, trace.answer, thought)


def helpfulness_judge(config: JudgeConfig, complete: Complete) -> RubricJudge:
    """Judges the answer alone, as R1 does (arXiv:2501.12948v1, section 2.3.4)."""
    return RubricJudge(config, HELPFULNESS, complete)


def harmlessness_judge(config: JudgeConfig, complete: Complete) -> RubricJudge:
    """Judges thought and answer: R1 looks at the whole response for harm."""
    return RubricJudge(config, HARMLESSNESS, complete, shows_thought=True)


def check_failures(failures: Counter[str], num_asked: int, config: JudgeConfig) -> None:
    """Stop when the judge fails too often to be an instrument.

    Raises:
        RunError: failures are more than config.failure_budget of the questions; it has the commonest reason.
    """
    if failures.total() > config.failure_budget * num_asked:
        told = Counter({reason: n for reason, n in failures.items() if not reason.startswith("not asked")}) or failures
        reason, count = told.most_common(1)[0]
        raise RunError(
            f"judge {config.where}: {failures.total()} of {num_asked} questions got no usable verdict "
            f"(judge.failure_budget = {config.failure_budget:g}); the commonest reason ({count} of them): {reason}"
        )


def _verdict(reply: str | Failure, question: Sequence[Message], failures: Counter[str]) -> Verdict:
    if isinstance(reply, Failure):
        failures[reply.reason] += 1
        return Verdict(None, reply.reason, "ungradable")
    try:
        points, reason = read_score(reply, question)
    except UnreadableReplyError as error:
        failures[str(error)] += 1
        return Verdict(None, f"{error}: {quoted(reply)}", "ungradable")
    return Verdict((points - LOWEST) / (HIGHEST - LOWEST), f"{points:g} of {HIGHEST}: {reason}", "graded")
