"""What a run records that it started from."""

from sanmai.train.environment import _digest, _lines
from sanmai.types import Problem


def test_a_problem_is_told_apart_as_it_was_in_runs_that_there_are():
    # A run goes on only from problems of the same digest. A field that comes later stays out of the repr at its default, as
    # `source` does: else every run that there is would be refused.
    problem = Problem("p/1", ({"role": "user", "content": "1 + 1 ?"},), answer="2", tags={"digits": 1}, source="a.jsonl")
    assert _digest(_lines([problem])) == "3712ecfb8c45c7e8"
