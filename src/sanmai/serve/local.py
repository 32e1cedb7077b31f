"""The model of this process behind the protocol: requests to the live sampler, its tokens to what clients read.

Choice k of a request with seed s is the completion that `sample` writes for Request(prompt tokens, [(s, "serve", k)]) with the
same temperature and budget.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sanmai.data.chat import opened_in_prompt, prompt_end, render_prompt
from sanmai.data.trace import OPEN_TAG, opened_tag
from sanmai.policies.text.live import BusyError, Event, LiveRequest, LiveSampler, Top
from sanmai.policies.text.model import TextModel
from sanmai.serve.backend import Kind
from sanmai.serve.protocol import (
    Asked,
    ChatAsked,
    RequestError,
    TextAsked,
    head,
    new_id,
    read_chat,
    read_text,
    usage_of,
)
from sanmai.serve.searched import parts_of, whole_answer
from sanmai.serve.searching import Answer, Searcher
from sanmai.serve.written import Detokenizer, Piece, StopTexts, ThoughtSplitter, thought_pairs
from sanmai.types import InputError, StopReason

_SHORT_CHARS = 4000


@dataclass
class _Choice:
    """One completion on its way to the client."""

    index: int
    detokenizer: Detokenizer
    stops: StopTexts
    splitter: ThoughtSplitter
    tokens: int = 0
    thought_tokens: int = 0
    chars: int = 0
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    drawn: list[int] = field(default_factory=list)
    """All tokens, the stop token too."""


@dataclass(frozen=True)
class _Update:
    """What came of one choice."""

    choice: _Choice
    piece: Piece
    logprobs: list[dict[str, Any]]
    finish_reason: str | None


class LocalModel:
    """A Backend. To be made inside the event loop that it answers on."""

    def __init__(
        self,
        policy: TextModel,
        name: str,
        *,
        concurrent: int,
        max_waiting: int,
        max_tokens: int,
        cache_tokens: int | None = None,
        searcher: Searcher | None = None,
    ) -> None:
        """Args:
        max_tokens: budget of a request that names none, and the most that one may name.
        searcher: answers requests that ask for a search; None: these are refused.
        """
        self.searcher = searcher
        self.policy, self.name, self.max_tokens = policy, name, max_tokens
        self.max_positions = policy.max_positions
        self._loop = asyncio.get_running_loop()
        self._queues: dict[LiveRequest, asyncio.Queue[Event]] = {}
        self._pairs = thought_pairs(policy.tokenizer)
        written = {close: policy.tokenizer.encode(close, add_special_tokens=False) for _, close in self._pairs}
        self._marks = {close: tokens[0] for close, tokens in written.items() if len(tokens) == 1}
        """Closing marks that are one token."""
        self.sampler = LiveSampler(
            policy, self._deliver, concurrent=concurrent, max_waiting=max_waiting, cache_tokens=cache_tokens
        )
        self.concurrent, self.max_waiting = concurrent, max_waiting

    def lines(self) -> list[str]:
        limit = self.policy.max_positions
        return [
            f"Model {self.name}: {self.policy.num_parameters:,} parameters, {self.policy.path}, on {self.policy.device}, "
            f"{limit or 'unknown'} positions",
            f"Writes {self.concurrent} completions at once; {self.max_waiting} more may wait, further ones get HTTP 429; "
            f"at most {self.max_tokens} tokens each",
            *(self.searcher.lines() if self.searcher else []),
            *self.policy.notes,
        ]

    def health(self) -> dict[str, Any]:
        counts = self.sampler.counts
        return {
            "ok": True, "model": self.name, "live": self.sampler.num_live, "waiting": self.sampler.num_waiting,
            "completions": counts["completions"], "cancelled": counts["cancelled"], "failed": counts["failed"],
            "tokens": counts["tokens"], "most_live": counts["live"],
        }  # fmt: skip

    async def models(self) -> dict[str, Any]:
        return {"object": "list", "data": [{"id": self.name, "object": "model", "created": 0, "owned_by": "sanmai"}]}

    async def close(self) -> None:
        await asyncio.to_thread(self.sampler.close)

    async def whole(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        asked, prompts = await self._read(kind, body)
        if (found := await self._searched(asked, prompts)) is not None:
            return whole_answer(self.name, found, self._pairs)
        texts: dict[int, list[Piece]] = {}
        logprobs: dict[int, list[dict[str, Any]]] = {}
        choices: dict[int, _Choice] = {}
        async for update in self._written(asked, prompts):
            k = update.choice.index
            choices[k] = update.choice
            texts.setdefault(k, []).append(update.piece)
            logprobs.setdefault(k, []).extend(update.logprobs)
        shown = []
        for k, choice in sorted(choices.items()):
            joined = Piece("".join(p.thought for p in texts[k]), "".join(p.answer for p in texts[k]))
            shown.append(_whole_choice(asked, choice, joined, logprobs[k]))
            if isinstance(asked, TextAsked) and asked.return_token_ids:
                shown[-1] |= {"token_ids": choice.drawn, "prompt_token_ids": prompts[k // (asked.n or 1)]}
        kind_name = "chat.completion" if kind == "chat" else "text_completion"
        usage = self._usage(prompts, list(choices.values()))
        return {
            **head(kind_name, self.name, new_id("chatcmpl" if kind == "chat" else "cmpl")), "choices": shown, "usage": usage,
        }  # fmt: skip

    async def parts(self, kind: Kind, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], bool | None]:
        asked, prompts = await self._read(kind, body)
        if (found := await self._searched(asked, prompts)) is not None:
            with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
            for part in parts_of(self.name, found, self._pairs, with_usage=with_usage):
                yield part
            return
        kind_name = "chat.completion.chunk" if kind == "chat" else "text_completion"
        start = head(kind_name, self.name, new_id("chatcmpl" if kind == "chat" else "cmpl"))
        begun: set[int] = set()
        choices: dict[int, _Choice] = {}
        waiting: dict[int, list[dict[str, Any]]] = {}
        async with contextlib.aclosing(self._written(asked, prompts)) as updates:
            async for update in updates:
                k = update.choice.index
                choices[k] = update.choice
                waiting.setdefault(k, []).extend(update.logprobs)
                if not (update.piece.thought or update.piece.answer or update.finish_reason):
                    continue
                shown = _part_choice(asked, update, waiting.pop(k), is_first=k not in begun)
                if (yield {**start, "choices": [shown]}):
                    break  # no more of it is wanted, but for what it cost
                begun.add(k)
        if asked.stream_options and asked.stream_options.include_usage:
            yield {**start, "choices": [], "usage": self._usage(prompts, list(choices.values()))}

    async def _searched(self, asked: Asked, prompts: list[list[int]]) -> Answer | None:
        """The answer of a search, where one is asked for or the server's default."""
        if not isinstance(asked, ChatAsked):
            return None
        if self.searcher is None:
            if asked.search is not None and asked.search.strategy != "none":
                said = "search: this server samples and does not search; start it with --strategy or --guide"
                raise RequestError(400, said, param="search", code="unsupported_parameter")
            return None
        search = self.searcher.wanted(asked)
        return None if search is None else await self.searcher.answer(asked, search, self._budget(asked, prompts[0]))

    async def _read(self, kind: Kind, body: dict[str, Any]) -> tuple[Asked, list[list[int]]]:
        """What is asked, and the tokens of its prompts."""
        asked: ChatAsked | TextAsked = read_chat(body) if kind == "chat" else read_text(body)
        if asked.model != self.name:
            raise RequestError(404, f"the model {asked.model[:200]!r} is not served here; expected {self.name!r}",
                               param="model", code="model_not_found")  # fmt: skip
        if isinstance(asked, TextAsked):
            own = sorted(self.policy.stop_tokens)
            if asked.stop_token_ids is not None and sorted(set(asked.stop_token_ids)) != own:
                raise RequestError(400, f"stop_token_ids: this model stops at {own}", param="stop_token_ids")
        try:
            # A short text takes less time than handing it to a thread.
            prompts = self._tokens(asked) if _is_short(asked) else await asyncio.to_thread(self._tokens, asked)
        except InputError as error:
            raise RequestError(400, str(error), param="messages") from None
        return asked, prompts

    def _tokens(self, asked: ChatAsked | TextAsked) -> list[list[int]]:
        if isinstance(asked, ChatAsked):
            return [render_prompt(self.policy.tokenizer, asked.conversation)]
        found = []
        for prompt in asked.prompts:
            tokens = self.policy.tokenizer.encode(prompt) if isinstance(prompt, str) else prompt
            if not tokens or not all(0 <= token < self.policy.vocabulary for token in tokens):
                said = f"prompt: expected text, or token numbers from 0 to {self.policy.vocabulary - 1}"
                raise RequestError(400, said, param="prompt")
            found.append(list(tokens))
        return found

    def _budget(self, asked: Asked, prompt: list[int]) -> int:
        """Tokens that a completion may have."""
        named = (asked.max_completion_tokens if isinstance(asked, ChatAsked) else None) or asked.max_tokens
        room = None if self.max_positions is None else self.max_positions - len(prompt)
        if room is not None and (room < 1 or (named or 1) > room):
            said = (
                f"this model takes {self.max_positions} tokens; the prompt has {len(prompt)}, and max_tokens asks for "
                f"{named or 'at least 1'}"
            )
            raise RequestError(400, said, param="messages", code="context_length_exceeded")
        if named is not None and named > self.max_tokens:
            raise RequestError(
                400, f"max_tokens = {named}: this server writes at most {self.max_tokens}", param="max_tokens"
            )
        return named or min(self.max_tokens, room or self.max_tokens)

    async def _written(self, asked: Asked, prompts: list[list[int]]) -> AsyncGenerator[_Update]:
        """What the sampler writes, as it comes; leaving early lets go of it."""
        n, seed = asked.n or 1, secrets.randbits(48) if asked.seed is None else asked.seed
        top = (asked.top_logprobs if isinstance(asked, ChatAsked) else getattr(asked, "logprobs", None)) or 0
        temperature = 1.0 if asked.temperature is None else max(asked.temperature, 1e-3) if asked.temperature else 0.0
        queue: asyncio.Queue[Event] = asyncio.Queue()
        choices: dict[tuple[LiveRequest, int], _Choice] = {}
        requests: list[LiveRequest] = []
        for p, prompt in enumerate(prompts):
            request = LiveRequest(
                prompt, [(seed, "serve", p * n + k) for k in range(n)], self._budget(asked, prompt), temperature,
                asked.top_p or 1.0, top, is_told_at_once=bool(asked.stream or asked.stops),
            )  # fmt: skip
            requests.append(request)
            # Once a prompt: it renders the conversation anew, which takes longer than a short answer.
            opened = self._opened(asked, prompt) if isinstance(asked, ChatAsked) else None
            choices |= {(request, k): self._choice(asked, p * n + k, opened) for k in range(n)}
        try:
            for request in requests:
                self._queues[request] = queue
                self._submit(request)
            left = len(choices)
            while left:
                event = await queue.get()
                choice = choices[event.request, event.sample]
                if choice.finish_reason is not None:
                    continue
                update = self._update(asked, choice, event)
                left -= update.finish_reason is not None
                if update.finish_reason is not None and event.stop_reason is None:
                    self.sampler.cancel(event.request, event.sample)
                yield update
        finally:
            for request in requests:
                self._queues.pop(request, None)
                self.sampler.cancel(request)

    def _submit(self, request: LiveRequest) -> None:
        try:
            self.sampler.submit(request)
        except BusyError:
            said = f"{self.max_waiting} completions wait already; try again later"
            raise RequestError(429, said, kind="rate_limit_error", code="queue_full", retry_after=1) from None
        except ValueError as error:
            raise RequestError(503, str(error), kind="server_error") from None

    def _choice(self, asked: Asked, index: int, opened: str | None) -> _Choice:
        pairs = self._pairs if isinstance(asked, ChatAsked) else []
        return _Choice(index, Detokenizer(self.policy.tokenizer), StopTexts(asked.stops), ThoughtSplitter(pairs, opened))

    def _opened(self, asked: ChatAsked, prompt: list[int]) -> str | None:
        """The mark that closes the thought in which the completion begins: the template has opened it, or the assistant's
        message that is to be gone on with."""
        tokenizer, conversation = self.policy.tokenizer, asked.conversation
        said = ""
        if conversation[-1]["role"] == "assistant":
            said, prompt = conversation[-1]["content"], render_prompt(tokenizer, conversation[:-1])
        pairs = self._pairs
        if opened_in_prompt(tokenizer, prompt):
            tag = opened_tag(prompt_end(tokenizer, prompt)) or OPEN_TAG
            close = next((close for open_, close in pairs if open_ == tag), "</think>")
            said, pairs = tag + said, [(tag, close)]
        return next((close for open_, close in pairs if said.rfind(open_) > said.rfind(close)), None)

    def _update(self, asked: Asked, choice: _Choice, event: Event) -> _Update:
        if event.failure is not None:
            raise RequestError(500, f"the completion could not be written: {event.failure}", kind="server_error")
        is_last = event.stop_reason is not None
        has_stop = event.stop_reason is StopReason.STOP
        shown = event.tokens[:-1] if has_stop else event.tokens
        thought, answer, read = "", "", 0
        # Token by token where a stop text may cut, so that what is counted ends where the text does.
        parts = [[token] for token in shown] if asked.stops else [shown]
        for part in [*parts, []]:
            is_end = is_last and not part
            was_open = not choice.splitter.in_answer
            text = choice.stops.feed(choice.detokenizer.feed(part, is_last=is_end), is_last=is_end)
            read += len(part)
            piece = choice.splitter.feed(text, is_last=is_end or choice.stops.is_stopped)
            thought, answer = thought + piece.thought, answer + piece.answer
            choice.tokens += len(part)
            choice.thought_tokens += self._in_thought(part, was_open, choice.splitter)
            if choice.stops.is_stopped:
                break
        if choice.stops.is_stopped:
            choice.finish_reason = "stop"
        elif is_last:
            choice.tokens += has_stop
            choice.finish_reason = "stop" if has_stop else "length"
        choice.drawn += event.tokens
        tells_all = isinstance(asked, TextAsked) and asked.return_token_ids
        entries = self._logprobs(asked, event, len(event.tokens) if tells_all else read)
        return _Update(choice, Piece(thought, answer), entries, choice.finish_reason)

    def _in_thought(self, tokens: list[int], was_open: bool, splitter: ThoughtSplitter) -> int:
        """How many of these tokens, which were read together, stand in the thought or close it."""
        if not tokens or not was_open or not splitter.in_answer:
            return len(tokens) if splitter.in_thought else 0
        if splitter.close is None:
            return 0
        decode = self.policy.tokenizer.decode
        if (mark := self._marks.get(splitter.close)) in tokens:  # it is one token, and nothing before it spells it
            at = tokens.index(mark)
            if splitter.close not in decode(tokens[:at], skip_special_tokens=False):
                return at + 1
        closes = lambda n: splitter.close in decode(tokens[:n], skip_special_tokens=False)  # noqa: E731
        return min(bisect.bisect_left(range(len(tokens)), True, key=closes), len(tokens))

    def _logprobs(self, asked: Asked, event: Event, count: int) -> list[dict[str, Any]]:
        """Of the first tokens of an event, thought included, the stop token left out."""
        if isinstance(asked, ChatAsked | TextAsked) and (asked.logprobs is None or asked.logprobs is False):
            return []
        tops: Sequence[Top] = event.tops or [[]] * count
        return [
            {**self._entry(token, logp), "top_logprobs": [self._entry(*each) for each in top]}
            for token, logp, top in zip(event.tokens[:count], event.logp, tops, strict=False)
        ]

    def _entry(self, token: int, logp: float) -> dict[str, Any]:
        text = self.policy.tokenizer.decode([token], skip_special_tokens=False)
        return {"token": text, "logprob": max(logp, -9999.0), "bytes": list(text.encode("utf-8", "replace"))}

    def _usage(self, prompts: list[list[int]], choices: Sequence[_Choice]) -> dict[str, Any]:
        return usage_of(sum(map(len, prompts)), sum(c.tokens for c in choices), sum(c.thought_tokens for c in choices))

    def _deliver(self, events: list[Event]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._dispatch, events)

    def _dispatch(self, events: list[Event]) -> None:
        for event in events:
            if (queue := self._queues.get(event.request)) is not None:
                queue.put_nowait(event)


