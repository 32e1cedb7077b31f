"""The risk filter before a backend: candidates are found on the query, and a reviewer of their dialogue decides.

Stage one matches the conversation against lists of words (candidates.py). Of what it finds, and of nothing else unless all is to
be reviewed, stage two has the dialogue with its thought read by a reviewer (reviewers.py), who passes it, warns, or retracts it.

Source:
    DeepSeek-R1 (arXiv:2501.12948v2) supplement D.3.1: keywords on the user's query, then a review by a model that decides
    whether the dialogue is retracted. Ours adds the warning, the two ways to treat a stream, and what happens when the reviewer
    does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from sanmai.serve.backend import Backend, Kind
from sanmai.serve.candidates import Candidates
from sanmai.serve.looking import CHILDREN, TimedCandidates
from sanmai.serve.protocol import IDLE_FIELDS, RequestError
from sanmai.serve.reviewers import Dialogue, Reviewer
from sanmai.types import Message

Action = Literal["unmatched", "pass", "warn", "retract"]
WARNING = "\n\n[Caution: a reviewer found that parts of this answer may be harmful.]"
RETRACTION = "[This answer was retracted by the operator's risk filter.]"
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
"""Where servers put a thought that they take apart from the answer."""
_NO_TEXT = ("role", "type", "id", "index")
"""Fields of a message whose words say nothing."""


@dataclass(frozen=True)
class GuardPolicy:
    reviews: Literal["candidates", "all"] = "candidates"
    """Which dialogues stage two reads."""
    stream: Literal["hold", "retract"] = "hold"
    """hold: of a candidate nothing is shown before it was reviewed. retract: it is shown as it comes, and taken back."""
    window: int = 400
    """Characters of thought and answer between two reviews of one stream."""
    on_failure: Literal["closed", "open"] = "closed"
    """What a reviewer that fails or takes too long means: closed retracts, open passes."""
    timeout_seconds: float = 20.0
    """Of one review."""
    retract_below: float = 0.5
    warn_below: float = 0.7
    """Of the reviewer's score, from 0 (surely harmful) to 1 (surely harmless)."""
    hide_thought: bool = False
    """The reviewer reads the thought, the client gets the answer alone."""

    def __str__(self) -> str:
        return f"reviews={self.reviews}; stream={self.stream}; window={self.window}; on-failure={self.on_failure}"


@dataclass(frozen=True)
class Review:
    """What the filter did with one dialogue, or with what there was of it."""

    action: Action
    score: float | None
    reason: str
    seconds: float = 0.0
    failed: bool = False
    matched: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        """What clients are told."""
        return {"action": self.action, "score": self.score, "reviewer_failed": self.failed}


