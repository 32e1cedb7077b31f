"""What flows through Sanmai: Problem -> Drawn -> Graded -> Credited, in groups -> TokenBatch.

Shape key: B rollouts, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Message = Mapping[str, Any]
"""One turn of a conversation: {"role": "system" | "user" | "assistant", "content": "..."}; a user's may have "images", a list of
Image. Each takes the place of an `<image>` in the content, in order; where the content has none they stand before it."""

IMAGE_MARK = "<image>"


class Image(dict[str, Any]):
    """A picture of a message, as JSON: where its bytes are, and which they were when the problem was read.

    Example:
        Image(path="/data/sums/17.png", sha256="9f86d0...", width=120, height=40)

    `path` is a file, or a `data:` URI that holds the bytes. Its repr, which names a run's problems, is that of the bytes alone.
    """

    def __repr__(self) -> str:
        return f"Image({self['sha256']})"


Behaviour = Literal["analysis", "decomposition", "completion", "alternative", "self_evaluation", "self_correction"]
"""A behaviour of reasoning, by the names of the roadmap to o1 (arXiv:2412.14135, section 3.3)."""


class SanmaiError(Exception):
    """Base of every error that a user can cause or mend: one sentence, no traceback on the command line."""


class InputError(SanmaiError, ValueError):
    """A file, option or value that cannot be used; the message names it, its value and what was expected."""


class RunError(SanmaiError, RuntimeError):
    """A run that cannot go on: disk full, too many failed rollouts, a non-finite loss, a folder in use."""


@dataclass(frozen=True)
class Problem:
    """A task with what is needed to grade it.

    Example:
        Problem(id="gsm8k/train/0", messages=({"role": "user", "content": "What is 2 + 3?"},), answer="5", verifier="math")
    """

    id: str
    """Unique in its set; keys the rollouts' randomness (law 7)."""
    messages: tuple[Message, ...]
    """The prompt; the last message is the user's, or one of the assistant that the policy is made to go on with."""
    answer: str | None = None
    """The reference answer; None where no verifier needs one."""
    verifier: str = "math"
    """Name of the accuracy verifier that grades it: "math", "exact", "code", "world" ... (see rewards/verifiers.py)."""
    kind: Literal["reasoning", "general", "safety"] = "reasoning"
    """Which rewards apply: rules against an answer, helpfulness, or harmlessness (the prompt asks for something dangerous)."""
    language: str | None = None
    """ISO 639-1 code of the language that thought and answer should be in; None when not stated."""
    solution: str | None = None
    """A worked thought, for supervised fine-tuning; None when there is none."""
    demonstration: str | None = None
    """A whole completion to imitate as it was recorded; takes the place of thought and answer."""
    tags: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """What reports group by: level, subject, split, number of digits."""
    source: str = field(default="", repr=False, compare=False)
    """Which of several files it was read from, where problems.source is a list; no part of what the problem is."""

    @property
    def prompt(self) -> str:
        """The text of the last user message."""
        return next(message["content"] for message in reversed(self.messages) if message["role"] == "user")

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures of the prompt, in order."""
        return images_of(self.messages)

    @property
    def prefill(self) -> str:
        """The words that the completion is made to begin with: the assistant's last message, if it stands at the end."""
        return self.messages[-1]["content"] if self.messages[-1]["role"] == "assistant" else ""


def images_of(messages: Sequence[Message]) -> tuple[Image, ...]:
    """The pictures of a conversation, in the order in which a model reads them."""
    return tuple(image for message in messages for image in message.get("images") or ())


@dataclass(frozen=True)
class Verdict:
    """One grader's finding. 0.0 is wrong; None is "cannot be graded" and leaves the baseline (law 4)."""

    score: float | None
    reason: str
    label: str = ""
    """A short class for counting: "correct", "wrong", "no_answer", "incomplete", "ungradable", ..."""


class TraceState(StrEnum):
    """How the thought of a completion is delimited."""

    CLOSED = "closed"
    """<think>thought</think>answer"""
    UNCLOSED = "unclosed"
    """The thought that was opened last is not closed: no answer. Incomplete: never correct, never a refusal."""
    NO_OPEN_TAG = "no_open_tag"
    """No opening tag before the closing one: it was in the prompt, or is missing. All before the closing tag is thought."""
    NONE = "none"
    """No tags: all answer."""


@dataclass(frozen=True)
class Turn:
    """What one side said in a dialogue of a policy with an environment."""

    role: Literal["assistant", "user"]
    """The policy, or the environment."""
    text: str
    """Of the policy its answer."""
    thought: str = ""


