"""SFT inside RL: demonstrations whose likelihood is raised in the same update, at a weight that may follow a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.chat import demonstration, render_demonstration, thought_warnings
from sanmai.data.curriculum import draw
from sanmai.data.problems import load_problems
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.train.components import sft_component
from sanmai.train.step import Part
from sanmai.types import InputError


class AuxiliarySftConfig(Config):
    source: str | tuple[str, ...] | None = None
    """Files of demonstrations (worked solutions or conversations, as for sft) to imitate in every update; none when not set."""
    weight: float = Field(0.0, ge=0, le=1e6)
    """Weight of their negative log-likelihood per token, beside the policy loss."""
    final_weight: float | None = Field(None, ge=0, le=1e6)
    """The weight changes linearly to this until the last step; constant when not set."""
    demonstrations_per_update: int = Field(32, ge=1)
    """Demonstrations in one optimizer update."""
    max_tokens: int = Field(4096, ge=2)
    """Demonstrations longer than this, prompt included, are left out and counted."""

    only_with = (
        OnlyWith("source", lambda c: c.source is not None, "demonstrations_per_update", "max_tokens"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source is None and self.has_weight:
            raise ValueError("weight without source: no demonstrations to imitate")
        return self

    @property
    def has_weight(self) -> bool:
        return self.weight > 0 or bool(self.final_weight)

    def weight_at(self, step: int, num_steps: int) -> float:
        """The weight in a step, counted from 1: `weight` in the first, `final_weight` in the last."""
        final = self.weight if self.final_weight is None else self.final_weight
        progress = (step - 1) / max(num_steps - 1, 1)
        return self.weight + (final - self.weight) * progress


class AuxiliarySft:
    """The demonstrations of an AuxiliarySftConfig, rendered for a policy."""

    def __init__(
        self, config: AuxiliarySftConfig, policy: TextPolicy, thought_tags: tuple[str, str], *, on_warning: Callable[[str], None]
    ) -> None:
        """Raises InputError when the file cannot be used or holds no demonstration that fits."""
        assert config.source is not None
        self.config = config
        sources = (config.source,) if isinstance(config.source, str) else config.source
        loaded = [load_problems(source, needs_answer=False, on_warning=on_warning) for source in sources]
        problems = [p for found in loaded for p in found.problems]
        self.problems = [p for p in problems if demonstration(p) is not None]
        for sentence in thought_warnings(policy.tokenizer, self.problems, thought_tags):
            on_warning(f"auxiliary_sft: {sentence}")
        rendered = [
            (*render_demonstration(policy.tokenizer, p, thought_tags, carries_images=True), p.images)
            for p in self.problems
        ]
        room = min(config.max_tokens, policy.max_positions or config.max_tokens)
        self.examples = [e for e in rendered if len(e[0]) + len(e[1]) <= room]
        if len(self.examples) < len(rendered):
            on_warning(
                f"auxiliary_sft: {len(rendered) - len(self.examples)} of {len(rendered)} demonstrations are longer than {room} "
                "tokens"
            )
        if not self.examples:
            raise InputError(f"auxiliary_sft.source = {config.source!r}: no demonstration of at most {room} tokens in it")

    def part(self, weight: float, *, seed: int, update: int) -> Part | None:
        """The demonstrations of an update, counted from 1 over the run; None at weight 0."""
        if not weight:
            return None
        count = min(self.config.demonstrations_per_update, len(self.examples))
        batch = pack(draw(self.examples, count, seed=seed, step=update))
        return Part(batch.with_streams({"sft": batch.mask_BT.float()}), {"sft": sft_component(weight)})
