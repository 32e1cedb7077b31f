"""Guides: what a search goes by. Internal ones look at the policy's own numbers, external ones ask another grader.

A guide says a number between 0 and 1 where it can, or None with a reason: never 0 for what it cannot say. It also says how many
tokens it read, for they are paid for like sampled ones. What is gold is no guide: `Gold` (the verifier with the reference
answer) is for making data on training problems and marks all that comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, fsum, inf, isfinite, tanh
from numbers import Real
from typing import Any, Protocol

from sanmai.data.steps import Aggregation, aggregate
from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.judge import Complete
from sanmai.search.answer_keys import answer_key
from sanmai.types import BatchGrader, InputError, Message, Problem, StopReason, Trace


@dataclass(frozen=True)
class Candidate:
    """A completion, or the beginning of one, to be scored."""

    problem: Problem
    prompt_tokens: list[int]
    tokens: list[int]
    logp: list[float]
    ends: list[int]
    """Where its steps end, in tokens; of one that has ended the last end is its own."""
    ended: StopReason
    trace: Trace
    others: list[Trace] = field(default_factory=list)
    """The finished completions of its tree."""
    path: tuple[int, ...] = ()
    """Its node."""

    @property
    def is_finished(self) -> bool:
        return self.ended is StopReason.STOP


@dataclass(frozen=True)
class Found:
    """What a guide says of a candidate."""

    score: float | None
    num_tokens: int = 0
    """Tokens that it read for that."""
    reason: str = ""
    of_others: float = 0.0
    """The part of the score that hangs on the other finished completions of the tree, and changes as there are more."""


class Guide(Protocol):
    """Scores candidates, in order; never raises for one candidate's sake."""

    name: str
    is_gold: bool
    """It knows the reference answer."""
    reads_prefixes: bool
    """It says something of what is not finished."""
    others_weight: float
    """How much of the score is the share of finished completions that answer the same; 0 of most."""

    def __call__(self, candidates: Sequence[Candidate]) -> list[Found]: ...


class LogProb:
    """exp of the mean log-prob of the tokens: the policy's own certainty of what it wrote. Costs nothing."""

    name, is_gold, reads_prefixes, others_weight = "logp", False, True, 0.0

    def __call__(self, candidates: Sequence[Candidate]) -> list[Found]:
        return [Found(exp(fsum(c.logp) / len(c.logp)) if c.logp else None) for c in candidates]


class Entropy:
    """exp of minus the policy's mean entropy (nats per token) along the completion: near 1 where it had no doubt anywhere.

    Args:
        measure: (prompt, completion) pairs to mean entropies; it reads all of their tokens.
    """

    name, is_gold, reads_prefixes, others_weight = "entropy", False, True, 0.0

    def __init__(self, measure: Callable[[list[tuple[list[int], list[int]]]], list[float]]) -> None:
        self._measure = measure

    def __call__(self, candidates: Sequence[Candidate]) -> list[Found]:
        pairs = [(c.prompt_tokens, c.tokens) for c in candidates]
        return [
            Found(exp(-entropy), len(prompt) + len(tokens))
            for entropy, (prompt, tokens) in zip(self._measure(pairs), pairs, strict=True)
        ]


class Agreement:
    """Share of the tree's finished completions so far, itself among them, that state the same answer.

    What is answered goes by the share among all that are finished by then (`results.leaves_of`), not by the one that a
    completion had when it was scored.
    """

    name, is_gold, reads_prefixes, others_weight = "agreement", False, False, 1.0

    def __call__(self, candidates: Sequence[Candidate]) -> list[Found]:
        return [self._one(c) for c in candidates]

    def _one(self, candidate: Candidate) -> Found:
        own = answer_key(candidate.problem, candidate.trace) if candidate.is_finished else None
        if own is None:
            return Found(None, reason="no finished answer")
        keys = [answer_key(candidate.problem, trace) for trace in candidate.others]
        share = sum(key == own for key in keys) / len(keys) if keys else 1.0
        return Found(share, of_others=share)


class Graded:
    """A grader of finished completions as a guide: a reward model, a judge; what is not finished has no score.

    Args:
        counts: tokens that the grader has read, and written, since its start, where it counts them.
    """

    reads_prefixes, others_weight = False, 0.0

    def __init__(
        self, name: str, grader: BatchGrader, *, counts: Callable[[], int] | None = None, is_gold: bool = False
    ) -> None:
        self.name, self.is_gold = name, is_gold
        self._grader, self._counts = grader, counts

    def __call__(self, candidates: Sequence[Candidate]) -> list[Found]:
        found = [Found(None, reason="not finished") for _ in candidates]
        asked = [(k, c) for k, c in enumerate(candidates) if c.is_finished]
        for k, c in asked:  # one by one: what a batch reads is known for each
            before = self._counts() if self._counts else 0
            (verdict,) = self._grader([(c.problem, c.trace)])
            read = self._counts() - before if self._counts else 0
            found[k] = Found(verdict.score, read, verdict.reason)
        return found


class CountedReplies:
    """A judge's replies, with a count of the tokens that were read and written for them, by one tokenizer.

    What comes from a cache counts like the rest: a search that was killed and asks again pays the same.

    Args:
        complete: what answers; see rewards/judging/judge.py.
        count: tokens of a text.
    """

    def __init__(self, complete: Complete, count: Callable[[str], int]) -> None:
        self.tokens = 0
        self._complete, self._count = complete, count

    def __call__(self, batch: Sequence[Sequence[Message]]) -> list[str | Failure]:
        replies = self._complete(batch)
        self.tokens += sum(self._count(message["content"]) for messages in batch for message in messages)
        self.tokens += sum(self._count(reply) for reply in replies if isinstance(reply, str))
        return replies