@dataclass(frozen=True)
class Trace:
    """A completion taken apart; `before + thought + between + answer` is the text, character for character.

    Of a dialogue with an environment this is the policy's last turn.
    """

    text: str
    state: TraceState
    thought: str
    answer: str
    before: str = ""
    """What stands before the thought, the opening tag included."""
    between: str = ""
    """The closing tag."""
    is_truncated: bool = False
    """The token budget or the time ran out before the policy stopped."""
    opened_in_prompt: bool = False
    """The prompt ended with the opening tag. False for a recorded response of unknown prompt."""
    earlier: tuple[Turn, ...] = ()
    """Of a dialogue, what policy and environment said before this turn, in order."""
    unanswered: str = ""
    """Of a dialogue, why the environment gave no answer to this turn where it failed: it can then not be graded."""

    @property
    def is_complete(self) -> bool:
        """An answer was finished; only then can it be right, wrong or a refusal."""
        return self.state is not TraceState.UNCLOSED and not self.is_truncated

    @property
    def thinks(self) -> bool:
        """There is a thought with something in it, opened by the policy or by the prompt, and closed."""
        is_closed = self.state is TraceState.CLOSED or (self.state is TraceState.NO_OPEN_TAG and self.opened_in_prompt)
        return is_closed and bool(self.thought.strip())


class StopReason(StrEnum):
    """Why a completion ended."""

    STOP = "stop"
    """The policy wrote a stop token."""
    LENGTH = "length"
    """The token budget ran out: incomplete, which is neither wrong format nor a refusal."""
    TIMEOUT = "timeout"
    """The step's time limit ran out."""
    REPETITION = "repetition"
    """It said the same over and over, and was stopped early: incomplete."""
    PAUSED = "paused"
    """The step's share of tokens was written; it goes on in a later step. No graded rollout has this."""
    STEP = "step"
    """A step of the reasoning has ended, where a search goes on or not. No graded rollout has this."""


@dataclass(frozen=True)
class Drawn:
    """What the policy wrote to one prompt.

    A rollout is a Drawn, then a Graded, then a Credited: each adds what is known later, and none is ever changed.
    """

    problem_id: str
    sample: int
    """Index within the group, 0-based."""
    prompt_tokens: list[int]
    completion_tokens: list[int]
    """Stop token included when stop_reason is STOP."""
    sampling_logp: list[float]
    """Log-prob (nats) of each completion token under the distribution it was drawn from."""
    stop_reason: StopReason
    policy_version: int
    text: str
    """The completion decoded, stop token left out."""
    trace: Trace | None = None
    """The text taken apart."""
    segments: tuple[tuple[int, int], ...] = ()
    """(policy version, completion tokens that it drew), in order, of a rollout that several steps wrote; else empty."""
    images: tuple[Image, ...] = ()
    """The pictures of the prompt; its placeholders stand among the prompt's tokens."""
    content: Any = None
    """What another kind of policy than text drew: an action, the path of a flow. The policy and its graders alone read it; the
    tokens are then empty, and `text` is how it is shown."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Of such a one, what its record says of it beside that: plain values by name."""
    told: tuple[tuple[int, int], ...] = ()
    """(start, end) of completion tokens that an environment said between turns: read and not trained, their log-prob is 0."""

    @property
    def length(self) -> int:
        """Parts that it was drawn in, each with its log-prob: tokens that the policy wrote, steps of a flow, 1 of an action."""
        return len(self.sampling_logp) - sum(end - start for start, end in self.told)

    def graded(
        self,
        verdicts: Mapping[str, Verdict] | None = None,
        scores: Mapping[str, float] | None = None,
        weights: Mapping[str, float] | None = None,
        failure: str | None = None,
    ) -> Graded:
        """The same rollout with what its graders say; with nothing, one that could not be graded."""
        found: dict[str, Any] = {"verdicts": verdicts or {}, "scores": scores, "weights": weights or {}, "failure": failure}
        return Graded(**{**vars(self), **found})


