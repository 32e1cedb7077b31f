"""Dialogues with an environment: the policy's turns are sampled one after the other, what it says stands between them.

    prompt  | own ... <end> | told | own ... <end> | told | own ... <end>
    trained     x x x  x       -      x x x   x      -      x x x   x

All dialogues of a call write a turn, then the environment answers those that go on, and so forth. What it says is rendered by
the chat template and read with everything before it, token for token, the thoughts of earlier turns included; nothing that was
sampled is tokenized again (law 3). The tokens of a rollout come from one random stream, so that a dialogue does not depend on its
neighbours (law 7).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.environments import Dialogue
from sanmai.data.trace import parse_trace
from sanmai.data.turns import next_turn
from sanmai.policies.text.model import TextModel
from sanmai.policies.text.sampler import Completion, Request, SamplingConfig, sample
from sanmai.types import Drawn, Problem, RunError, StopReason, Trace, Turn


@dataclass
class _Talk:
    """A rollout of several turns being written."""

    index: int
    """Of its problem."""
    sample: int
    problem: Problem
    dialogue: Dialogue | None
    """None: a problem of one turn among the others."""
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    logp: list[float] = field(default_factory=list)
    told: list[tuple[int, int]] = field(default_factory=list)
    said: list[Turn] = field(default_factory=list)
    start: int = 0
    """Where the newest turn begins among the tokens."""
    num_turns: int = 0
    unanswered: str = ""

    @property
    def num_told(self) -> int:
        return sum(end - start for start, end in self.told)

    @property
    def num_own(self) -> int:
        return len(self.tokens) - self.num_told

    def add(self, done: Completion) -> None:
        self.start = len(self.tokens)
        self.tokens += done.tokens
        self.logp += done.logp
        self.num_turns += 1

    def add_told(self, tokens: list[int]) -> None:
        self.told.append((len(self.tokens), len(self.tokens) + len(tokens)))
        self.tokens += tokens
        self.logp += [0.0] * len(tokens)
        self.start = len(self.tokens)


def draw_dialogues(
    model: TextModel,
    problems: Sequence[Problem],
    dialogues: Sequence[Dialogue | None],
    count: int,
    *,
    seed: tuple,
    version: int,
    sampling: SamplingConfig,
    thought_tags: tuple[str, str],
) -> Iterator[tuple[int, Drawn]]:
    """See policies/contract.py.

    One ends when the environment says that it is over, or at its limits: its turns, as if that were the end; its tokens, the
    environment's, the model's positions or the time, as incomplete.
    sampling.timeout_seconds bounds the turns of all and what the environment says to them: what goes on by then has no reward.

    Args:
        dialogues: of each problem; None of one that is answered in one turn.
    """
    deadline = time.monotonic() + sampling.timeout_seconds
    prompts = [render_prompt(model.tokenizer, p.messages, carries_images=True) for p in problems]
    going = [
        _Talk(k, g, p, dialogue, prompts[k])
        for k, (p, dialogue) in enumerate(zip(problems, dialogues, strict=True))
        for g in range(count)
    ]
    while going:
        left = deadline - time.monotonic()
        if left <= 0:
            for talk in going:
                yield talk.index, _drawn(model, talk, StopReason.TIMEOUT, version, thought_tags)
            return
        requests, of = _requests(model, going, seed, sampling.max_tokens)
        answered = []
        for done in sample(model, requests, sampling.model_copy(update={"timeout_seconds": left})):
            talk = of[done.request][done.sample]
            talk.add(done)
            is_open = talk.dialogue is not None and talk.num_turns < talk.dialogue.limits.turns
            if done.stop_reason is StopReason.STOP and is_open:
                answered.append(talk)
            else:
                yield talk.index, _drawn(model, talk, done.stop_reason, version, thought_tags)
        # In the order of problems, not of arrival: it decides who are neighbours in the next turn.
        answered.sort(key=lambda talk: (talk.index, talk.sample))
        going = []
        for talk, ending in _replied(model, answered, sampling.max_tokens, thought_tags, deadline):
            if ending is None:
                going.append(talk)
            else:
                yield talk.index, _drawn(model, talk, ending, version, thought_tags)


def _requests(
    model: TextModel, going: Sequence[_Talk], seed: tuple, max_tokens: int
) -> tuple[list[Request], list[list[_Talk]]]:
    """What the sampler is asked for, and whose each completion is: the first turns of a problem share its prompt."""
    requests: list[Request] = []
    of: list[list[_Talk]] = []
    first: dict[int, int] = {}
    for talk in going:
        name = (*seed, talk.problem.id, talk.sample)
        if talk.num_turns:
            room = max_tokens if model.max_positions is None else talk.num_own + model.max_positions - _length(talk)
            budget = min(max_tokens, room)
            requests.append(Request(talk.prompt + talk.tokens, [name], talk.num_own, talk.problem.images, budget))
            of.append([talk])
        elif talk.index in first:
            requests[first[talk.index]].seeds.append(name)
            of[first[talk.index]].append(talk)
        else:
            first[talk.index] = len(requests)
            requests.append(Request(talk.prompt, [name], images=talk.problem.images))
            of.append([talk])
    return requests, of


def _length(talk: _Talk) -> int:
    return len(talk.prompt) + len(talk.tokens)


def _replied(
    model: TextModel, answered: Sequence[_Talk], max_tokens: int, thought_tags: tuple[str, str], deadline: float
) -> Iterator[tuple[_Talk, StopReason | None]]:
    """Each with what the environment says to its newest turn added; or why it ends.

    Args:
        deadline: on the monotonic clock; who has no reply by then ends as out of time.
    """
    if not answered:
        return

    def ask(talk: _Talk) -> str | None:
        assert talk.dialogue is not None
        trace = _trace(model, talk, StopReason.STOP, thought_tags)
        talk.said.append(Turn("assistant", trace.answer, trace.thought))
        return talk.dialogue.reply(talk.said, deadline)

    workers = max(talk.dialogue.environment.workers for talk in answered if talk.dialogue is not None)
    with ThreadPoolExecutor(workers, "environment") as pool:
        replies = [pool.submit(ask, talk) for talk in answered]
        for talk, reply in zip(answered, replies, strict=True):
            assert talk.dialogue is not None
            try:
                said = reply.result()
            except TimeoutError:
                talk.said = talk.said[:-1]  # the last turn is the trace itself
                yield talk, StopReason.TIMEOUT
                continue
            except RunError as error:
                talk.unanswered, said = str(error), None
            if said is None:
                talk.said = talk.said[:-1]
                yield talk, StopReason.STOP
                continue
            told = next_turn(model.tokenizer, said)
            room = model.max_positions is None or _length(talk) + len(told) < model.max_positions
            if talk.num_own >= max_tokens or talk.num_told + len(told) > talk.dialogue.limits.told_tokens or not room:
                talk.said = talk.said[:-1]
                yield talk, StopReason.LENGTH
                continue
            talk.said.append(Turn("user", said))
            talk.add_told(told)
            yield talk, None


def _text(model: TextModel, tokens: Sequence[int]) -> str:
    """Tokens as text, without the one that ends a turn."""
    shown = tokens[:-1] if tokens and tokens[-1] in model.stop_tokens else tokens
    return model.tokenizer.decode(list(shown), skip_special_tokens=False, clean_up_tokenization_spaces=False)


def _trace(model: TextModel, talk: _Talk, reason: StopReason, thought_tags: tuple[str, str]) -> Trace:
    """The newest turn taken apart; with the words that the problem has put into its mouth, as graders see them (drawing.py)."""
    open_tag, close_tag = thought_tags
    given = talk.problem.prefill if talk.start == 0 else ""
    begun = model.tokenizer.encode(given, add_special_tokens=False) if given else []
    return parse_trace(
        _text(model, [*begun, *talk.tokens[talk.start :]]), open_tag=open_tag, close_tag=close_tag,
        opened_in_prompt=opened_in_prompt(model.tokenizer, talk.prompt + talk.tokens[: talk.start], open_tag),
        is_truncated=reason is not StopReason.STOP,
    )  # fmt: skip


def _drawn(model: TextModel, talk: _Talk, reason: StopReason, version: int, thought_tags: tuple[str, str]) -> Drawn:
    trace = _trace(model, talk, reason, thought_tags)
    return Drawn(
        talk.problem.id, talk.sample, talk.prompt, talk.tokens, talk.logp, reason, version, _text(model, talk.tokens),
        replace(trace, earlier=tuple(talk.said), unanswered=talk.unanswered), images=talk.problem.images, told=tuple(talk.told),
    )  # fmt: skip