class StepModel(Protocol):
    """What is asked of a process reward model; see rewards/step_scores.py."""

    tokenizer: Any

    @property
    def max_positions(self) -> int | None: ...
    def score_steps(self, sequences: Sequence[Sequence[int]], ends: Sequence[Sequence[int]]) -> list[list[float]]: ...
    def encode_steps(self, messages: Sequence[Message], text: str) -> tuple[list[int], list[int]]: ...


class Process:
    """A process reward model: the probabilities that the steps are right, aggregated.

    A model with the policy's vocabulary reads the policy's own tokens, up to the last step's end; another one reads the text
    and cuts it by its own rule. What was cut off in the middle of its first step is judged as it stands.

    Args:
        vocabulary: the policy's.
    """

    is_gold, reads_prefixes, others_weight = False, True, 0.0

    def __init__(self, name: str, model: StepModel, how: Aggregation, vocabulary: Mapping[str, int]) -> None:
        self.name, self._model, self._how = name, model, how
        self._reads_tokens = dict(model.tokenizer.get_vocab()) == dict(vocabulary)

    def __call__(self, candidates: Sequence[Candidate]) -> list[Found]:
        read = [self._read(candidate) for candidate in candidates]
        room = self._model.max_positions or inf
        asked = [k for k, (tokens, ends) in enumerate(read) if ends and len(tokens) <= room]
        logits = self._model.score_steps([read[k][0] for k in asked], [read[k][1] for k in asked]) if asked else []
        long = f"more than the {room} tokens that the process model was made for"
        found = [Found(None, reason=long if ends else "no step was written") for _, ends in read]
        for k, steps in zip(asked, logits, strict=True):
            if len(steps) != len(read[k][1]):  # openr made a 0.0 of this
                raise RuntimeError(f"{len(steps)} scores for {len(read[k][1])} steps of problem {candidates[k].problem.id}")
            if not all(map(isfinite, steps)):
                found[k] = Found(None, len(read[k][0]), "a step's score is not finite")
                continue
            found[k] = Found(aggregate([(1 + tanh(logit / 2)) / 2 for logit in steps], self._how), len(read[k][0]))
        return found

    def _read(self, candidate: Candidate) -> tuple[list[int], list[int]]:
        """Tokens, and where the steps end in them."""
        if not self._reads_tokens:
            return self._model.encode_steps(candidate.problem.messages, candidate.trace.text)
        tokens = candidate.tokens[:-1] if candidate.is_finished else candidate.tokens
        ends = candidate.ends or ([len(tokens)] if tokens else [])
        first = len(candidate.prompt_tokens)
        return [*candidate.prompt_tokens, *tokens[: ends[-1] if ends else 0]], [first + end for end in ends]


class Function:
    """A function of one's own: (problem, text so far) -> a number, or None where it cannot say.

    Args:
        shows_answer: the problem that it is given has its reference answer and what is demonstrated of it; without, None.
    """

    is_gold, reads_prefixes, others_weight = False, True, 0.0

    def __init__(
        self, function: Callable[[Problem, str], float | None], name: str = "function", *, shows_answer: bool = False
    ) -> None:
        self.name, self._function, self._shows_answer = name, function, shows_answer

    def __call__(self, candidates: Sequence[Candidate]) -> list[Found]:
        found = []
        for c in candidates:
            hidden = replace(c.problem, answer=None, solution=None, demonstration=None)
            try:
                score = self._function(c.problem if self._shows_answer else hidden, c.trace.text)
            except Exception as error:  # it is the caller's, and may raise anything
                said = f"{type(error).__name__} for problem {c.problem.id}: {next(iter(str(error).splitlines()), '')}"
                raise InputError(f"guide {self.name}: raised {said}") from error
            if score is not None and not _is_finite(score):
                said = f"guide {self.name}: gave {score!r:.80} for problem {c.problem.id}"
                raise InputError(f"{said}; expected a finite number or None")
            found.append(Found(None if score is None else float(score), reason="" if score is not None else "it gave None"))
        return found


def _is_finite(score: Any) -> bool:
    """A number, or an array of one."""
    try:
        return (isinstance(score, Real) or hasattr(score, "item")) and isfinite(score)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return False


class Sum:
    """Weighted mean of several guides; None where one of them is None."""

    def __init__(self, guides: Sequence[Guide], weights: Sequence[float]) -> None:
        if len(guides) != len(weights) or not guides or min(weights) <= 0:
            raise InputError(f"guides: {len(guides)} with weights {list(weights)}; expected one above 0 for each")
        self.guides, self.weights = list(guides), [w / fsum(weights) for w in weights]
        self.name = " + ".join(guide.name for guide in guides)
        self.is_gold = any(guide.is_gold for guide in guides)
        self.reads_prefixes = all(guide.reads_prefixes for guide in guides)
        self.others_weight = fsum(w * guide.others_weight for w, guide in zip(self.weights, guides, strict=True))

    def __call__(self, candidates: Sequence[Candidate]) -> list[Found]:
        columns = [guide(candidates) for guide in self.guides]
        found = []
        for row in zip(*columns, strict=True):
            reasons = [one.reason for one in row if one.score is None]
            total = None if reasons else fsum(w * (one.score or 0.0) for w, one in zip(self.weights, row, strict=True))
            others = fsum(w * one.of_others for w, one in zip(self.weights, row, strict=True))
            found.append(Found(total, sum(one.num_tokens for one in row), reasons[0] if reasons else "", others))
        return found