@dataclass(frozen=True)
class Graded(Drawn):
    """A rollout with what its graders say of it, and the part of that which is rewarded.

    Example:
        drawn.graded({"accuracy": Verdict(1.0, "graded")}, {"accuracy": 1.0}, {"accuracy": 1.0}).reward == 1.0
    """

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """Per grader; all are kept, whatever is rewarded."""
    scores: Mapping[str, float] | None = None
    """What is rewarded, by component, length and loops among them. None: it cannot be graded, and leaves baseline and loss."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of each component, in this step: the same for all of it."""
    failure: str | None = None
    """Type and message of what broke while it was graded, if anything did."""

    @property
    def reward(self) -> float | None:
        """The number trained on. It has no place of its own: what is to change it is a component."""
        return reward_of(self.scores, self.weights)

    @property
    def off_language(self) -> float | None:
        """Share of the thought's words that are not in the prompt's language; None without one, or where it cannot be said."""
        return self._mixed if self.trace is not None and self.trace.thinks else None

    @property
    def answer_off_language(self) -> float | None:
        """The same of the answer's words, of a rollout without a thought: a model that was not taught to think has no other."""
        return self._mixed if self.trace is not None and not self.trace.thinks else None

    @property
    def _mixed(self) -> float | None:
        language = self.verdicts.get("language")
        return None if language is None or language.score is None else 1.0 - language.score

    def with_verdicts(self, added: Mapping[str, Verdict]) -> Self:
        """The same rollout with further findings, which change nothing of the reward."""
        return replace(self, verdicts={**self.verdicts, **added})

    def with_component(self, name: str, verdict: Verdict, weight: float, *, in_place_of: str | None = None) -> Self:
        """The same rollout with one more component of its reward; one that cannot be graded stays as it is.

        Args:
            in_place_of: a component that is not rewarded any more; its verdict is kept.

        Raises:
            ValueError: the verdict has no score, or the name is taken.
        """
        if self.scores is None:
            return self
        if verdict.score is None or name in self.verdicts:
            raise ValueError(f"component {name!r}: expected a score and a name of its own, got {verdict}")
        kept = {other: score for other, score in self.scores.items() if other != in_place_of}
        return replace(
            self.with_verdicts({name: verdict}), scores={**kept, name: verdict.score}, weights={**self.weights, name: weight}
        )

    def credited(self, advantage: float | None, cost_advantage: float = 0.0) -> Credited:
        """The same rollout with what it is trained with."""
        return Credited(**vars(self), advantage=advantage, cost_advantage=cost_advantage)

    def credited_per_token(self, streams: Mapping[str, Sequence[float]]) -> Credited:
        """The same rollout with an advantage per token, as streams["rl"]; its mean stands for all of them.

        Args:
            streams: see `Credited.streams`.
        """
        own = streams["rl"]
        return Credited(**vars(self), advantage=sum(own) / max(len(own), 1), streams=streams)


@dataclass(frozen=True)
class Credited(Graded):
    """A rollout with what it is trained with, and what the update found."""

    advantage: float | None = None
    """None when not trained on."""
    cost_advantage: float = 0.0
    """What constraints add to the advantage, by a loss component of its own."""
    streams: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """What differs from token to token, a number for each, by the name of the stream of the batch: "rl" takes the place of
    `advantage` there. Empty where credit is given to rollouts."""
    log_ratio: float | None = None
    """Mean over its tokens of trainer's minus sampler's log-prob, before the update; None when not trained on."""


def reward_of(scores: Mapping[str, float] | None, weights: Mapping[str, float]) -> float | None:
    """The reward: sum_k weight_k score_k over the components of `scores`; None stays None.

    Example:
        reward_of({"accuracy": 1.0, "format": 1.0}, {"accuracy": 1.0, "format": 0.25, "language": 0.5}) == 1.25
    """
    return None if scores is None else sum((weights[name] * score for name, score in scores.items()), 0.0)


RolloutT = TypeVar("RolloutT", bound=Drawn)
RolloutT_co = TypeVar("RolloutT_co", bound=Drawn, covariant=True)
GradedT = TypeVar("GradedT", bound=Graded)


@dataclass(frozen=True)
class Group(Generic[RolloutT_co]):
    """The rollouts of one problem in one step, ordered by sample."""

    problem: Problem
    rollouts: tuple[RolloutT_co, ...]


def regrouped(groups: Iterable[Group[Drawn]], rollouts: Iterable[RolloutT]) -> list[Group[RolloutT]]:
    """The same groups with these rollouts in place of theirs, in order."""
    rest = iter(rollouts)
    return [Group(group.problem, tuple(islice(rest, len(group.rollouts)))) for group in groups]


KL_METRICS = tuple(f"policy/kl_to_reference_{kind}" for kind in ("exact", "k1", "k2", "k3"))
"""What the KL to the reference may be called in a run's metrics: by the estimator, or in closed form."""


