"""What the README promises of the demo, as a test: the recipe learns to solve and to think, and a language reward holds."""

import json
from pathlib import Path

import pytest

import sanmai
from sanmai.stats import wilson


def evaluations(run: Path) -> tuple[dict, dict]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = [line for line in lines if "eval/accuracy" in line]
    return found[0], found[-1]


@pytest.mark.slow
@pytest.mark.parametrize("language", [0.0, 0.3])
def test_half_the_demo_already_raises_two_digit_accuracy_by_30_points_and_thinking_above_95_percent(tmp_path, language):
    run = sanmai.run("zero", out=tmp_path / "run", seed=7, num_steps=60, rewards={"language": language})
    before, after = evaluations(run)
    name = "eval/accuracy/digits=2"
    assert after[name] - before[name] >= 0.30
    assert wilson(after[name] * 300, 300)[0] > wilson(before[name] * 300, 300)[1]
    assert after["eval/thinks"] > 0.95
    if language:
        assert after["eval/off_language"] < 0.05
