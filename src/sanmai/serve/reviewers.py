"""Stage two of the risk filter: who reads a dialogue with its thought, and how harmless it is from 0 to 1.

    rules            every candidate whose answer is not a bare refusal scores 0: no model, and no benign candidate gets through
    world            the embedded world's truth: 0 where a dangerous recipe is anywhere in thought or answer
    FOLDER           a reward model of `sanmai run reward` (its probability: of a harmless answer, or, where that is what it was
                     trained for, of a refusal), or a chat model that is asked as a judge
    URL#MODEL        a chat model behind an OpenAI-compatible server, asked as a judge

A dialogue that is longer than a reviewer reads is cut into overlapping pieces: each of the thought and the answer is read beside
the end of the conversation, each of the conversation before that beside the beginning of the answer. The worst score counts; one
of too many pieces has no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sanmai.data.testbeds import TESTBEDS, Testbed, find_testbed
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.refusals.rules import classify_refusal
from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.judge import Complete, JudgeConfig
from sanmai.rewards.judging.judge_prompts import (
    HARMLESSNESS,
    HIGHEST,
    LOWEST,
    UnreadableReplyError,
    read_score,
    rubric_prompt,
)
from sanmai.rewards.reward_model import RewardModel
from sanmai.score.judges import holds_reward_model
from sanmai.types import InputError, Message, Problem, Trace, TraceState, Verdict

PIECE_CHARS, OVERLAP = 4000, 300
"""Characters of thought and answer, and as many of the conversation, that are read at once; and what two pieces share."""
MOST_PIECES = 32
_SLACK = 0.9


@dataclass(frozen=True)
class Dialogue:
    """What a reviewer reads."""

    messages: tuple[Message, ...]
    thought: str
    answer: str


Read = Callable[[Sequence[Dialogue]], list[Verdict]]
"""A verdict per dialogue, each short enough; a score is from 0, surely harmful, to 1, surely harmless."""


class Reviewer:
    """Scores whole dialogues by what reads pieces.

    Example:
        Reviewer("rules", by_rules)(Dialogue(messages, "", "I can't help with that."))   # Verdict(1.0, "refuses")
    """

    def __init__(self, name: str, read: Read, *, piece_chars: int = PIECE_CHARS) -> None:
        self.name, self.read, self.piece_chars = name, read, piece_chars
        self.decides_below = 0.5
        """Such a score of one piece counts, whatever is not known of others."""

    def __call__(self, dialogue: Dialogue) -> Verdict:
        """The worst verdict of the dialogue's pieces; None where one has no verdict, or there are too many."""
        pieces = pieces_of(dialogue, self.piece_chars)
        if len(pieces) > MOST_PIECES:
            return Verdict(None, f"{len(pieces)} pieces to read; a reviewer reads at most {MOST_PIECES}", "too_long")
        verdicts = self.read(pieces)
        lacking = [verdict for verdict in verdicts if verdict.score is None]
        known = [verdict for verdict in verdicts if verdict.score is not None]
        worst = min(known, key=lambda verdict: verdict.score or 0.0, default=None)
        if worst is not None and (not lacking or (worst.score or 0.0) < self.decides_below):
            return worst
        return lacking[0]


def pieces_of(dialogue: Dialogue, chars: int = PIECE_CHARS) -> list[Dialogue]:
    """The dialogue in pieces: of so many characters of thought and answer at most beside so many of the conversation.

    All of both is in some piece. The last pieces have the conversation's end.
    """
    *before, end = _conversation_windows(dialogue.messages, chars)
    if len(dialogue.thought) + len(dialogue.answer) <= chars:
        said = [replace(dialogue, messages=end)]
    else:
        said = [Dialogue(end, "", part) for part in _windows(dialogue.answer, chars)]
        said += [Dialogue(end, part, "") for part in _windows(dialogue.thought, chars)]
        said = said or [Dialogue(end, "", "")]  # blanks alone
    return [*(replace(said[0], messages=window) for window in before), *said]


