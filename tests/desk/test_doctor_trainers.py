"""`sanmai doctor --cluster` where several trainers share the policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sanmai.desk import trainers as tried
from sanmai.desk.cluster import cluster_lines
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.train.step import OptimizerConfig
from sanmai.types import RunError


def test_two_trainers_make_the_update_of_one_process():
    lines = list(cluster_lines(None, ["cluster.trainers=2"]))
    assert lines[0].startswith("2 trainers met") and "keeps trained weights of" in lines[1]
    assert "as one process alone" in lines[-1] and len(lines) == 4


SPOILED = [(0.5, 1, "log-probs differ"), (float("nan"), 1, "log-probs"), (0, 2, "has norm")]


@pytest.mark.parametrize(("by", "times", "says"), SPOILED)
def test_an_update_that_is_another_is_an_error(by, times, says, monkeypatch):
    alone = tried._tried(load_policy(ModelConfig(name="tiny")), OptimizerConfig())

    def spoiled(policy, optimizer):
        before, after, norm, took = alone
        if policy.team is None:
            return alone
        return before, replace(after, logp_CT=[[x - by for x in row] for row in after.logp_CT]), times * norm, took

    monkeypatch.setattr(tried, "_tried", spoiled)
    with pytest.raises(RunError, match=f"2 trainers do not compute what one process does: .*{says}"):
        list(cluster_lines(None, ["cluster.trainers=2"]))
