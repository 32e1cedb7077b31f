"""What a grader says is data, whatever it is: storing it never stops a run."""

from __future__ import annotations

import pyarrow.parquet as pq

import sanmai
from rollouts import drawn
from sanmai.train.records import write_rollouts
from sanmai.types import Group, Problem, Verdict


def test_half_a_surrogate_pair_in_a_reason_or_a_failure_is_written_out(tmp_path):
    problem = Problem("p", ({"role": "user", "content": "x"},), answer="1")
    shown = drawn().graded({"accuracy": Verdict(0.0, "\ud800 and é", "fails")})
    failed = drawn(sample=1).graded(failure="ValueError: \udfff")
    write_rollouts(tmp_path / "step.parquet", 1, [Group(problem, (shown, failed))])
    first, second = pq.read_table(tmp_path / "step.parquet").to_pylist()
    assert (first["reason/accuracy"], first["failure"]) == ("\\ud800 and é", None)
    assert (second["reason/accuracy"], second["failure"]) == (None, "ValueError: \\udfff")


def test_a_reward_that_breaks_with_such_a_text_is_counted_and_the_run_goes_on(tmp_path):
    calls = []

    def reward(problem, completion):
        calls.append(completion)
        if len(calls) == 3:
            raise ValueError("\ud800")
        return 1.0

    run = sanmai.run(
        "zero", out=tmp_path / "run", reward=reward, num_steps=1, prompts_per_step=2, rollouts_per_prompt=4,
        sampling={"max_tokens": 8}, evaluation={"every": 0}, problems={"limit": 10, "world": {"heldout": 2}},
        grading={"failure_budget": 0.5},
    )  # fmt: skip
    rows = [row for path in (*run.glob("rollouts/*"), *run.glob("evaluations/*")) for row in pq.read_table(path).to_pylist()]
    assert [row["failure"] for row in rows if row["failure"]] == ["ValueError: \\ud800"]
