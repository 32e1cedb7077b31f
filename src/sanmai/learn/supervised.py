"""What SFT and pre-training share: maximum likelihood on demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sanmai.learn.evaluation import EvaluationConfig, Evaluator
from sanmai.learn.failure import with_bundle
from sanmai.learn.loop import train_steps
from sanmai.learn.progress import Progress
from sanmai.policies.text.flops import arithmetic_of, batch_flops
from sanmai.policies.text.pack import Example, pack
from sanmai.train.components import sft_component
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import TrainingState
from sanmai.train.step import NonFiniteError, OptimizerConfig, learning_rate, optimizer_step
from sanmai.types import Metrics, TokenBatch

Demonstration = Example
"""Prompt tokens, completion tokens with the stop token, and the prompt's pictures if it has any."""


def fit(
    run: Run,
    state: TrainingState,
    demonstrations: Callable[[int], Sequence[Demonstration]],
    num_steps: int,
    *,
    optimizer: OptimizerConfig,
    evaluation: EvaluationConfig,
    evaluator: Evaluator,
    checkpoints: CheckpointsConfig,
    progress: Progress,
) -> None:
    """Train on demonstrations(step) in every step, with evaluations and checkpoints as configured.

    Args:
        demonstrations: the step's examples; must be a pure function of the step, so that a resume repeats it.
    """

    def update(step: int) -> Metrics:
        batch = pack(demonstrations(step))
        return _update(run, state, batch.with_streams({"sft": batch.mask_BT.float()}), optimizer, step, num_steps)

    train_steps(
        run, state, num_steps, is_due=evaluation.is_due, checkpoints=checkpoints, update=update,
        measure=lambda step: evaluator(step, state.policy), progress=progress,
    )


def _update(
    run: Run, state: TrainingState, batch: TokenBatch, config: OptimizerConfig, step: int, num_steps: int
) -> Metrics:
    try:
        result = optimizer_step(
            state.policy, state.optimizer, batch, {"sft": sft_component()}, lr=learning_rate(config, step, num_steps),
            temperature=1.0, config=config,
        )
    except NonFiniteError as error:
        raise with_bundle(
            run, step, error, state.policy, batch, shows="rows", loss=None, temperature=1.0, max_tokens=1,
        ) from None
    del result.metrics["policy/logp_mismatch_max"]  # demonstrations were not sampled
    arithmetic, _ = arithmetic_of(state.policy.model)
    operations = {} if arithmetic is None else {"flops/training": batch_flops(arithmetic, batch)}
    return result.metrics | {"tokens/trained": float(batch.mask_BT.sum()), **operations}
