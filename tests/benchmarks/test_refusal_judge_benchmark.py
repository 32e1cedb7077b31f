"""benchmarks/refusal_judge.py: what it reports is of prompts, and of contrasts, that nothing was trained or chosen on."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_data import shared_path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "refusal_judge.py"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARK.parent))
    return __import__("refusal_judge")


@pytest.fixture
def rows(benchmark) -> list[dict]:
    return benchmark.labelled_rows(shared_path("xstest/labelled_completions_dev.jsonl").parent)


def test_the_reported_prompts_are_the_unread_quarter_and_apart_from_training(benchmark, rows):
    training, measured = benchmark.parts(rows, choose=False)
    reported = measured["unseen prompts, all"]
    assert len(reported) == 257  # as tests/instruments/test_oracles.py counts them
    assert not {benchmark.pair_of(row) for row in training} & {benchmark.pair_of(row) for row in reported}
    assert "gpt4" not in {row["model"] for row in training} and {row["model"] for row in measured[next(iter(measured))]} == {
        "llama2orig", "llama2new", "mistralguard", "mistralinstruct",
    }  # fmt: skip


def test_settings_are_chosen_on_neither_the_reported_prompts_nor_those_trained_on(benchmark, rows):
    training, measured = benchmark.parts(rows, choose=True)
    _, reported = benchmark.parts(rows, choose=False)
    chosen_by = {benchmark.pair_of(row) for row in measured["prompts to choose by"]}
    assert chosen_by and not chosen_by & {benchmark.pair_of(row) for row in training}
    assert not chosen_by & {benchmark.pair_of(row) for row in reported["unseen prompts, all"]}


def test_the_two_people_agree_nearly_always(benchmark, rows):
    # Of 1,054 answers they disagree on refused or not on 18 at most.
    assert benchmark.between_people(rows).value > 0.95
