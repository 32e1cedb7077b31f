"""The OpenAI-compatible protocol: what may be asked, read strictly, and the shapes of what is answered.

A field that would change the answer and that this server does not know is refused by name; fields that change nothing of an
answer (`user`, `metadata`, `store`) are let through.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sanmai.types import Message

MOST_CHOICES, MOST_STOPS, MOST_TOP = 128, 4, 20
IDLE_FIELDS = frozenset({
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
})  # fmt: skip
"""They say something of the request and change nothing of the answer."""
_NEUTRAL: Mapping[str, Sequence[Any]] = {
    "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "tools": ([],), "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},), "best_of": (1,), "echo": (False,), "suffix": ("",), "modalities": (["text"],),
    "parallel_tool_calls": (True, False), "repetition_penalty": (1,), "top_k": (0, -1), "min_p": (0,),
}  # fmt: skip
"""Fields that this server does not compute, with the values that ask for nothing."""


class RequestError(Exception):
    """A request that is not answered, as the protocol says it."""

    def __init__(self, status: int, message: str, *, kind: str = "invalid_request_error", param: str | None = None,
                 code: str | None = None, retry_after: int | None = None) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.retry_after = status, retry_after
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _text_of_parts(content: Any) -> Any:
    """A message's content as text: parts of type "text" are joined."""
    if not isinstance(content, list):
        return content
    texts = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise ValueError("only parts of type 'text' are read")
        texts.append(part["text"])
    return "\n".join(texts)


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_text_of_parts)]


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    include_usage: bool | None = None


class Asked(BaseModel):
    """What both kinds of completion have."""

    model_config = ConfigDict(extra="forbid", strict=True)
    model: str
    n: int | None = Field(None, ge=1, le=MOST_CHOICES)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class SearchAsked(BaseModel):
    """How an answer is to be searched for: settings of `sanmai search`, but for n, which is its width."""

    model_config = ConfigDict(extra="forbid", strict=True)
    strategy: Literal["none", "best_of_n", "beam", "dvts", "rebase", "particles", "mcts", "revise"] | None = None
    n: int | None = Field(None, ge=1, le=MOST_CHOICES)
    tokens: int | None = Field(None, ge=1)
    guide: str | None = None
    choose: Literal["best", "vote", "weighted"] | None = None
    branch: int | None = Field(None, ge=1, le=64)
    keep: int | None = Field(None, ge=1, le=64)
    groups: int | None = Field(None, ge=1, le=64)
    revisions: int | None = Field(None, ge=0, le=64)
    lookahead: int | Literal["step", "end"] | None = None


class ChatAsked(Asked):
    search: SearchAsked | None = None
    messages: list[ChatMessage] = Field(min_length=1, max_length=4096)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MOST_TOP)

    @property
    def conversation(self) -> list[Message]:
        """The messages, a developer's as the system's."""
        return [{"role": "system" if m.role == "developer" else m.role, "content": m.content} for m in self.messages]


