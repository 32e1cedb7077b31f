"""The loop of every run whose steps learn from what is given and sample nothing: SFT, pre-training, DPO, reward models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sanmai.learn.progress import Progress
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import TrainingState
from sanmai.types import Drawn, Group, Metrics


def train_steps(
    run: Run,
    state: TrainingState,
    num_steps: int,
    *,
    is_due: Callable[[int, int], bool],
    checkpoints: CheckpointsConfig,
    update: Callable[[int], Metrics],
    measure: Callable[[int], Metrics],
    progress: Progress,
    rollouts: Callable[[int], Sequence[Group[Drawn]]] = lambda step: (),
    before_save: Callable[[], None] = lambda: None,
) -> None:
    """Update in every step that is not done, with evaluations and checkpoints as configured.

    Args:
        is_due: whether a step of so many ends with an evaluation.
        update: one step's update, counted from 1; what it learns from must be a function of the step, so that a resume
            repeats it.
        measure: what is evaluated before the first step and where it is due.
        rollouts: what a step learned from, if it sampled anything, to be stored; of 0 what all of them learn from.
        before_save: makes what is saved with the weights of the moment; a checkpoint may be due by a stop at any time in a step.
    """
    progress.begin(run, num_steps)
    if run.start_step == 0:
        run.log_step(0, measure(0), rollouts(0))
    for step in run.steps(num_steps, progress.interrupting):
        with progress.phase("training"):
            metrics = update(step)
            flops = operations_of(metrics)
        if is_due(step, num_steps):
            metrics |= measure(step)
        with progress.phase("saving"):
            run.log_step(step, metrics, rollouts(step))
            if run.commits(step, num_steps, checkpoints):
                before_save()
                run.save(step, state.save, checkpoints)
        progress.step(step, metrics, flops)
    progress.end(run)


def operations_of(metrics: Metrics) -> dict[str, float]:
    """What an update says of its operations, `flops/PHASE`, taken out of its metrics: they are events, and no metric."""
    return {name.removeprefix("flops/"): metrics.pop(name) for name in [*metrics] if name.startswith("flops/")}
