"""What a plan predicts, on the embedded model. No duration is asserted."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from sanmai.models.policy import load_policy
from sanmai.recipes import calibration as measuring
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.calibration import calibrate, ladder
from sanmai.recipes.machine import matrix_rate
from sanmai.recipes.plan import describe, memory_bytes
from sanmai.recipes.prediction import keep, observed_lengths, predict
from sanmai.recipes.sources import load_splits
from sanmai.report import summarise
from sanmai.train.step import make_optimizer

SMALL = ["num_steps=2", "prompts_per_step=2", "rollouts_per_prompt=2", "sampling.max_tokens=8", "evaluation.every=1"]
SMALL += ["problems.world.train=20", "problems.world.heldout=4"]


def small(*overrides: str):
    recipe = find_recipe("zero")
    return recipe, resolve(recipe, None, [*SMALL, *overrides])


def test_sizes_double_in_turn_up_to_the_largest():
    assert list(ladder((4, 2))) == [(1, 1), (2, 1), (2, 2), (4, 2)]
    assert list(ladder((5,))) == [(1,), (2,), (4,), (5,)]
    assert list(ladder((1, 1))) == [(1, 1)]


@pytest.mark.parametrize("kl", [0.0, 0.1])
def test_memory_is_that_of_the_real_parameters_gradients_and_optimizer(kl):
    _, config = small(f"loss.kl_weight={kl}")
    policy = load_policy(config.model)
    optimizer = make_optimizer(policy, config.optimizer)
    for p in policy.weights.values():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    found = memory_bytes(policy, config, prompt_length=10.0)
    size = lambda tensors: sum(t.numel() * t.element_size() for t in tensors)  # noqa: E731
    moments = [t for state in optimizer.state.values() for name, t in state.items() if name != "step"]
    assert found["weights"] == size(policy.model.parameters())
    assert found["gradients"] == size(p.grad for p in policy.weights.values() if p.grad is not None)
    assert found["optimizer"] == size(moments)
    assert found["reference"] == (size(policy.snapshot().values()) if kl else 0)
    c = policy.model.config
    # 4 rollouts of 10 + 8 tokens, keys and values in float32.
    assert found["KV cache"] == 4 * 18 * 2 * c.num_hidden_layers * c.num_key_value_heads * c.head_dim * 4


@pytest.mark.parametrize("overrides", [[], ["loss.kl_weight=0.1", "loss.importance_cap=2.0"]])
def test_a_calibration_predicts_positive_numbers_and_leaves_the_policy_as_it_was(tmp_path, overrides):
    _, config = small(*overrides)
    policy = load_policy(config.model)
    train, _ = load_splits(config.problems, config.seed, None, on_warning=print)
    before, chance = policy.snapshot(), torch.random.get_rng_state()
    found = calibrate(policy, config, train, tmp_path / "not" / "there")
    assert list(tmp_path.iterdir()) == []
    assert all(torch.equal(before[name], p) and p.grad is None for name, p in policy.weights.items())
    assert torch.equal(chance, torch.random.get_rng_state())
    bound = predict(found, config, num_held_out=4, checkpoint_bytes=1e6)
    shorter = predict(found, config, num_held_out=4, checkpoint_bytes=1e6, mean=2.0, longest=3.0)
    numbers = [*bound.seconds.values(), bound.sampled_per_second, bound.trained_per_second, bound.total_seconds]
    assert all(math.isfinite(x) and x > 0 for x in [*numbers, found.activation_bytes, found.machine["matrix_gflops"]])
    assert bound.num_evaluations == 3 and shorter.total_seconds <= bound.total_seconds
    # Two steps and three evaluations.
    per_step = sum(bound.seconds[phase] for phase in ("sampling", "training", "saving"))
    assert bound.total_seconds == pytest.approx(2 * per_step + 3 * bound.seconds["evaluation"])


def test_a_machine_too_slow_for_the_budget_is_extrapolated_from_one_pass_and_says_so(tmp_path, monkeypatch):
    for name in ("SAMPLING_SECONDS", "TRAINING_SECONDS"):
        monkeypatch.setattr(measuring, name, 1e-9)
    _, config = small()
    policy = load_policy(config.model)
    train, _ = load_splits(config.problems, config.seed, None, on_warning=print)
    found = calibrate(policy, config, train, tmp_path)
    assert sum("extrapolated" in note for note in found.notes) == 2 and found.activation_bytes is None
    bound = predict(found, config, num_held_out=4, checkpoint_bytes=0)
    assert all(math.isfinite(x) and x > 0 for x in bound.seconds.values())


def test_plan_then_run_then_report_compares_predicted_with_real(tmp_path):
    recipe, config = small()
    lines = list(describe(recipe, config, tmp_path / "run", measure=True))
    assert any("upper bound" in line for line in lines) and "Kept in" in lines[-1]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["config.toml", "prediction.json"]
    recipe.run(config, tmp_path / "run")
    found = summarise(tmp_path / "run")
    rows = {row["phase"]: row for row in found["speed"]}
    assert rows.keys() == {"sampling", "training", "evaluation", "saving"}
    assert all(row["ratio"] > 0 and row["predicted"] > 0 for row in rows.values())
    assert rows["sampling"]["share_of_peak"] > 0 and "predicted" in found["lines"][-1]
    # A plan for a run that has steps keeps the prediction from before them, and also predicts at their lengths.
    again = list(describe(recipe, config, tmp_path / "run", measure=True))
    assert "from before them" in again[-1] and any("last steps on record" in line for line in again)


def test_a_prediction_is_not_put_where_something_else_is(tmp_path):
    _, config = small()
    policy = load_policy(config.model)
    train, _ = load_splits(config.problems, config.seed, None, on_warning=print)
    found = calibrate(policy, config, train, tmp_path)
    bound = predict(found, config, num_held_out=4, checkpoint_bytes=0)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    assert "not a run folder" in keep(found, bound, config, foreign) and len(list(foreign.iterdir())) == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.toml").write_text('recipe = "sft"\n')
    (other / "metrics.jsonl").write_text(json.dumps({"step": 1}) + "\n")
    assert "other settings" in keep(found, bound, config, other) and not (other / "prediction.json").exists()


def test_without_measuring_nothing_is_written(tmp_path):
    recipe, config = small()
    lines = list(describe(recipe, config, tmp_path / "run"))
    assert lines[-1] == "Nothing was measured." and list(tmp_path.iterdir()) == []


def test_observed_lengths_pass_over_what_is_no_training_step(tmp_path: Path):
    assert observed_lengths(tmp_path) is None
    steps = [{"rollout/length_mean": m, "rollout/length_max": 2 * m, "step": m} for m in (10, 20)]
    lines = [json.dumps({"step": 0, "eval/accuracy": 0.5}), *map(json.dumps, steps), '{"step": 3, "rollo']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert observed_lengths(tmp_path) == (15.0, 30.0) and observed_lengths(tmp_path, count=1) == (20.0, 40.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_matrix_rate_is_positive_and_threads_are_as_before(dtype):
    before = torch.get_num_threads()
    assert math.isfinite(rate := matrix_rate(torch.device("cpu"), dtype, 2, 0.01)) and rate > 0
    assert torch.get_num_threads() == before