def _is_short(asked: ChatAsked | TextAsked) -> bool:
    if isinstance(asked, ChatAsked):
        return sum(len(message.content) for message in asked.messages) < _SHORT_CHARS
    return isinstance(asked.prompt, str) and len(asked.prompt) < _SHORT_CHARS


def _whole_choice(asked: Asked, choice: _Choice, text: Piece, entries: list[dict[str, Any]]) -> dict[str, Any]:
    common = {"index": choice.index, "finish_reason": choice.finish_reason}
    if not isinstance(asked, ChatAsked):
        return {**common, "text": text.answer, "logprobs": _legacy(asked, choice, entries)}
    message: dict[str, Any] = {"role": "assistant", "content": text.answer, "refusal": None}
    if text.thought:
        message["reasoning_content"] = text.thought
    return {**common, "message": message, "logprobs": {"content": entries, "refusal": None} if asked.logprobs else None}


def _part_choice(asked: Asked, update: _Update, entries: list[dict[str, Any]], *, is_first: bool) -> dict[str, Any]:
    common = {"index": update.choice.index, "finish_reason": update.finish_reason}
    if not isinstance(asked, ChatAsked):
        return {**common, "text": update.piece.answer, "logprobs": _legacy(asked, update.choice, entries)}
    delta: dict[str, Any] = {"role": "assistant"} if is_first else {}
    if update.piece.thought:
        delta["reasoning_content"] = update.piece.thought
    if update.piece.answer or (is_first and not update.piece.thought):
        delta["content"] = update.piece.answer
    return {**common, "delta": delta, "logprobs": {"content": entries, "refusal": None} if asked.logprobs else None}


def _legacy(asked: Asked, choice: _Choice, entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Log-probs as text completions have them."""
    if getattr(asked, "logprobs", None) is None:
        return None
    offsets = []
    for entry in entries:
        offsets.append(choice.chars)
        choice.chars += len(entry["token"])
    return {
        "tokens": [entry["token"] for entry in entries],
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": [{each["token"]: each["logprob"] for each in entry["top_logprobs"]} for entry in entries],
        "text_offset": offsets,
    }
