"""benchmarks/dialogues.py: dialogues of several turns are learned from, and a reward that says nothing of them teaches none."""

from __future__ import annotations

import importlib.util
import json
from argparse import Namespace
from pathlib import Path

import pytest

from sanmai.data.problems import load_problems
from sanmai.stats import paired_difference

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


@pytest.mark.slow
def test_held_out_dialogues_are_answered_better_after_rl_and_not_after_rl_by_a_coin(dialogues, tmp_path):
    # On one machine 0, 58, 83 and 19 % of 172; what six seeds gave with more steps stands in docs/data.md.
    size = Namespace(out=tmp_path, steps=10, lr=3e-4, demonstrations=32, epochs=7.0, sft_lr=5e-4, samples=1)
    found = dialogues.run_seed(4, size)
    keys = sorted(found["RL"])

    def gain(arm: str):
        return paired_difference([found["after SFT"][k] for k in keys], [found[arm][k] for k in keys])

    rl, coin = gain("RL"), gain("RL by a coin")
    print(json.dumps({arm: sum(scores.values()) / len(scores) for arm, scores in found.items()}), rl, coin)
    assert sum(found["embedded"].values()) / len(keys) < 0.1  # it has never seen a second turn
    assert rl.low > 0.03 and coin.value < rl.value / 2
