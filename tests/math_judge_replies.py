"""What a judge of correctness replies: the mark of its question, a verdict that has it, and a judge that compares numbers."""

from __future__ import annotations

import json
import re

from judge_server import block


def mark_of(question: str) -> str:
    """The mark that a judge is asked to state."""
    found = re.search(r'\{"mark": "(\w+)", "correct": true or false\}\Z', question)
    assert found
    return found[1]


def verdict(question: str, correct: object) -> str:
    return json.dumps({"mark": mark_of(question), "correct": correct})


def honest(question: str) -> str:
    """A judge that compares the last number of the response with the reference."""
    reference, response = block(question, "reference answer"), block(question, "response")
    numbers = re.findall(r"\d+", response)
    is_right = bool(numbers) and numbers[-1] == reference
    return f"The reference is {reference}; the response ends in {numbers[-1:]}.\n{verdict(question, is_right)}"