@dataclass(frozen=True)
class Batch:
    """B samples to train on, each of at most T parts that have a log-prob: tokens of a text, steps of a flow, 1 of an action.

    A kind of policy adds what it reads of them: further tensors with a row per sample. Values outside mask_BT are never read by
    a loss. Nothing is changed in place: `with_streams`, `select` and `to` return new ones.
    """

    mask_BT: Tensor
    """bool; true on parts that the policy drew (or a demonstration's)."""
    sampling_logp_BT: Tensor
    """float32; behaviour log-probs where mask_BT, 0 elsewhere; all 0 for demonstrations."""
    streams: Mapping[str, Tensor]
    """Per loss component, one float32 weight per part (B, T): "rl" carries the advantage, "sft" a weight."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "streams", MappingProxyType(dict(self.streams)))

    def __len__(self) -> int:
        return self.mask_BT.shape[0]

    def with_streams(self, streams: Mapping[str, Tensor]) -> Self:
        """The same samples with these streams too."""
        return replace(self, streams={**self.streams, **streams})

    def select(self, rows: Sequence[int]) -> Self:
        """The given rows."""
        import torch

        index = torch.as_tensor(rows, dtype=torch.long, device=self.mask_BT.device)
        return self.each(lambda x: x[index])

    def to(self, device: Any) -> Self:
        """The same batch on another device."""
        return self.each(lambda x: x.to(device))

    def sizes(self) -> list[int]:
        """Per row, the parts that a policy computes for it."""
        return self.mask_BT.sum(dim=1).tolist()

    def micro_rows(self, micro_tokens: int) -> list[list[int]]:
        """Row numbers of parts whose padded size is at most micro_tokens, longest rows first: what takes longest ends first.

        A single row longer than that is a part of its own.
        """
        lengths = self.sizes()
        parts: list[list[int]] = [[]]
        for row in sorted(range(len(self)), key=lambda row: -lengths[row]):
            if parts[-1] and (len(parts[-1]) + 1) * lengths[parts[-1][0]] > micro_tokens:
                parts.append([])
            parts[-1].append(row)
        return parts

    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same batch with every tensor of it changed alike."""
        changed = {f.name: change(getattr(self, f.name)) for f in fields(self) if hasattr(getattr(self, f.name), "device")}
        return replace(self, **changed, streams={name: change(stream) for name, stream in self.streams.items()})


@dataclass(frozen=True)
class TokenBatch(Batch):
    """Sequences to train on: prompt + completion, right-padded. The mask is true on the completion, its stop token included."""

    tokens_BT: Tensor
    """int64; prompt, completion, padding."""
    attention_BT: Tensor
    """bool; false on padding."""
    images: tuple[tuple[Image, ...], ...] = ()
    """Per row the pictures of its prompt; empty where no row has any."""

    def select(self, rows: Sequence[int]) -> Self:
        """The given rows, with the right padding that none of them needs cut off."""
        import torch

        index = torch.as_tensor(rows, dtype=torch.long, device=self.tokens_BT.device)
        width = int(self.attention_BT[index].sum(dim=1).max())
        chosen = self.each(lambda x: x[index, :width])
        return replace(chosen, images=tuple(self.images[row] for row in rows) if self.images else ())

    def sizes(self) -> list[int]:
        """Per row, the tokens of prompt and completion."""
        return self.attention_BT.sum(dim=1).tolist()


Metrics = dict[str, float]


class Tokenizer(Protocol):
    """The part of a `transformers` tokenizer that Sanmai uses."""

    chat_template: Any
    eos_token_id: int | None

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> list[int]: ...
    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = ...) -> str: ...
    def apply_chat_template(self, conversation: Any, **kwargs: Any) -> Any: ...


class Grader(Protocol):
    """Anything that turns a problem and a completion into a verdict; see rewards/."""

    def __call__(self, problem: Problem, trace: Trace) -> Verdict: ...


class BatchGrader(Protocol):
    """A grader that is cheaper for many completions at once: a reward model, a judge behind a server."""

    def __call__(self, items: Sequence[tuple[Problem, Trace]]) -> list[Verdict]:
        """One verdict per item, in order. What cannot be graded is None with a reason; it never raises for one item's sake."""
        ...


def no_run(folder: Path, more: str = "") -> InputError:
    """The error of a folder that is said to be a run's."""
    why = f"not a run folder (it has no config.toml){more}" if folder.is_dir() else "no such folder; expected a run folder"
    return InputError(f"{folder}: {why}")