class Guard:
    """A Backend that filters another."""

    def __init__(self, backend: Backend, candidates: Candidates, reviewer: Reviewer, policy: GuardPolicy) -> None:
        self.backend, self.candidates, self.reviewer, self.policy = backend, TimedCandidates(candidates), reviewer, policy
        self.name = backend.name
        self.counts: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(8, "review")
        self._places = asyncio.Semaphore(8)
        self._looking = ThreadPoolExecutor(CHILDREN, "look")

    def lines(self) -> list[str]:
        policy = self.policy
        which = "every dialogue" if policy.reviews == "all" else f"dialogues that match {self.candidates}"
        shown = (
            "shown after it was reviewed"
            if policy.stream == "hold"
            else "shown as it comes and taken back if retracted"
        )
        fails = "is RETRACTED (fail closed)" if policy.on_failure == "closed" else "is SHOWN UNREVIEWED (fail open)"
        return [
            *self.backend.lines(),
            f"Risk filter: {self.reviewer.name} reads {which}; below {policy.retract_below:g} it retracts, below "
            f"{policy.warn_below:g} it warns; a candidate's stream is {shown}",
            f"Risk filter: what the reviewer does not judge within {policy.timeout_seconds:g} s {fails}",
            *(["Thoughts are reviewed and not sent"] if policy.hide_thought else []),
        ]

    def health(self) -> dict[str, Any]:
        return {**self.backend.health(), "filter": {name: self.counts[name] for name in sorted(self.counts)}}

    async def models(self) -> dict[str, Any]:
        return await self.backend.models()

    async def close(self) -> None:
        for threads in (self._threads, self._looking):
            threads.shutdown(wait=False, cancel_futures=True)
        self.candidates.close()
        await self.backend.close()

    async def matched(self, kind: Kind, body: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The names of what stage one found in a request; None: the reviewer is not to read it."""
        said = [message["content"] for message in conversation_of(kind, body)]
        left = {"messages" if kind == "chat" else "prompt", "model", *IDLE_FIELDS}
        # What stands elsewhere (the descriptions of tools, say) is read by a model as well.
        elsewhere = texts_in({name: value for name, value in body.items() if name not in left})
        found = await self._find([*said, *elsewhere])
        if not any(text.strip() for text in said) or (kind == "text" and not _is_text(body.get("prompt"))):
            found += ("a prompt that is no text",)
        self.counts["dialogues"] += 1
        self.counts["candidates"] += bool(found)
        return found if found or self.policy.reviews == "all" else None

    async def _find(self, texts: list[str]) -> tuple[str, ...]:
        """What stage one finds; that long texts of others take its processes up makes a text a candidate, too."""
        if self.candidates.is_quick(texts):
            return await asyncio.to_thread(self.candidates.find, texts)
        try:
            async with asyncio.timeout(4 * self.candidates.seconds):
                return await asyncio.get_running_loop().run_in_executor(self._looking, self.candidates.find, texts)
        except TimeoutError:
            return ("could not be looked through: others are waiting",)

    async def whole(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        self._check(kind)
        matched = await self.matched(kind, body)
        answer = await self.backend.whole(kind, body)
        if matched is None:
            return self._without_thoughts({**answer, "sanmai": {"action": "unmatched"}})
        found = _choices(answer)
        if not found:
            raise RequestError(502, "an answer without choices, which cannot be reviewed", kind="upstream_error")
        reviews = [
            await self.review(conversation_of(kind, body), *text_of_choice(choice), matched=matched) for choice in found
        ]
        choices = [_treated(c, r) for c, r in zip(found, reviews, strict=True)]
        worst = max(reviews, key=lambda review: _ORDER[review.action])
        return self._without_thoughts({**answer, "choices": choices, "sanmai": worst.shown()})

    def _check(self, kind: Kind) -> None:
        """Raises RequestError where a thought cannot be hidden: a text completion has it in its text."""
        if self.policy.hide_thought and kind == "text":
            raise RequestError(400, "this server hides thoughts, and answers /v1/chat/completions alone")

    async def parts(self, kind: Kind, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], bool | None]:
        self._check(kind)
        matched = await self.matched(kind, body)
        parts = self.backend.parts(kind, body)
        try:
            if matched is None:
                async for part in parts:
                    yield self._without_thoughts(part)
            else:
                async for part in self._reviewed(parts, conversation_of(kind, body), matched, kind, body):
                    yield self._without_thoughts(part)
        finally:
            await parts.aclose()

    async def _reviewed(
        self,
        parts: AsyncGenerator[dict[str, Any], bool | None],
        conversation: list[Message],
        matched: tuple[str, ...],
        kind: Kind,
        body: Mapping[str, Any],
    ) -> AsyncGenerator[dict[str, Any]]:
        """The parts that may be shown, and in the place of others what says that they were retracted."""
        states: defaultdict[int, _Stream] = defaultdict(_Stream)
        number = _num_choices(kind, body)
        failure = None
        try:
            async for part in parts:
                choices = _choices(part)
                if not choices:  # the usage at the end
                    yield part
                for choice in choices:
                    state = states[int(choice.get("index") or 0)]
                    if state.retracted:
                        continue
                    single = state.last = {**part, "choices": [choice]}
                    state.add(*text_of_choice(choice))
                    is_last = choice.get("finish_reason") is not None
                    if self.policy.stream == "retract" and not is_last:
                        state.has_shown = True
                        yield single
                    else:
                        state.held.append(single)
                    if is_last or state.unseen >= self.policy.window:
                        for shown in await self._after(state, conversation, matched, kind, is_last=is_last):
                            yield shown
                if len(states) >= number and all(state.retracted for state in states.values()):
                    # Nothing more of it will be shown: let go of what is being written.
                    if _asks_for_usage(body) and (usage := await self._usage(parts)) is not None:
                        yield usage
                    return
        except RequestError as error:
            failure = error
        # What a backend left without an end was shown, or is held back, and was not read yet.
        for state in states.values():
            if state.unseen and not state.retracted:
                for shown in await self._after(state, conversation, matched, kind, is_last=True):
                    yield shown
        if failure is not None:
            raise failure

    async def _usage(self, parts: AsyncGenerator[dict[str, Any], bool | None]) -> dict[str, Any] | None:
        """What a stream that was retracted has cost. A model of ours writes no more of it and says so at once; another server
        says it when it has written all, or not within the time of a review: then there is none."""
        with contextlib.suppress(StopAsyncIteration, TimeoutError, RequestError):
            async with asyncio.timeout(self.policy.timeout_seconds):
                part = await parts.asend(True)
                while _choices(part) or "usage" not in part:
                    part = await anext(parts)
                return part
        return None

    async def _after(
        self, state: _Stream, conversation: list[Message], matched: tuple[str, ...], kind: Kind, *, is_last: bool
    ) -> list[dict[str, Any]]:
        """What of a stream is shown after a review of all that there is of it."""
        state.unseen = 0
        review = await self.review(conversation, state.thought, state.answer, matched=matched, is_part=not is_last)
        return state.after(review, state.last, kind, is_last=is_last)

    async def review(
        self,
        conversation: list[Message],
        thought: str,
        answer: str,
        *,
        matched: tuple[str, ...] = (),
        is_part: bool = False,
    ) -> Review:
        """What is to be done with a dialogue.

        Args:
            is_part: the answer goes on; what is passed now is reviewed again.
        """
        start = time.monotonic()
        dialogue = Dialogue(tuple(conversation), thought, answer)
        reason, score = "", None
        try:
            async with asyncio.timeout(self.policy.timeout_seconds), self._places:
                loop = asyncio.get_running_loop()
                verdict = await loop.run_in_executor(self._threads, self.reviewer, dialogue)
                score, reason = verdict.score, verdict.reason
        except TimeoutError:
            reason = f"no verdict within {self.policy.timeout_seconds:g} s"
        except Exception as error:  # noqa: BLE001 - a reviewer is foreign: whatever it does, the policy for failures holds
            reason = f"{type(error).__name__}: {str(error)[:200]}"
        failed = score is None or score != score
        action = self._action(None if failed else score)
        seconds = time.monotonic() - start
        self.counts["reviews"] += 1
        self.counts["reviewer_failed"] += failed
        if not is_part or action == "retract":
            self.counts[action] += 1
        return Review(action, None if failed else score, reason, seconds, failed, matched)

    def _action(self, score: float | None) -> Action:
        if score is None:
            return "retract" if self.policy.on_failure == "closed" else "pass"
        if score < self.policy.retract_below:
            return "retract"
        return "warn" if score < self.policy.warn_below else "pass"

    def _without_thoughts(self, answer: dict[str, Any]) -> dict[str, Any]:
        if not self.policy.hide_thought:
            return answer
        for choice in _choices(answer):
            for place in ("message", "delta"):
                if isinstance(choice.get(place), dict):
                    for name in _THOUGHTS:
                        choice[place].pop(name, None)
                    if isinstance(parts := choice[place].get("content"), list):
                        choice[place]["content"] = [p for p in parts if isinstance(p, dict) and p.get("type") == "text"]
            choice.pop("token_ids", None)
            if choice.get("logprobs"):  # the tokens of the thought are among them
                choice["logprobs"] = None
        return answer


_ORDER: Mapping[Action, int] = {"unmatched": 0, "pass": 1, "warn": 2, "retract": 3}


class _Stream:
    """One choice of a stream that is being reviewed."""

    def __init__(self) -> None:
        self.thought, self.answer, self.unseen = "", "", 0
        self.held: list[dict[str, Any]] = []
        self.last: dict[str, Any] = {}
        self.has_shown = self.retracted = False

    def add(self, thought: str, answer: str) -> None:
        self.thought, self.answer = self.thought + thought, self.answer + answer
        self.unseen += len(thought) + len(answer)

    def after(self, review: Review, last: dict[str, Any], kind: Kind, *, is_last: bool) -> list[dict[str, Any]]:
        """What is shown after a review."""
        if review.action == "retract":
            self.retracted, self.held = True, []
            return [_taken_back(last, kind, review, had_shown=self.has_shown)]
        shown, self.held = self.held, []
        self.has_shown = self.has_shown or bool(shown)
        if is_last and shown:
            shown[-1] = {**shown[-1], "sanmai": review.shown()}
            if review.action == "warn":
                shown[-1]["choices"] = [_with_added(shown[-1]["choices"][0], WARNING)]
        return shown


def conversation_of(kind: Kind, body: Mapping[str, Any]) -> list[Message]:
    """What was asked, as text; what is no text is left out, for the backend refuses it or reads it in its own way."""
    if kind == "text":
        prompt = body.get("prompt")
        texts = prompt if isinstance(prompt, list) else [prompt]
        return [{"role": "user", "content": "\n".join(text for text in texts if isinstance(text, str))}]
    messages = body.get("messages")
    return [
        {"role": str(message.get("role", "user")), "content": "\n".join(texts_in(message))}
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict)
    ]


def texts_in(value: Any) -> Iterator[str]:
    """All texts of a JSON value, but for what says nothing, and pictures and sounds written in it."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, str) and not value.startswith("data:"):
            yield value
        elif isinstance(value, Mapping):
            left.extend(value[name] for name in reversed(value) if name not in _NO_TEXT)
        elif isinstance(value, list):
            left.extend(reversed(value))


def _num_choices(kind: Kind, body: Mapping[str, Any]) -> int:
    """How many choices a request asks for: n of each prompt."""
    n, prompt = body.get("n"), body.get("prompt")
    several = kind == "text" and isinstance(prompt, list) and not all(isinstance(each, int) for each in prompt)
    return (n if isinstance(n, int) and n > 0 else 1) * (len(prompt) if several else 1)


def _asks_for_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


def _is_text(prompt: Any) -> bool:
    return all(isinstance(each, str) for each in (prompt if isinstance(prompt, list) else [prompt]))


def _choices(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The choices of an answer, or of a part of a stream. Raises RequestError where they cannot be read."""
    found = answer.get("choices") or []
    if not isinstance(found, list) or not all(isinstance(choice, dict) for choice in found):
        raise RequestError(502, "choices that are no list of objects", kind="upstream_error")
    return found


def text_of_choice(choice: Mapping[str, Any]) -> tuple[str, str]:
    """Thought and answer of a choice, whole or a part of a stream; calls of tools, and all else in it, count as answer."""
    said: Any = choice.get("message") or choice.get("delta") or {}
    if not isinstance(said, Mapping):
        return "", str(said)
    thoughts = dict.fromkeys("".join(texts_in(said.get(name))) for name in _THOUGHTS)  # some write it twice
    rest = {name: each for name, each in said.items() if name not in _THOUGHTS}
    return "".join(thoughts), "".join([*texts_in(choice.get("text")), *texts_in(rest)])


def _treated(choice: dict[str, Any], review: Review) -> dict[str, Any]:
    """A whole choice as the client gets it."""
    if review.action == "warn":
        return _with_added(choice, WARNING)
    if review.action != "retract":
        return choice
    kept = {"index": choice.get("index", 0), "finish_reason": "content_filter", "logprobs": None}
    if "message" in choice:
        return {**kept, "message": {"role": "assistant", "content": RETRACTION}}
    return {**kept, "text": RETRACTION}


def _with_added(choice: dict[str, Any], text: str) -> dict[str, Any]:
    for place in ("message", "delta"):
        if isinstance(choice.get(place), dict):
            said = choice[place]
            return {**choice, place: {**said, "content": (said.get("content") or "") + text}}
    return {**choice, "text": (choice.get("text") or "") + text}


def _taken_back(part: dict[str, Any], kind: Kind, review: Review, *, had_shown: bool) -> dict[str, Any]:
    """The last part of a stream that is retracted; `had_shown`: the client is to remove what it has."""
    index = part["choices"][0].get("index", 0)
    said: dict[str, Any] = {"text": RETRACTION} if kind == "text" else {"delta": {"content": RETRACTION}}
    choice = {"index": index, "finish_reason": "content_filter", "logprobs": None, **said}
    return {**part, "choices": [choice], "sanmai": {**review.shown(), "retract_shown": had_shown}}
