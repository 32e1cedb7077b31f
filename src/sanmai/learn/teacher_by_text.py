"""A teacher with another tokenizer: what the student wrote is read as text, and compared where tokens of both end together.

Ragged: x_S of the student's tokens, x_U of the teacher's tokens of the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sanmai.data.chat import render_prompt
from sanmai.data.steps import Decode, character_ends
from sanmai.data.turns import turn_end
from sanmai.learn.teacher import teacher_logp
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.types import Drawn, Problem, StopReason

Span = tuple[int, int]
"""Tokens of the student and of the teacher that have been read when it ends."""


def aligned_spans(end_S: Sequence[int], end_U: Sequence[int]) -> list[Span]:
    """The shortest stretches of a text that whole tokens of both write.

    Args:
        end_S, end_U: characters that are written after each token; both end with all of the text. A token that completes no
            character belongs to the stretch of the next that does.

    Raises:
        ValueError: the two end at different characters.

    Example:
        aligned_spans([3, 5, 9], [5, 6, 9]) == [(2, 1), (3, 3)]
    """
    if (end_S[-1] if end_S else 0) != (end_U[-1] if end_U else 0):
        raise ValueError(f"the texts end at characters {list(end_S[-1:])} and {list(end_U[-1:])}: expected the same text")
    first: tuple[dict[int, int], dict[int, int]] = {}, {}
    for known, ends in zip(first, (end_S, end_U), strict=True):
        for number, end in enumerate(ends, 1):
            known.setdefault(end, number)
    spans = [(first[0][end], first[1][end]) for end in sorted(first[0].keys() & first[1].keys()) if end > 0]
    if spans:
        spans[-1] = len(end_S), len(end_U)
    return spans


def span_advantages(logp_S: Sequence[float], teacher_logp_U: Sequence[float], spans: Sequence[Span]) -> list[float]:
    """Of each of the student's tokens how much more likely the teacher finds the stretch that it is in than the student did.

        A_s = sum_{u in span} log q_u - sum_{s in span} log p_s

    With one tokenizer every span is a token, and this is `distillation_advantages`. The teacher's probability of a stretch is
    that of its own way of cutting it, which is at most the text's: a stretch that it would cut otherwise counts as less
    likely than it is.

    Source:
        The estimate from sampled tokens of Thinking Machines 2025, on the aligned spans of GOLD (Hugging Face 2025). Derived: a
        span is an action whose log-prob is the sum of its tokens', so each of them has the gradient of A times its own.
    """
    advantages: list[float] = []
    begin = (0, 0)
    for end in spans:
        ahead = sum(teacher_logp_U[begin[1] : end[1]]) - sum(logp_S[begin[0] : end[0]])
        advantages += [ahead] * (end[0] - begin[0])
        begin = end
    return advantages


@dataclass(frozen=True)
class Reading:
    """What a teacher says of the student's completions."""

    advantages: list[list[float] | None]
    """Per rollout and token; None where the text is none that the teacher can read."""
    reverse_kl: float
    """Nats per token of the student."""
    span_tokens: float
    """Mean tokens of the student in a span."""


def read_by_text(
    teacher: TextPolicy, student: TextPolicy, rollouts: Sequence[tuple[Problem, Drawn]], micro_tokens: int
) -> Reading:
    """Let the teacher read completions in its own tokens, after its own prompt.

    Left out is a completion that ends within a character, has words that the teacher's tokenizer does not give back as they are,
    or is longer than the teacher's positions.
    """
    theirs = [_theirs(teacher, student, problem, r) for problem, r in rollouts]
    known = [k for k, found in enumerate(theirs) if found is not None]
    advantages: list[list[float] | None] = [None] * len(rollouts)
    if not known:
        return Reading(advantages, 0.0, 0.0)
    batch = pack([(found[0], found[1]) for found in theirs if found is not None])
    logp_BT = teacher_logp(teacher, student, batch, micro_tokens)
    ahead, num_tokens, num_spans = 0.0, 0, 0
    for row, k in enumerate(known):
        found, (_, r) = theirs[k], rollouts[k]
        assert found is not None
        own = advantages[k] = span_advantages(r.sampling_logp, logp_BT[row, batch.mask_BT[row]].tolist(), found[2])
        starts = [0, *(end for end, _ in found[2][:-1])]
        ahead += sum(own[start] for start in starts)
        num_tokens, num_spans = num_tokens + len(own), num_spans + len(starts)
    return Reading(advantages, -ahead / num_tokens, num_tokens / num_spans)


def _theirs(
    teacher: TextPolicy, student: TextPolicy, problem: Problem, r: Drawn
) -> tuple[list[int], list[int], list[Span]] | None:
    """Prompt and completion in the teacher's tokens, and the spans; a token that ends a turn is a span of its own."""
    end = turn_end(teacher.tokenizer)
    has_stop = r.stop_reason is StopReason.STOP and end is not None
    own = r.completion_tokens[:-1] if r.stop_reason is StopReason.STOP else r.completion_tokens
    text = _decode(student)(own)
    written = teacher.tokenizer.encode(text, add_special_tokens=False) if text else []
    prompt = render_prompt(teacher.tokenizer, problem.messages)
    length = len(prompt) + len(written) + has_stop
    if "\ufffd" in text or _decode(teacher)(written) != text:  # half a character; words that are not in its vocabulary
        return None
    if teacher.max_positions is not None and length > teacher.max_positions:
        return None
    spans = aligned_spans(character_ends(own, _decode(student)), character_ends(written, _decode(teacher)))
    if has_stop:
        spans = [*spans, (len(own) + 1, len(written) + 1)]
        written = [*written, end]
    elif len(own) < len(r.completion_tokens):
        return None
    return (prompt, written, spans) if spans else None


def _decode(policy: TextPolicy) -> Decode:
    return lambda tokens: policy.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
