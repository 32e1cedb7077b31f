"""benchmarks/dialogues.py: what it has the model imitate, and its planted fault."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from sanmai.data.problems import load_problems

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "dialogues.py"


@pytest.fixture(scope="module")
def dialogues():
    spec = importlib.util.spec_from_file_location("dialogues", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_demonstration_is_of_the_last_turn_and_a_coin_says_the_same_to_the_same(dialogues, tmp_path):
    dialogues.write_demonstrations([(7, 5, 2)], tmp_path / "rows.jsonl")
    first, second = load_problems(str(tmp_path / "rows.jsonl"), needs_answer=False).problems
    assert [m["role"] for m in second.messages] == ["user", "assistant", "user"] and len(first.messages) == 1
    assert second.messages[-1]["content"] == "what is 12 plus 2 ?" and (second.demonstration or "").endswith("</think> 14")
    coin = dialogues.Coin()
    said = [[{"role": "assistant", "content": str(k)}] for k in range(200)]
    tossed = [coin.reward({}, turns) for turns in said]
    assert tossed == [coin.reward({}, turns) for turns in said] and 70 < sum(tossed) < 130
