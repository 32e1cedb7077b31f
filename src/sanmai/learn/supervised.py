"""What SFT and pre-training share: maximum likelihood on demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sanmai.learn.evaluation import evaluate
from sanmai.learn.failure import with_bundle
from sanmai.learn.graders import make_rubric
from sanmai.learn.loop import train_steps
from sanmai.learn.progress import Progress
from sanmai.policies.text.pack import Example, pack
from sanmai.train.components import sft_component
from sanmai.train.runs import Run
from sanmai.train.state import TrainingState
from sanmai.train.step import NonFiniteError, learning_rate, optimizer_step
from sanmai.types import Metrics, Problem, TokenBatch

Demonstration = Example
"""Prompt tokens, completion tokens with the stop token, and the prompt's pictures if it has any."""


def fit(
    run: Run,
    state: TrainingState,
    demonstrations: Callable[[int], Sequence[Demonstration]],
    config: Any,
    num_steps: int,
    *,
    held_out: Sequence[Problem],
    progress: Progress,
    trains_prompt: bool = False,
) -> None:
    """Train on demonstrations(step) in every step, with evaluations and checkpoints as configured.

    Args:
        demonstrations: the step's examples; must be a pure function of the step, so that a resume repeats it.
        config: a recipe's configuration with seed, optimizer, sampling, rewards, grading, evaluation and checkpoints.
        trains_prompt: the prompt's tokens are learned too, as in pre-training.
    """
    rubric = make_rubric(
        config.rewards, None, [], held_out=held_out, device=config.model.device, gold=config.evaluation.gold
    )

    def update(step: int) -> Metrics:
        batch = pack(demonstrations(step))
        if trains_prompt:
            mask_BT = batch.attention_BT.clone()
            mask_BT[:, 0] = False  # nothing stands before it that could predict it
            batch = replace(batch, mask_BT=mask_BT)
        batch = batch.with_streams({"sft": batch.mask_BT.float()})
        return _update(run, state, batch, config, step, num_steps)

    def measure(step: int) -> Metrics:
        return evaluate(run, step, state.policy, held_out, rubric, config, progress)

    train_steps(run, state, config, num_steps, update=update, measure=measure, progress=progress)


def _update(run: Run, state: TrainingState, batch: TokenBatch, config: Any, step: int, num_steps: int) -> Metrics:
    try:
        result = optimizer_step(
            state.policy,
            state.optimizer,
            batch,
            {"sft": sft_component()},
            lr=learning_rate(config.optimizer, step, num_steps),
            temperature=1.0,
            config=config.optimizer,
        )
    except NonFiniteError as error:
        raise with_bundle(
            run,
            step,
            error,
            state.policy,
            batch,
            shows="rows",
            loss=None,
            temperature=1.0,
            max_tokens=config.sampling.max_tokens,
        ) from None
    del result.metrics["policy/logp_mismatch_max"]  # demonstrations were not sampled
    return result.metrics | {"tokens/trained": float(batch.mask_BT.sum())}
