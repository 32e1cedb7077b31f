"""Demonstrations by prompting: a model is asked to show behaviours, and what is right and shows them is kept.

Nothing trusts the writer: the verifier grades the answer, and the rules of instruments/behaviours.py look for what was asked
for. A mistake that a writer makes on demand is no mistake; so what was really answered wrongly is shown to it once more, and a
reply that finds the mistake and is right is kept as a conversation of question, wrong answer, request and correction.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import field_validator

from sanmai.config import Config
from sanmai.data.trace import parse_trace
from sanmai.instruments.behaviours import BEHAVIOURS, behaviours
from sanmai.learn.local_judge import judge_transport
from sanmai.learn.progress import Progress
from sanmai.recipes.init_card import Made, tagged
from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.judge import JudgeConfig, check_failures
from sanmai.rewards.verifiers import accuracy
from sanmai.search.drive import REVISE
from sanmai.train.digests import require_whole
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.types import Behaviour, InputError, Message, Problem
from sanmai.world.chance import generator

_INSTRUCTION = """\
{question}

Think aloud between {open} and {close}, and write the answer to the question after {close}. In your thought, in the language of \
the question, do the following where it fits, in words of your own:
{behaviours}"""
_REVISION = """\
{revise} Think aloud between {open} and {close}: go through what you wrote, say what is right and what is wrong, and put right \
what is wrong. Then write the answer to the question after {close}."""
_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()), ("attempt", pa.int32()), ("is_revision", pa.bool_()), ("wanted", pa.list_(pa.string())),
        ("found", pa.list_(pa.string())), ("outcome", pa.string()), ("reason", pa.string()), ("answered", pa.string()),
        ("text", pa.string()),
    ]
)  # fmt: skip
_EVERY = CheckpointsConfig(every=1)


class InstructionsConfig(Config):
    """What a writer is told. {question}, {behaviours}, {open} and {close} (the thought tags) stand for what they say."""

    instruction: str = _INSTRUCTION
    """Takes the place of the problem's last message when a demonstration is written; what is kept has the problem's own."""
    revision: str = _REVISION
    """Asks for a revision; {revise} stands for `revise`."""
    revise: str = REVISE
    """The request that a kept revision answers; the same as the search strategy's, so that it is known there."""
    analysis: str = "Say what is given and what is asked."
    """How problem analysis is asked for."""
    decomposition: str = "Break the problem down into steps before you work on it."
    """The same."""
    completion: str = "Work each step through to the end, and end by saying what the answer is."
    """The same."""
    alternative: str = "Propose another way to the answer, and try it."
    """The same."""
    self_evaluation: str = "Check your result, and say that you check it."
    """The same."""
    self_correction: str = "Where you find that something is wrong, say so and correct it."
    """The same; what is corrected on demand need not have been wrong."""

    def sentences(self) -> dict[Behaviour, str]:
        """How each behaviour is asked for."""
        return {
            "analysis": self.analysis, "decomposition": self.decomposition, "completion": self.completion,
            "alternative": self.alternative, "self_evaluation": self.self_evaluation, "self_correction": self.self_correction,
        }  # fmt: skip

    @field_validator("instruction")
    @classmethod
    def _check(cls, value: str) -> str:
        if "{question}" not in value or "{behaviours}" not in value:
            raise ValueError("expected a text with {question} and {behaviours} in it")
        return value


@dataclass(frozen=True)
class Asked:
    """What a writer is asked by; see InitConfig."""

    writer: JudgeConfig
    instructions: InstructionsConfig
    drawn: Callable[..., frozenset[Behaviour]]
    """Behaviours by (seed, problem, attempt)."""
    seed: int
    attempts: int
    revise_wrong: bool
    problems_per_step: int
    thought_tags: tuple[str, str]
    timeout_seconds: float


@dataclass(frozen=True)
class _Question:
    problem: Problem
    attempt: int
    wanted: frozenset[Behaviour]
    messages: list[Message]
    answered: str | None = None
    """Of a revision, the wrong completion."""