class TextAsked(Asked):
    prompt: str | list[str] | list[int] | list[list[int]]
    logprobs: int | None = Field(None, ge=0, le=MOST_TOP)
    return_token_ids: bool | None = None
    """As vLLM has it: token_ids of prompt and completion, the stop token and its log-prob among them."""
    stop_token_ids: list[int] | None = None
    """The model's own are taken, as a check that both mean the same."""
    ignore_eos: bool | None = None
    """As vLLM has it, of who names all tokens that stop; without stop_token_ids refused."""
    skip_special_tokens: bool | None = None

    @property
    def prompts(self) -> list[str | list[int]]:
        """Each prompt, as text or as tokens."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if self.prompt and isinstance(self.prompt[0], int):
            return [[token for token in self.prompt if isinstance(token, int)]]
        return [prompt for prompt in self.prompt if not isinstance(prompt, int)]


AskedT = TypeVar("AskedT", bound=Asked)


def read_body(raw: bytes) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        RequestError: it is none.
    """
    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = str(error)[:160] if isinstance(error, ValueError) else "nested too deeply"
        raise RequestError(400, f"the body is no JSON: {reason}") from None
    if not isinstance(body, dict):
        kind = {list: "array", str: "text", type(None): "null", bool: "true or false"}.get(type(body), "number")
        raise RequestError(400, f"the body is JSON, but no object: {kind}; expected an object")
    try:
        json.dumps(body, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise RequestError(400, "the body holds half of a surrogate pair, which is no character") from None
    return body


def read_chat(body: Mapping[str, Any]) -> ChatAsked:
    """What a request for a chat completion asks. Raises RequestError with the field that cannot be met."""
    asked = _read(ChatAsked, body)
    if asked.top_logprobs and not asked.logprobs:
        raise RequestError(400, "top_logprobs needs logprobs = true", param="top_logprobs")
    if not any(message.content.strip() for message in asked.messages):
        raise RequestError(400, "every message is empty; expected some text", param="messages")
    if all(message.role == "assistant" for message in asked.messages):
        raise RequestError(400, "only messages of the assistant; expected one before them", param="messages")
    return asked


def read_text(body: Mapping[str, Any]) -> TextAsked:
    """What a request for a text completion asks. Raises as `read_chat`."""
    asked = _read(TextAsked, body)
    if not asked.prompts or not all(asked.prompts):
        raise RequestError(400, "prompt is empty; expected some text or tokens", param="prompt")
    if asked.ignore_eos and asked.stop_token_ids is None:
        raise RequestError(400, "ignore_eos: a completion ends with the model's stop tokens", param="ignore_eos")
    if asked.return_token_ids and (asked.stream or asked.stops):
        raise RequestError(400, "return_token_ids goes with whole answers and without stop", param="return_token_ids")
    if len(asked.prompts) * (asked.n or 1) > MOST_CHOICES:
        raise RequestError(400, f"more than {MOST_CHOICES} completions in one request", param="prompt")
    return asked


def _read(kind: type[AskedT], body: Mapping[str, Any]) -> AskedT:
    known = {name: value for name, value in body.items() if name not in IDLE_FIELDS and value is not None}
    for name, neutral in _NEUTRAL.items():
        if name in known and name not in kind.model_fields:
            if known[name] not in neutral:
                raise RequestError(
                    400, f"{name} is not supported by this server", param=name, code="unsupported_parameter"
                )
            del known[name]
    try:
        asked = kind.model_validate(known)
    except ValidationError as error:
        raise _as_request_error(error) from None
    if len(asked.stops) > MOST_STOPS or not all(asked.stops):
        raise RequestError(400, f"stop: expected at most {MOST_STOPS} texts, none of them empty", param="stop")
    if asked.stream_options is not None and not asked.stream:
        raise RequestError(400, "stream_options needs stream = true", param="stream_options")
    return asked


def _as_request_error(error: ValidationError) -> RequestError:
    first = error.errors(include_url=False, include_input=False)[0]
    # Of a union pydantic names the branch as well, which the user did not write.
    where = ".".join(
        str(part)
        for part in first["loc"]
        if part not in ("str", "int") and not str(part).startswith(("list[", "constrained-", "literal["))
    )
    if first["type"] == "extra_forbidden":
        return RequestError(400, f"{where} is not supported by this server", param=where, code="unsupported_parameter")
    return RequestError(400, f"{where or 'body'}: {first['msg'][:200]}", param=where or None)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def new_id(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(12)}"


def head(
    kind: Literal["chat.completion", "chat.completion.chunk", "text_completion"], model: str, id_: str
) -> dict[str, Any]:
    """What every answer and every part of a stream begins with."""
    return {"id": id_, "object": kind, "created": int(time.time()), "model": model}


def usage_of(prompt: int, completion: int, reasoning: int) -> dict[str, Any]:
    """Counts of tokens; the thought's are among the completion's."""
    return {
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }  # fmt: skip


def sse(value: Mapping[str, Any] | str) -> bytes:
    """One server-sent event."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode("utf-8", "replace")
