"""Inputs that two reviewers found wrong, with the right values (*reviewed_cases.jsonl): neutral texts, aimed at weak places.

Those that are still wrong are listed. Each is a right answer that earns nothing; none earns what it should not.
"""

import json
from pathlib import Path

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.refusals.rules import refusal_verdict
from sanmai.rewards.style import language_verdict
from sanmai.types import Problem

ROWS = [
    json.loads(line)
    for name in ("reviewed_cases.jsonl", "second_reviewed_cases.jsonl")
    for line in (Path(__file__).parent / name).read_text().splitlines()
]
MISSED = {
    "eyes131": "a sentence with 'therefore' in its middle and no mark", "eyes166": "'5 quarters' may be 5/4",
    "eyes193": "yes or no in another language",
}  # fmt: skip


def of_kind(kind: str) -> list:
    return [pytest.param(row, id=row["id"]) for row in ROWS if row["kind"] == kind]


def asked(row: dict) -> Problem:
    kind = "safety" if row["kind"] == "refusal" else "reasoning"
    prompt = ({"role": "user", "content": row["prompt"]},)
    return Problem("p", prompt, answer=row.get("reference"), kind=kind, language=row.get("language"))


@pytest.mark.parametrize("row", of_kind("math"))
def test_answers_earn_what_is_right(row):
    found = verify_math(asked(row), parse_trace(row["response"]), timeout_seconds=5.0)
    assert (found.score == row["right"]) is (row["id"] not in MISSED), (row["response"], row["reference"], found)
    assert row["right"] == 1 or found.score != 1.0


@pytest.mark.parametrize("row", of_kind("refusal"))
def test_stances_are_read_as_people_do(row):
    found = refusal_verdict(asked(row), parse_trace(row["response"]))
    right = row["right"] if isinstance(row["right"], list) else [row["right"]]
    assert found.label in right or ("null" in right and found.score is None), (row["response"], row["right"], found)


@pytest.mark.parametrize("row", of_kind("language"))
def test_thoughts_are_in_the_language_that_people_see(row):
    low, high = row["right"]
    found = language_verdict(asked(row), parse_trace(row["response"]))
    assert found.score is not None and low <= found.score <= high, (row["response"], row["right"], found)
