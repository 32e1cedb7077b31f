"""`sanmai doctor --cluster` where several trainers share the policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sanmai.desk import trainers as tried
from sanmai.desk.cluster import cluster_lines
from sanmai.types import RunError


def test_two_trainers_make_the_update_of_one_process():
    lines = list(cluster_lines(None, ["cluster.trainers=2"]))
    assert lines[0].startswith("2 trainers met") and "keeps trained weights of" in lines[1]
    assert "as one process alone" in lines[-1] and len(lines) == 4


def test_an_update_that_is_another_is_an_error(monkeypatch):
    real, calls = tried._tried, []

    def spoiled(policy, optimizer):
        before, after, took = real(policy, optimizer)
        calls.append(policy)
        moved = replace(after, logp_CT=[[x - 0.5 for x in row] for row in after.logp_CT])
        return before, moved if len(calls) == 1 else after, took

    monkeypatch.setattr(tried, "_tried", spoiled)
    with pytest.raises(RunError, match="2 trainers do not compute what one process does"):
        list(cluster_lines(None, ["cluster.trainers=2"]))
