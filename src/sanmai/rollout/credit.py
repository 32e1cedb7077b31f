"""What of graded rollouts is trained on, and with which advantage.

Shape key: B samples, T parts of a sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from sanmai.policies.contract import BatchT
from sanmai.types import Credited, GradedT, Group


def trained_rollouts(groups: Sequence[Group[GradedT]]) -> list[GradedT]:
    """The rollouts that have a reward: the others are kept and counted, and leave the loss (law 4)."""
    return [r for group in groups for r in group.rollouts if r.reward is not None]


def with_advantages(batch: BatchT, rollouts: Sequence[Credited]) -> BatchT:
    """A batch of rollouts with their advantage as the stream "rl", that of their costs as "cost" where one has any, and what
    differs from part to part as the streams that it names."""
    advantages = {"rl": [r.advantage or 0.0 for r in rollouts]}
    if any(r.cost_advantage for r in rollouts):
        advantages["cost"] = [r.cost_advantage for r in rollouts]
    streams = {name: torch.tensor(v).unsqueeze(1) * batch.mask_BT for name, v in advantages.items()}
    for name in sorted({name for r in rollouts for name in r.streams}):
        each_BT = streams.get(name, torch.zeros_like(batch.sampling_logp_BT)).clone()
        for row, r in enumerate(rollouts):
            if (own := r.streams.get(name)) is not None:
                mask_T = batch.mask_BT[row]
                each_BT[row, mask_T] = torch.tensor(own[len(own) - int(mask_T.sum()) :])  # of several policies' the newest's
        streams[name] = each_BT
    return batch.with_streams(streams)


def minibatches(
    batch: BatchT, count: int, *, shuffle: np.random.Generator
) -> Iterator[tuple[list[int], BatchT]]:
    """The rows of a batch, shuffled and split into `count` nearly equal parts (fewer when there are fewer rows)."""
    for rows in np.array_split(shuffle.permutation(len(batch)), min(count, len(batch))):
        yield rows.tolist(), batch.select(rows.tolist())
