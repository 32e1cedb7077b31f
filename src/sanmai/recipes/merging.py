"""The weighted average of two models' weights: Kimi k1.5's simplest way from long to short.

    weights = weight * long + (1 - weight) * short         tensor by tensor, summed in float32

It works as far as the two lie in one basin, as a model and what it was fine-tuned to often do; `merge/distance` says how far
apart they are, not whether that is too far: only an evaluation tells. Tokenizer, chat template and everything else are those of
`model`. Kimi averages (weight 0.5; arXiv:2501.12599, section 2.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import fsum, sqrt
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, model_validator

from sanmai.config import Config, differing_keys
from sanmai.learn.progress import Progress
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.tiny import EMBEDDED_MODEL
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import weights_digest
from sanmai.types import InputError, RunError

_COMPUTES_NOTHING = frozenset(
    {
        *("_name_or_path", "architectures", "transformers_version", "dtype", "torch_dtype", "use_cache"),
        *("bos_token_id", "eos_token_id", "pad_token_id", "max_position_embeddings"),
    }
)
"""Keys of a model's config in which two models of one architecture may differ."""


class MergeConfig(Config):
    model: ModelConfig = ModelConfig()
    """The long model; what is written has its tokenizer and its `model.dtype`."""
    short: str = EMBEDDED_MODEL
    """The short model, as `model.name` takes it."""
    weight: float = Field(0.5, ge=0, le=1)
    """Share of the long model: 1 is that model, 0 the short one."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model.lora_rank:
            raise ValueError("model.lora_rank: nothing is trained here, so there is nothing to adapt")
        return self


def run_merge(config: MergeConfig, out: Path, *, progress: Progress | None = None) -> Path:
    """Average the models into a run folder with one checkpoint; the folder. A finished one is left as it is.

    Raises:
        InputError: besides what any recipe refuses, models of different architectures or tokenizers.
        RunError: the average is not finite.
    """
    progress = progress or Progress.silent()
    with Run(out, "merge", config) as run:
        long = load_policy(config.model, for_training=False)
        short = load_policy(
            config.model.model_copy(update={"name": config.short, "revision": None}), for_training=False
        )
        check_same_architecture(long, short)
        facts = describe_environment(long, {}, start_digest=weights_digest(long))
        run.log_environment(facts | {"origin": facts["origin"] | {"weights_short": weights_digest(short)}})
        progress.begin(run, 1)
        for step in run.steps(1, progress.interrupting):
            with progress.phase("merging"):
                distance = average_into(long, short, config.weight)
            metrics = {"merge/weight": config.weight, "merge/distance": distance}
            with progress.phase("saving"):
                run.log_step(step, metrics)
                run.save(step, long.save, CheckpointsConfig())
            progress.step(step, metrics)
        progress.end(run)
    return run.folder


def describe_merge(config: MergeConfig, out: Path, *, measure: bool) -> Iterator[str]:
    yield "It averages the weights of two models and trains nothing: seconds, and the memory of both."


def average_into(long: TextPolicy, short: TextPolicy, weight: float) -> float:
    """Replace the long model's weights by the average; how far apart the two were.

        W = weight W_long + (1 - weight) W_short               in float32, kept in the dtype of W_long
        distance = |W_long - W_short| / |W_long|               Euclidean, over all weights together

    Weights that a model uses twice (tied embeddings) are averaged once.

    Args:
        long, short: of one architecture; see `check_same_architecture`.

    Raises:
        RunError: an average is not finite.
    """
    others = dict(short.model.named_parameters())
    squares: list[tuple[float, float]] = []
    with torch.no_grad():
        for name, own in long.model.named_parameters():
            a, b = own.float(), others[name].float()
            squares.append(((a - b).double().square().sum().item(), a.double().square().sum().item()))
            merged = weight * a + (1 - weight) * b
            if not torch.isfinite(merged).all():
                raise RunError(f"{name}: the average is not finite; the weights of one of the models are broken")
            own.copy_(merged)
    moved, size = (sqrt(fsum(column)) for column in zip(*squares, strict=True))
    return moved / size if size else 0.0


def check_same_architecture(long: TextPolicy, short: TextPolicy) -> None:
    """Refuse models whose weights do not mean the same.

    Raises:
        InputError: another class, setting of the architecture, weight, shape, or token number; the first of them is named.
    """
    names = f"{long.config.name!r} and {short.config.name!r} cannot be averaged"
    kinds = [type(policy.model).__name__ for policy in (long, short)]
    if kinds[0] != kinds[1]:
        raise InputError(f"{names}: their architectures are {kinds[0]} and {kinds[1]}; expected the same")
    ours, theirs = (_settings(policy.model.config.to_dict()) for policy in (long, short))
    if changed := differing_keys(ours, theirs):
        raise InputError(
            f"{names}: their architectures differ: {changed[0].replace(' was ', ' is ').replace(', now ', ' and ')}"
        )
    shapes = [{name: tuple(p.shape) for name, p in policy.model.named_parameters()} for policy in (long, short)]
    if odd := sorted(set(shapes[0].items()) ^ set(shapes[1].items())):
        name = odd[0][0]
        raise InputError(f"{names}: the shape of {name} is {shapes[0].get(name)} and {shapes[1].get(name)}")
    words = [policy.tokenizer.get_vocab() for policy in (long, short)]
    if words[0] != words[1]:
        token = min(token for token in words[0].keys() | words[1].keys() if words[0].get(token) != words[1].get(token))
        raise InputError(
            f"{names}: their tokenizers differ: {token!r} is number {words[0].get(token)} and {words[1].get(token)}"
        )
    buffers = [dict(policy.model.named_buffers()) for policy in (long, short)]
    for name, tensor in buffers[0].items():
        if name not in buffers[1] or not torch.equal(tensor, buffers[1][name]):
            raise InputError(f"{names}: they differ in {name}, which is no weight and has no average")


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a model's config changes what it computes."""
    return {
        key: _settings(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if key not in _COMPUTES_NOTHING
    }
