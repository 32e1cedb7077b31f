"""The class: an answer is stated only where every word around it is known to leave it what it is, in 37 languages.

The texts that state none have words that no list of doubts, bounds, owners and functions foresaw when the rule was made.
"""

from pathlib import Path

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.types import Problem

HERE = Path(__file__).parent
PLAIN, NOT_PLAIN = (
    (HERE / name).read_text(encoding="utf-8").splitlines() for name in ("plain_statements.txt", "no_statements.txt")
)


def credited(texts: list[str]) -> list[str]:
    def score(text: str) -> float | None:
        problem = Problem("1", ({"role": "user", "content": "p"},), "17", "math")
        return verify_math(problem, parse_trace(text)).score

    return [line for line in texts if score(line) == 1.0]


def test_plain_statements_in_usual_words_are_answers() -> None:
    assert credited(PLAIN) == PLAIN


def test_words_that_nobody_foresaw_state_no_answer() -> None:
    assert credited(NOT_PLAIN) == []
