"""Likelihoods of worked answers: hand-worked ratios, and a run that agrees with the policy's own scores."""

from __future__ import annotations

import json
import math

import pytest
import torch

from sanmai.data.chat import render_demonstration
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.perplexity import PerplexityConfig, _Read, figures, run_perplexity, sentence
from sanmai.report import summarise
from sanmai.types import InputError, Problem

PROBLEMS = [
    Problem(f"p{a}", ({"role": "user", "content": f"{a} plus 2 ?"},), f"{a + 2}", "math", solution=f"{a} plus 2 is {a + 2}")
    for a in range(1, 7)
]


def read(name: str, nll_T: list[float], num_bytes: int, kind: str = "reasoning") -> _Read:
    return _Read(Problem(name, ({"role": "user", "content": name},), None, "math", kind=kind), nll_T, num_bytes)


def test_perplexity_is_over_tokens_and_bits_are_over_bytes():
    # 3 nats over 4 tokens; 3 / ln 2 bits over 6 bytes.
    found = figures([read("a", [1.0, 1.0, 0.5], 4), read("b", [0.5], 2)], None)
    assert found["perplexity"]["value"] == pytest.approx(math.exp(0.75)) and found["tokens"] == 4
    assert found["bits_per_byte"]["value"] == pytest.approx(3 / math.log(2) / 6)
    assert found["perplexity"]["low"] < found["perplexity"]["value"] < found["perplexity"]["high"] and found["by_kind"] == {}


def test_the_change_is_paired_on_the_problems_that_both_read():
    after = [read("a", [1.0], 2), read("b", [2.0], 2), read("c", [9.0], 1)]
    before = [read("b", [1.0, 2.0], 2), read("a", [1.0, 1.0], 2)]  # another tokenizer
    change = figures(after, before)["bits_per_byte_change"]
    assert change["n"] == 2 and change["value"] == pytest.approx(-2 / math.log(2) / 4)
    assert (change["low"], change["high"]) == pytest.approx((change["value"], change["value"]))


def test_kinds_are_told_apart_and_one_problem_has_no_interval():
    found = figures([read("a", [1.0], 1), read("b", [2.0], 1, "general")], None)
    assert found["by_kind"]["general"]["perplexity"] == {"value": pytest.approx(math.exp(2)), "low": None, "high": None, "n": 1}
    assert "[" not in sentence(found["by_kind"]["general"], None)


def test_a_run_agrees_with_the_policys_scores_and_says_so_on_its_page(tmp_path):
    config = resolve(find_recipe("perplexity"), None, ["before=tiny", "micro_tokens=64"])
    assert isinstance(config, PerplexityConfig)
    folder = run_perplexity(config, tmp_path / "run", problems=PROBLEMS)
    found = json.loads((folder / "perplexity.json").read_text(encoding="utf-8"))
    policy = load_policy(ModelConfig(), for_training=False)
    nll = []
    for problem in PROBLEMS:
        batch = pack([render_demonstration(policy.tokenizer, problem)])
        with torch.no_grad():
            nll += (-policy.score(batch)[0][batch.mask_BT]).tolist()
    assert found["tokens"] == len(nll) and found["perplexity"]["n"] == len(PROBLEMS)
    assert found["perplexity"]["value"] == pytest.approx(math.exp(sum(nll) / len(nll)), rel=1e-4)
    assert found["bits_per_byte_change"]["value"] == pytest.approx(0.0, abs=1e-6)
    assert summarise(folder)["verdict"].startswith("Perplexity ") and "paired on 6" in summarise(folder)["verdict"]
    before = (folder / "events.jsonl").read_bytes()
    assert run_perplexity(config, folder, problems=PROBLEMS) == folder and (folder / "events.jsonl").read_bytes() == before


def test_problems_without_worked_answers_are_refused(tmp_path):
    config = resolve(find_recipe("perplexity"))
    assert isinstance(config, PerplexityConfig)
    bare = [Problem("a", ({"role": "user", "content": "what is 1 plus 2 ?"},), "3", "math")]
    with pytest.raises(InputError, match="worked answer"):
        run_perplexity(config, tmp_path / "run", problems=bare)
