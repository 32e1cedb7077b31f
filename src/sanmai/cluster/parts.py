"""A call of the sampler in fixed parts, and what goes to a sampler and comes back, as JSON.

Rows and slots are cut by a setting. Which part a rollout is in decides its neighbours, and so how its products round; who writes
the part decides nothing. So one process, two samplers and three give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.policies.text.sampler import cut
from sanmai.types import Image, StopReason

_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Part:
    """What one sampler writes in one go."""

    number: int
    requests: tuple[Request, ...]
    rows: tuple[tuple[int, int], ...]
    """Of each rollout, in the order of the requests and their seeds: the request and the sample that it is in the call."""
    slots: int
    """Rollouts written at once."""


def parts_of(requests: Sequence[Request], concurrent: int, parts: int) -> list[Part]:
    """The rollouts of a call, cut as the threads of one process cut them.

    Args:
        concurrent: rollouts written at once by all parts together.
        parts: at most so many; fewer where there are fewer rollouts or slots.

    Example:
        two prompts of three samples in two parts: the first part is all of the first prompt; in four parts the first has
        sample 0 of the first prompt, the second samples 1 and 2, the third sample 0 of the second prompt, and so on.
    """
    rows = [(index, sample) for index, request in enumerate(requests) for sample in range(len(request.seeds))]
    if not rows:
        return []
    parts = min(parts, concurrent, len(rows))
    return [_part(number, requests, part, concurrent // parts) for number, part in enumerate(cut(rows, parts))]


def _part(number: int, requests: Sequence[Request], rows: Sequence[tuple[int, int]], slots: int) -> Part:
    seeds: dict[int, list[tuple]] = {}
    for index, sample in rows:
        seeds.setdefault(index, []).append(requests[index].seeds[sample])
    own = [
        Request(r.prompt_tokens, names, r.written, r.images, r.max_tokens, r.segment)
        for r, names in ((requests[index], names) for index, names in seeds.items())
    ]
    return Part(number, tuple(own), tuple(rows), slots)


def request_json(request: Request) -> dict[str, Any]:
    """A request as JSON.

    Raises:
        TypeError: a seed has a part that would not be the same after it.
    """
    for seed in request.seeds:
        _check_seed(seed)
    return {
        "prompt": request.prompt_tokens, "seeds": request.seeds, "written": request.written,
        "images": list(request.images), "max_tokens": request.max_tokens, "segment": request.segment,
    }  # fmt: skip


def request_of(values: Mapping[str, Any]) -> Request:
    """The request that `request_json` made this of."""
    return Request(
        values["prompt"], [_tuples(seed) for seed in values["seeds"]], values["written"],
        tuple(Image(image) for image in values["images"]), values["max_tokens"], values["segment"],
    )  # fmt: skip


def completion_json(done: Completion) -> list[Any]:
    return [done.request, done.sample, done.tokens, done.logp, str(done.stop_reason)]


def completion_of(values: Sequence[Any]) -> Completion:
    request, sample, tokens, logp, reason = values
    return Completion(request, sample, tokens, logp, StopReason(reason))


def sampling_json(config: SamplingConfig, part: Part, seconds: float) -> dict[str, Any]:
    """Settings of a part: its share of the slots, and what is left of the time."""
    return config.model_dump() | {"concurrent": part.slots, "timeout_seconds": max(seconds, 1e-3)}


def in_call(part: Part, done: Sequence[Completion]) -> list[Completion]:
    """The part's completions under the numbers that they have in the call.

    Raises:
        ValueError: it is not each rollout of the part, once.
    """
    own = [(index, sample) for index, request in enumerate(part.requests) for sample in range(len(request.seeds))]
    names = dict(zip(own, part.rows, strict=True))
    if sorted((c.request, c.sample) for c in done) != own:
        raise ValueError(f"{len(done)} completions came back; expected each of {len(own)} rollouts, once")
    return [Completion(*names[c.request, c.sample], c.tokens, c.logp, c.stop_reason) for c in done]


def _check_seed(seed: Any) -> None:
    if isinstance(seed, tuple):
        for one in seed:
            _check_seed(one)
    elif type(seed) not in _PLAIN:
        raise TypeError(f"a seed of {type(seed).__name__}: expected texts, numbers and tuples of them")


def _tuples(values: Any) -> Any:
    return tuple(map(_tuples, values)) if isinstance(values, list) else values
