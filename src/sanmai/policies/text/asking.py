"""What a sampler is asked for and what it gives: prompts with the names of their random streams, and completions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import AfterValidator, Field

from sanmai.config import Config
from sanmai.types import Image, StopReason


def _known_temperature(value: float) -> float:
    if value and not value >= 1e-3:
        raise ValueError("expected 0 (greedy) or at least 0.001")
    return value


Temperature = Annotated[float, AfterValidator(_known_temperature)]
"""Of a softmax, at least 1e-3; 0 is greedy: the likeliest token each time, of equally likely ones the first."""


class SamplingConfig(Config):
    temperature: Temperature = 1.0
    """Softmax temperature, at which recorded log-probs are taken; 0 always writes the likeliest token, of equal ones the first,
    and records log-probs at 1."""
    max_tokens: int = Field(512, ge=1)
    """Completion budget in tokens, stop token included."""
    concurrent: int = Field(512, ge=1)
    """Rollouts being written at once; fewer need less memory."""
    timeout_seconds: float = Field(3600.0, gt=0)
    """Time limit for the sampling of one step; rollouts unfinished by then are kept as incomplete."""


@dataclass(frozen=True)
class Request:
    """One prompt to be completed once per seed. A seed is any tuple that names the rollout: (run seed, step, problem, sample)."""

    prompt_tokens: list[int]
    seeds: list[tuple]
    written: int = 0
    """How many of the last prompt tokens a rollout of these seeds has drawn before: it goes on in its random stream there, and
    they count against the budget."""
    images: tuple[Image, ...] = ()
    """The prompt's pictures, whose placeholders stand among its tokens; for a vision-language policy."""
    max_tokens: int | None = None
    """Budget of these rollouts, `written` included, where that is less than the settings'."""
    segment: int | None = None
    """Most tokens of these rollouts in this call, where that is less than the call's."""
    cut: Callable[[], Callable[[int], bool]] | None = None
    """Makes what is told each token that a rollout draws and says whether a step has ended with it: then it ends as STEP."""


@dataclass(frozen=True)
class Completion:
    request: int
    sample: int
    tokens: list[int]
    """Those that this call drew."""
    logp: list[float]
    stop_reason: StopReason
    discarded: int = 0
    """Tokens that were drawn beyond the end of a step, by a sampler that sees it too late."""
    read: int | None = None
    """Tokens that were sent to be read for this completion alone: its prompt, and again with each chunk. None: the request's
    prompt was read once for all of its completions."""


class Sampler(Protocol):
    """Who writes the completions of a model in place of this process; `TextModel.sampler`."""

    takes_cuts: bool
    """It ends rollouts where `Request.cut` says so; otherwise requests that have one are written in this process."""

    def sample(
        self, requests: Sequence[Request], config: SamplingConfig, *, segment: int | None = None
    ) -> Iterator[Completion]:
        """As the function `sample` of the model whose sampler it is, as its weights are when the first one is asked for."""
        ...
