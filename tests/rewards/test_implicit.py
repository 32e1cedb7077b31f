"""Implicit process rewards: the identity on an enumerable tree, and two policies whose ratio is read off their logits."""

from __future__ import annotations

import json
from itertools import product
from math import exp, log

import pytest
import torch

from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.rewards.implicit import ImplicitProcessModel, implicit_step_rewards, implicit_values
from sanmai.score.process import score_process
from sanmai.types import InputError
from tiny_models import save_folder


def test_on_a_tree_the_sums_are_the_soft_values_of_prefixes():
    # A reference of 3 tokens at each of 4 places, its chances by prefix; r of each leaf; pi* = ref exp(r / beta) / Z.
    beta, leaves = 0.7, list(product(range(3), repeat=4))
    generator = torch.Generator().manual_seed(0)

    def chances(prefix):
        return torch.softmax(torch.randn(3, generator=torch.Generator().manual_seed(hash(prefix) % 2**31)).double(), 0)

    table = {prefix: chances(prefix) for n in range(4) for prefix in product(range(3), repeat=n)}
    reference = {leaf: [log(table[leaf[:i]][leaf[i]]) for i in range(4)] for leaf in leaves}
    reward = {leaf: torch.randn(1, generator=generator).item() for leaf in leaves}

    def tilted(prefix):  # E_ref[exp(r / beta) | prefix]
        n = len(prefix)
        below = [leaf for leaf in leaves if leaf[:n] == prefix]
        return sum(exp(sum(reference[leaf][n:]) + reward[leaf] / beta) for leaf in below)

    for leaf in leaves[::7]:
        policy = [reference[leaf][i] + log(tilted(leaf[: i + 1]) / tilted(leaf[:i])) for i in range(4)]
        found = implicit_values(policy, reference[leaf], [1, 2, 3, 4], beta=beta)
        expected = [beta * log(tilted(leaf[:t])) - beta * log(tilted(())) for t in range(1, 5)]
        assert found == pytest.approx(expected, abs=1e-12)
        assert found[-1] == pytest.approx(reward[leaf] - beta * log(tilted(())), abs=1e-12)  # DPO's reward, up to its constant
        by_step = implicit_step_rewards(policy, reference[leaf], [2, 4], beta=beta)
        assert sum(by_step) == pytest.approx(beta * (sum(policy) - sum(reference[leaf])), abs=1e-12)
        assert by_step[0] == pytest.approx(found[1], abs=1e-12)


def test_a_policy_that_is_its_reference_says_nothing_and_other_lengths_are_refused():
    assert implicit_step_rewards([-1.0, -2.0], [-1.0, -2.0], [1, 2], beta=0.1) == [0.0, 0.0]
    for bad in (([-1.0], [-1.0, -2.0], [1], 0.1), ([-1.0], [-1.0], [2], 0.1), ([-1.0], [-1.0], [1], 0.0)):
        with pytest.raises(ValueError, match="expected"):
            implicit_values(*bad[:3], beta=bad[3])


@pytest.fixture
def folders(tmp_path):
    for name, seed in (("policy", 1), ("reference", 2)):
        save_folder(tmp_path / name, seed=seed, max_position_embeddings=1024)
    return str(tmp_path / "policy"), str(tmp_path / "reference")


def test_scores_are_the_models_own_log_ratios_from_the_prompt_on(folders):
    model = ImplicitProcessModel.load(*folders, beta=0.5)
    sequences, starts, ends = [[5, 6, 7, 8, 9, 10], [5, 6, 11]], [2, 1], [[3, 6], [3]]
    found = model.score_labelled(starts, sequences, ends)
    policies = [load_policy(ModelConfig(name=name), for_training=False) for name in folders]
    for tokens, start, listed, scores in zip(sequences, starts, ends, found, strict=True):
        logp = []
        for policy in policies:
            with torch.no_grad():
                logits = policy.model(torch.tensor([tokens])).logits[0].float().log_softmax(-1)
            logp.append([logits[t - 1, tokens[t]].item() for t in range(start, len(tokens))])
        ratio = [p - q for p, q in zip(*logp, strict=True)]
        parts = [start, *listed]
        expected = [0.5 * sum(ratio[a - start : b - start]) for a, b in zip(parts, listed, strict=False)]
        assert scores == pytest.approx(expected, abs=1e-4) and any(abs(s) > 1e-3 for s in scores)
    same = ImplicitProcessModel.load(folders[0], folders[0], beta=0.5)
    assert all(abs(s) < 1e-6 for row in same.score_labelled(starts, sequences, ends) for s in row)


def test_labelled_solutions_are_scored_by_it_and_bad_models_are_refused(folders, tmp_path):
    path = tmp_path / "steps.jsonl"
    row = {"prompt": "what is 3 plus 4 ?", "completions": ["3 plus 4", "is 7", "the sum"], "labels": [1, 0, None]}
    path.write_text(json.dumps(row) + "\n")
    found = score_process(str(path), ImplicitProcessModel.load(*folders, beta=0.5), on_warning=lambda said: None)["rows"][0]
    assert len(found["scores"]) == 3 and all(0 < p < 1 for p in found["scores"])
    with pytest.raises(InputError, match="beta = 0: expected a number above 0"):
        ImplicitProcessModel.load(*folders, beta=0)
    save_folder(tmp_path / "other", text="entirely different words here", vocab_size=270)
    with pytest.raises(InputError, match="have different tokens"):
        ImplicitProcessModel.load(folders[0], str(tmp_path / "other"), beta=1)
