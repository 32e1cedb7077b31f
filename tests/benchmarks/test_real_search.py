"""The benchmark of search with a real model: its step truth by hand, and its checks on the embedded model."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from sanmai.types import Problem

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "real_search.py"


@pytest.fixture(scope="module")
def real_search():
    spec = importlib.util.spec_from_file_location("real_search", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("step", "truth"), [
    ("First, 3 + 4 = 7.", True), ("First, 3 + 4 = 8.", False), ("2 + 3 x 4 = 14 apples", True), ("20 / 6 = 3", False),
    ("7 - 2 = 5 and 5 / 0 = 1", False), ("The answer is 7.", True), ("The answer is: 70", False), ("Let me think.", None),
])  # fmt: skip
def test_a_step_is_right_if_its_equations_hold_and_the_answer_that_it_states_is_right(real_search, step, truth):
    assert real_search.step_truth(Problem("p", ({"role": "user", "content": "3 + 4?"},), "7"), step) is truth


def holds(real_search, model: str, max_tokens: int) -> None:
    bench = real_search.Bench(model, max_tokens, None)
    found = real_search.exact(bench, real_search.problems_of(2))
    assert all(right == n > 0 for right, n in found.values()), found
    assert real_search.choosing(bench, real_search.problems_of(2), 2, None)["gap"] == 0.0


def test_search_is_exact_with_the_embedded_model(real_search):
    holds(real_search, "tiny", 12)


@pytest.mark.slow
@pytest.mark.skipif("SANMAI_REAL_MODEL" not in os.environ, reason="SANMAI_REAL_MODEL names no model folder")
def test_search_is_exact_with_a_real_model(real_search):
    holds(real_search, os.environ["SANMAI_REAL_MODEL"], 24)