@dataclass
class _Row:
    """A question and what became of it."""

    question: _Question
    text: str
    outcome: str
    reason: str = ""
    found: frozenset[Behaviour] = field(default_factory=frozenset)

    def as_dict(self) -> dict[str, Any]:
        q = self.question
        return {
            "problem_id": q.problem.id, "attempt": q.attempt, "is_revision": q.answered is not None, "wanted": _listed(q.wanted),
            "found": _listed(self.found), "outcome": self.outcome, "reason": self.reason, "answered": q.answered,
            "text": self.text,
        }  # fmt: skip


def prompted(asked: Asked, run: Run, problems: Sequence[Problem], progress: Progress) -> Made | None:
    """Ask about all problems, a commit after each part, and read back what was kept; None where the run was interrupted.

    Raises:
        InputError: the writer cannot be asked at all.
        RunError: more questions than writer.failure_budget got no reply.
    """
    num_steps = -(-len(problems) // asked.problems_per_step)
    progress.begin(run, num_steps)
    writer = Writer(asked, run.folder / "replies") if run.start_step < num_steps else None
    for step in run.steps(num_steps, progress.interrupting):
        assert writer is not None
        part = problems[(step - 1) * asked.problems_per_step : step * asked.problems_per_step]
        with progress.phase("sampling"):
            rows = writer.ask(part)
        metrics = {f"asked/{name}": float(n) for name, n in Counter(row.outcome for row in rows).items()}
        run.log_step(step, metrics)
        run.log_table(step, "asked", pa.Table.from_pylist([row.as_dict() for row in rows], schema=_SCHEMA))
        run.save(step, lambda folder, step=step: _mark(folder, step), _EVERY)
        progress.step(step, metrics)
    return None if run.interrupted else _made(run, {p.id: p for p in problems}, asked.instructions.revise)


class Writer:
    """Asks a model for demonstrations and grades what it writes.

    Args:
        replies: folder that keeps replies, so that a question that was answered is not asked again.
    """

    def __init__(self, asked: Asked, replies: Path) -> None:
        self.asked, self._complete = asked, judge_transport(asked.writer, cache=replies)

    def ask(self, problems: Sequence[Problem]) -> list[_Row]:
        """All questions about these problems, in order, with what became of them: one `kept` per problem at most."""
        rows: list[_Row] = []
        open_ = list(problems)
        for attempt in range(self.asked.attempts):
            rows += self._answered([self._question(p, attempt) for p in open_])
            kept = {row.question.problem.id for row in rows if row.outcome == "kept"}
            open_ = [p for p in open_ if p.id not in kept]
        if self.asked.revise_wrong:
            wrong: dict[str, _Row] = {}
            for row in rows:
                if row.outcome == "wrong":
                    wrong.setdefault(row.question.problem.id, row)
            rows += self._answered([self._revision(row) for row in wrong.values()])
        return rows

    def _question(self, problem: Problem, attempt: int) -> _Question:
        nothing: frozenset[Behaviour] = frozenset({"completion"})
        wanted = self.asked.drawn(self.asked.seed, problem.id, attempt) or nothing
        told = [f"- {sentence}" for name, sentence in self.asked.instructions.sentences().items() if name in wanted]
        text = self._filled(self.asked.instructions.instruction, question=problem.prompt, behaviours="\n".join(told))
        turns = [dict(message) for message in problem.messages]
        last = max(k for k, message in enumerate(turns) if message["role"] == "user")
        turns[last]["content"] = text
        return _Question(problem, attempt, wanted, [*turns])

    def _revision(self, row: _Row) -> _Question:
        problem = row.question.problem
        text = self._filled(self.asked.instructions.revision, revise=self.asked.instructions.revise)
        turns: list[Message] = [{"role": "assistant", "content": row.text}, {"role": "user", "content": text}]
        wanted: frozenset[Behaviour] = frozenset({"self_evaluation"})
        return _Question(problem, self.asked.attempts, wanted, [*problem.messages, *turns], row.text)

    def _filled(self, text: str, **parts: str) -> str:
        open_tag, close_tag = self.asked.thought_tags
        for name, part in {"open": open_tag, "close": close_tag, **parts}.items():
            text = text.replace(f"{{{name}}}", part)
        return text

    def _answered(self, questions: Sequence[_Question]) -> list[_Row]:
        if not questions:
            return []
        seeds = [{"seed": generator("writer", self.asked.seed, q.problem.id, q.attempt).randrange(2**31)} for q in questions]
        replies = self._complete([q.messages for q in questions], seeds)
        failures = Counter(reply.reason for reply in replies if isinstance(reply, Failure) and reply.kind != "cut_off")
        check_failures(failures, len(questions), self.asked.writer)
        return [self._row(q, reply) for q, reply in zip(questions, replies, strict=True)]

    def _row(self, question: _Question, reply: str | Failure) -> _Row:
        if isinstance(reply, Failure):
            return _Row(question, "", "cut_off" if reply.kind == "cut_off" else "no_reply", reply.reason)
        text = reply.strip()
        open_tag, close_tag = self.asked.thought_tags
        trace = parse_trace(text, open_tag=open_tag, close_tag=close_tag)
        if not trace.thinks:
            return _Row(question, text, "no_thought", "no closed thought between the tags")
        verdict = accuracy(question.problem, trace, timeout_seconds=self.asked.timeout_seconds)
        found = behaviours(trace.thought, question.problem.language)
        if verdict.score != 1.0:
            outcome = "ungradable" if verdict.score is None else "wrong"
            return _Row(question, text, outcome, verdict.reason, found or frozenset())
        if found is None:
            return _Row(question, text, "no_rules", f"no rules for language {question.problem.language!r}")
        if missing := question.wanted - found:
            return _Row(question, text, "missing", f"not found: {', '.join(_listed(missing))}", found)
        return _Row(question, text, "kept", verdict.reason, found)


def _made(run: Run, problems: Mapping[str, Problem], revise: str) -> Made:
    """What the rows on disk say; InputError where a file is missing or damaged."""
    made = Made([], Counter(), Counter(), Counter(), {name: Counter() for name in BEHAVIOURS})
    require_whole(run.folder, "asked/")
    for path in sorted((run.folder / "asked").glob("step-*.parquet")):
        try:
            rows = pq.read_table(path, schema=_SCHEMA).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]}); ask again into another --out") from None
        for row in rows:
            outcome = f"revision_{row['outcome']}" if row["is_revision"] else row["outcome"]
            made.outcomes[outcome] += 1
            made.wanted.update(row["wanted"])
            for name in row["wanted"]:
                made.by_wanted[name][row["outcome"]] += 1
            if row["outcome"] == "kept":
                made.shown.update(row["found"])
                made.problems.append(_demonstration(problems[row["problem_id"]], row, revise))
    return made


def _demonstration(problem: Problem, row: Mapping[str, Any], revise: str) -> Problem:
    found = frozenset(row["found"])
    made = tagged(replace(problem, solution=None, demonstration=row["text"]), found)
    if not row["is_revision"]:
        return made
    turns: tuple[Message, ...] = (
        {"role": "assistant", "content": row["answered"]}, {"role": "user", "content": revise},
    )  # fmt: skip
    return replace(made, id=f"{problem.id}/revised", messages=(*problem.messages, *turns))


def _listed(names: frozenset[Behaviour]) -> list[str]:
    return [name for name in BEHAVIOURS if name in names]


def _mark(folder: Path, step: int) -> None:
    """A commit holds nothing but its number: what was asked lies in asked/ and replies/."""
    (folder / "asked.json").write_text(json.dumps({"steps": step}) + "\n", encoding="utf-8")
