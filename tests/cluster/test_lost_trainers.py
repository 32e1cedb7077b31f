"""A trainer that is lost ends the run with a sentence; nobody waits for it for longer than was said."""

from __future__ import annotations

import time

import pytest
import sharing

from sanmai.cluster.config import TrainersConfig
from sanmai.cluster.trainers import Trainers
from sanmai.policies.team import LostTrainerError


@pytest.mark.slow
@pytest.mark.parametrize(("how", "says"), [
    ("raises", r"trainer 2 of 2 \(process \d+\) ended with exit code 1, saying 'ValueError: no such luck'"),
    ("hangs", r"a trainer gave no answer in time \(cluster.trainer_deadline_seconds\)"),
])  # fmt: skip
def test_a_trainer_that_is_lost_is_named_and_nobody_waits_for_it(how, says):
    with Trainers(TrainersConfig(trainers=2, trainer_deadline_seconds=12)) as trainers:
        start = time.monotonic()
        with pytest.raises(LostTrainerError, match=says) as caught:
            sharing.fail(trainers.team, 1, how)
        assert "the last checkpoint is intact: repeat the command to go on from it" in str(caught.value)
        assert time.monotonic() - start < 40