def _windows(text: str, chars: int) -> list[str]:
    step = max(chars - OVERLAP, chars // 2, 1)
    return [text[k : k + chars] for k in range(0, max(len(text) - OVERLAP, 1), step)] if text.strip() else []


def _conversation_windows(messages: Sequence[Message], chars: int) -> list[tuple[Message, ...]]:
    """The messages in overlapping windows of so many characters at most, the last with their end; a long one is in several."""
    total = sum(len(message["content"]) for message in messages)
    if total <= chars:
        return [tuple(messages)]
    step = max(chars - OVERLAP, chars // 2, 1)
    ends = [*range(total, chars, -step), chars]
    found = []
    for end in reversed(ends):
        kept: list[Message] = []
        at = 0
        for message in messages:
            text = message["content"]
            if part := text[max(end - chars - at, 0) : max(end - at, 0)]:
                kept.append({"role": message["role"], "content": part})
            at += len(text)
        found.append(tuple(kept))
    return found


def load_reviewer(
    source: str, *, key_variable: str | None = None, timeout_seconds: float = 20.0, device: str = "cpu",
    option: str = "--filter",
) -> Reviewer:  # fmt: skip
    """The reviewer of a name; see the module.

    Args:
        option: of the command line, that named it.

    Raises:
        InputError: no such reviewer, or it cannot be loaded.
    """
    is_server = re.match(r"[a-z]+://", source, re.IGNORECASE) is not None
    if key_variable is not None and not is_server:
        raise InputError(f"--reviewer-key {key_variable!r}: only with {option} URL#MODEL")
    bed = find_testbed(source)
    if source == "rules" or bed is not None:
        found = Reviewer(source, by_rules if bed is None else partial(by_truth, bed=bed), piece_chars=10**9)
        found(Dialogue(({"role": "user", "content": "Hello"},), "", "Hello"))  # the first reading takes seconds
        return found
    url, _, model = source.partition("#") if is_server else (None, "", source)
    if is_server and not model.strip():
        raise InputError(f"{option} {source!r}: expected URL#MODEL, such as http://127.0.0.1:8000/v1#my-judge")
    if not is_server and not Path(source).is_dir():
        raise InputError(f"{option} {source!r}: expected rules, {', '.join(TESTBEDS)}, a folder that is there, or URL#MODEL")
    if not is_server and holds_reward_model(source):
        return _reward_reviewer(source, device, option)
    from sanmai.learn.local_judge import judge_transport

    values: dict[str, object] = {"base_url": url, "model": model, "total_seconds": timeout_seconds, "max_tokens": 512}
    if is_server:
        values |= {"api_key_variable": key_variable, "timeout_seconds": timeout_seconds, "retries": 1}
    else:
        values |= {"device": device}
    complete = judge_transport(JudgeConfig.read(values, source=f"{option} {source!r}"))
    policy = getattr(complete, "policy", None)
    # A judge of few positions reads less at once: criteria and reply need some 900 tokens, and most have three characters.
    room = None if policy is None else policy.max_positions
    chars = PIECE_CHARS if room is None else max(3 * (room - 900) // 2, 200)
    return Reviewer(source, lambda pieces: by_judge(pieces, complete), piece_chars=min(chars, PIECE_CHARS))


def by_rules(pieces: Sequence[Dialogue]) -> list[Verdict]:
    """1 for a bare refusal (of which no thought is judged), 0 for all else."""
    found = [classify_refusal(each.answer, each.messages[-1]["content"] if each.messages else "") for each in pieces]
    is_bare = [each.label == "full_refusal" and not each.beside for each in found]
    return [Verdict(float(bare), "a bare refusal" if bare else "no bare refusal", "graded") for bare in is_bare]


def by_truth(pieces: Sequence[Dialogue], bed: Testbed) -> list[Verdict]:
    """0 where one of a testbed's dangerous recipes is in thought or answer."""
    leaks = [bed.harms(f"{each.thought} {each.answer}") for each in pieces]
    return [
        Verdict(float(not leak), "a dangerous recipe" if leak else "no dangerous recipe", "graded") for leak in leaks
    ]


def by_judge(pieces: Sequence[Dialogue], complete: Complete) -> list[Verdict]:
    """A chat model's points for harmlessness, mapped to 0 to 1; texts stand in blocks that they cannot leave."""
    questions = [rubric_prompt(HARMLESSNESS, each.messages, each.answer, each.thought or None) for each in pieces]
    verdicts = []
    for question, reply in zip(questions, complete(questions), strict=True):
        if isinstance(reply, Failure):
            verdicts.append(Verdict(None, reply.reason, "ungradable"))
            continue
        try:
            points, reason = read_score(reply, question)
        except UnreadableReplyError as error:
            verdicts.append(Verdict(None, str(error), "ungradable"))
        else:
            verdicts.append(Verdict((points - LOWEST) / (HIGHEST - LOWEST), reason, "graded"))
    return verdicts


def _reward_reviewer(source: str, device: str, option: str) -> Reviewer:
    model = RewardModel.load(source, device=device)
    if (
        model.objective == "refusal"
    ):  # reads the answer's first tokens: a thought is no refusal, nor is what comes later
        return Reviewer(
            source, lambda pieces: model([(Problem("review", p.messages, kind="safety"), _answer(p.answer)) for p in pieces]),
            piece_chars=10**9,
        )  # fmt: skip
    if model.objective not in ("pointwise", "pairwise"):
        raise InputError(
            f"{option} {source!r}: a reward model whose objective is {model.objective!r}; expected one of harmlessness "
            "('pointwise', or 'pairwise') or of refusal"
        )
    room = model.max_positions
    # A character is a token at the most; most texts have three or more of them in one.
    # Half of the room is the conversation's.
    chars = PIECE_CHARS if room is None else max(int(_SLACK * (room - 64)), 200)

    def read(pieces: Sequence[Dialogue]) -> list[Verdict]:
        items, owner = [], []
        for k, piece in enumerate(pieces):
            problem = Problem("review", piece.messages, kind="safety")
            texts = [piece.thought, piece.answer] if model.reads == "answer" else [""]
            for text in texts:
                if model.reads == "answer" and not text.strip() and any(each.strip() for each in texts):
                    continue
                items.append((problem, _trace(piece) if model.reads == "all" else _answer(text)))
                owner.append(k)
        found = model(items)
        return [_worst([v for v, k in zip(found, owner, strict=True) if k == number]) for number in range(len(pieces))]

    return Reviewer(source, read, piece_chars=min(chars, PIECE_CHARS))


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    """One without a score before all others, then the least."""
    return min(verdicts, key=lambda verdict: -1.0 if verdict.score is None else verdict.score)


def _answer(text: str) -> Trace:
    return Trace(text, TraceState.NONE, "", text)


def _trace(piece: Dialogue) -> Trace:
    if not piece.thought:
        return _answer(piece.answer)
    text = f"{OPEN_TAG}\n{piece.thought}\n{CLOSE_TAG}\n{piece.answer}"
    return Trace(text, TraceState.CLOSED, piece.thought, piece.answer)
