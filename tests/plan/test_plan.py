"""What a plan predicts, on the embedded model. No duration is asserted."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch

from sanmai.cluster.config import ClusterConfig
from sanmai.data.trace import parse_trace
from sanmai.learn.machine import matrix_rate
from sanmai.learn.sources import load_splits
from sanmai.plan import calibration as measuring
from sanmai.plan.calibration import calibrate, ladder
from sanmai.plan.forecast import describe
from sanmai.plan.memory import StepShape, bytes_of_a_trainer, joined_bytes, memory_bytes, room
from sanmai.plan.prediction import keep, observed_lengths, predict
from sanmai.policies.cores import Cores
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.decoder import DenseDecoder, fuse
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes import find_recipe, resolve
from sanmai.report import summarise
from sanmai.train.step import make_optimizer
from sanmai.types import Drawn, InputError, Problem, StopReason
from tiny_models import save_folder

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
    found = memory_bytes(policy, StepShape.of(config), prompt_length=10.0)
    size = lambda tensors: sum(t.numel() * t.element_size() for t in tensors)  # noqa: E731
    moments = [t for state in optimizer.state.values() for name, t in state.items() if name != "step"]
    assert found["weights"] == size(policy.model.parameters())
    assert found["gradients"] == size(p.grad for p in policy.weights.values() if p.grad is not None)
    assert found["optimizer"] == size(moments)
    assert found["reference"] == (size(policy.snapshot().values()) if kl else 0)
    c = policy.model.config
    # 4 rollouts of 10 + 8 tokens, in slots that have room for 128; keys and values in float32.
    assert found["KV cache"] == 4 * 128 * 2 * c.num_hidden_layers * c.num_key_value_heads * c.head_dim * 4


def test_memory_of_each_trainer_by_hand():
    parts = {"weights": 4000.0, "gradients": 2000.0, "optimizer": 4000.0, "reference": 2000.0, "KV cache": 80.0, "logits": 7.0}
    # 500 parameters are trained, 2,000 bytes, and 2,000 bytes are frozen.
    found = bytes_of_a_trainer(parts, 500, ClusterConfig(trainers=4, parts=8))
    expected = {"weights": 2500, "gathered weights": 2000, "gradients": 2500, "optimizer": 1000, "reference": 500, "KV cache": 10}
    assert found == {**expected, "logits": 7, "workers' gradients": 0}
    layered = bytes_of_a_trainer(parts, 500, ClusterConfig(trainers=4, sharding="layers"))
    assert (layered["gradients"], layered["gathered to sample"]) == (500, 2000) and "gathered weights" not in layered
    assert bytes_of_a_trainer(parts, 500, ClusterConfig()) == parts


# Per layer of a random Qwen3 (D = 32, F = 48, H E = 32, K E = 16): q, o 32*32, k, v 16*32, gate, up, down 48*32.
QKV, OUTPUT, GATE_UP, DOWN = 2048, 1024, 3072, 1536


def policy_of(tmp_path: Path, architecture: str = "qwen3", **settings) -> TextPolicy:
    return load_policy(ModelConfig(name=str(save_folder(tmp_path / "model", architecture)), threads=1, **settings))


def test_each_worker_holds_a_micro_batch_its_logits_and_a_gradient_of_its_own(tmp_path, monkeypatch):
    policy = policy_of(tmp_path)
    trained, kept = sum(p.numel() for p in policy.weights.values()), measuring.Kept(once=1000.0, per_token=10.0)
    found: dict[tuple, dict[str, float]] = {}
    for workers in (1, 4):
        monkeypatch.setattr(Cores, "workers", workers)
        for rollouts, micro_tokens in ((10, 50), (3, 8192)):
            settings = [f"rollouts_per_prompt={rollouts}", f"optimizer.micro_tokens={micro_tokens}"]
            _, config = small("prompts_per_step=1", *settings)
            found[workers, rollouts] = memory_bytes(policy, StepShape.of(config), 10.0, kept)
    of = lambda name: {key: parts[name] for key, parts in found.items()}  # noqa: E731
    # Rows of 10 + 8 = 18 tokens. Ten, two to a micro-batch of at most 50 tokens; four workers have 12 tokens each, less than a
    # row: one row each. Three fit into one of 54 tokens, whatever the workers.
    assert of("activations") == {
        (1, 10): 1000 + 50 * 10, (1, 3): 1000 + 54 * 10,
        (4, 10): 4 * 1000 + 4 * 18 * 10, (4, 3): 1000 + 54 * 10}
    v = policy.vocabulary
    assert of("logits") == {(1, 10): 12 * 50 * v, (1, 3): 12 * 54 * v, (4, 10): 4 * 12 * 18 * v, (4, 3): 12 * 54 * v}
    # One worker adds onto the gradients as it goes.
    assert of("workers' gradients") == {(1, 10): 0, (1, 3): 0, (4, 10): 4 * 4 * trained, (4, 3): 4 * trained}


@pytest.mark.parametrize("dtype, fast, width", [("float32", True, 4), ("bfloat16", True, 4), ("bfloat16", False, 2)])
def test_the_cache_of_the_fast_path_is_in_the_dtype_of_its_attention(tmp_path, dtype, fast, width):
    policy = policy_of(tmp_path, dtype=dtype, fast_path=fast)
    assert (policy.dense is not None) == fast
    _, config = small("sampling.max_tokens=190")
    # 4 rollouts of 10 + 190 tokens, two layers, keys and values of 16 each. The fast path has room for 2 * 128.
    room = 256 if fast else 200
    assert memory_bytes(policy, StepShape.of(config), 10.0)["KV cache"] == 4 * room * 2 * 2 * 16 * width
    # An evaluation of more completions than a step has takes more, were it at a shorter length.
    _, config = small("sampling.max_tokens=190", "evaluation.max_tokens=100", "evaluation.samples=2")
    evaluated = 2 * 9 * (137.5 if fast else 110)
    assert memory_bytes(policy, StepShape.of(config, 9), 10.0)["KV cache"] == evaluated * 2 * 2 * 16 * width
    assert memory_bytes(policy, StepShape.of(config, 2), 10.0)["KV cache"] == 4 * room * 2 * 2 * 16 * width


def test_a_slot_of_the_real_decoder_has_no_more_room_than_predicted(tmp_path):
    policy = policy_of(tmp_path)
    assert policy.dense is not None
    decoder = DenseDecoder(policy.dense, fuse(policy.dense), 1)
    widths = []
    for width in range(5, 1200):
        decoder._grow(width)
        widths.append((decoder._keys[0].shape[1], room(policy, width)))
    assert all(real <= predicted for real, predicted in widths) and sum(a < b for a, b in widths) < len(widths) * 0.9


@pytest.mark.parametrize("architecture", ["qwen3", "qwen2"])
@pytest.mark.parametrize(
    "settings", [{}, {"dtype": "bfloat16"}, {"lora_rank": 2}, {"lora_rank": 3, "dtype": "bfloat16"}], ids=str)
def test_the_sampler_copies_as_many_bytes_of_the_weights_as_predicted(tmp_path, architecture, settings):
    policy = policy_of(tmp_path, architecture, **settings)
    assert policy.dense is not None
    own = {p.untyped_storage().data_ptr() for p in policy.model.parameters()}
    fused = fuse(policy.dense)
    copied = {}
    for affine in [fused.head] + [a for x in fused.layers for a in (x.qkv, x.output, x.gate_up, x.down)]:
        for t in (affine.weight, affine.bias, *(affine.adapters or ())):
            if t is not None and t.untyped_storage().data_ptr() not in own:
                copied[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
    assert joined_bytes(policy) == sum(copied.values())
    if architecture == "qwen3" and not settings.get("lora_rank"):
        # In float32 what is joined; in bfloat16 all, with the head.
        whole = 2 * 2 * (QKV + OUTPUT + GATE_UP + DOWN) + 2 * policy.vocabulary * 32
        assert joined_bytes(policy) == (whole if settings else 2 * 4 * (QKV + GATE_UP))


def test_copies_of_the_weights_for_the_backward_pass_are_counted_once_and_not_per_token(tmp_path):
    r = Drawn("1", 0, [5, 6, 7], [8, 9, 10, 11, 1], [0.0] * 5, StopReason.STOP, 0, "")
    longer = Drawn("1", 1, [5, 6, 7], [8, 9, 10, 11] * 6 + [1], [0.0] * 25, StopReason.STOP, 0, "")
    full, half = policy_of(tmp_path), policy_of(tmp_path, dtype="bfloat16")
    # In float32 matrices are put side by side where there are more tokens than the model is wide: 8 are fewer than 32, 36 more.
    # In bfloat16 the seven of both layers are copied, two bytes a number; the head is not among them.
    vector = 4 * 32  # the compiled passes hold on to a vector of the model's width
    for rollouts, joined in (([r], 0), ([r, longer], 2 * 4 * (QKV + GATE_UP))):
        assert measuring.kept_bytes(full, rollouts).once == pytest.approx(joined, abs=vector + 0.1)
        copies = 2 * 2 * (QKV + OUTPUT + GATE_UP + DOWN)
        assert measuring.kept_bytes(half, rollouts).once == pytest.approx(copies, abs=vector + 0.1)
        assert 0 < measuring.kept_bytes(half, rollouts).per_token < measuring.kept_bytes(full, rollouts).per_token
    # The head in bfloat16 goes with the logits: 4 rows of 3 + 8 tokens.
    _, config = small()
    v = half.vocabulary
    assert memory_bytes(half, StepShape.of(config), 3.0)["logits"] == 12 * 44 * v + 2 * 32 * v


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
    assert found.kept is not None
    numbers = [*bound.seconds.values(), bound.sampled_per_second, bound.trained_per_second, bound.total_seconds]
    assert all(math.isfinite(x) and x > 0 for x in [*numbers, found.kept.per_token, found.machine["matrix_gflops"]])
    assert bound.num_evaluations == 3 and shorter.total_seconds <= bound.total_seconds
    # Two steps and three evaluations.
    per_step = sum(bound.seconds[phase] for phase in ("sampling", "training", "saving"))
    assert bound.total_seconds == pytest.approx(2 * per_step + 3 * bound.seconds["evaluation"])


def test_rewards_by_rule_are_timed_and_models_that_score_are_neither_loaded_nor_asked():
    _, config = small("rewards.helpfulness=1.0", "rewards.helpfulness_from=recipe", "rewards.harmlessness=1.0",
                      "rewards.harmlessness_from=no/such/folder", "rewards.helpfulness_on=['general', 'safety']")  # fmt: skip
    notes: list[str] = []
    rubric = measuring._rubric(config, notes)
    asked = Problem("danger/1", ({"role": "user", "content": "how to make o7 ?"},), kind="safety")
    written = Drawn("danger/1", 0, [1], [1], [0.0], StopReason.STOP, 0, "no .", parse_trace("no ."))
    (done,) = rubric.grade_together([(asked, rubric.grade(asked, written))])
    assert done.verdicts["helpfulness"].label == "ungradable" and "world" in done.verdicts["helpfulness"].reason
    assert done.verdicts["harmlessness"].reason == "not asked where a run is planned"
    assert notes == ["what scores harmlessness is not asked, and its time not in this"]


def test_a_machine_too_slow_for_the_budget_is_extrapolated_from_one_pass_and_says_so(tmp_path, monkeypatch):
    for name in ("SAMPLING_SECONDS", "TRAINING_SECONDS"):
        monkeypatch.setattr(measuring, name, 1e-9)
    _, config = small()
    policy = load_policy(config.model)
    train, _ = load_splits(config.problems, config.seed, None, on_warning=print)
    found = calibrate(policy, config, train, tmp_path)
    assert sum("extrapolated" in note for note in found.notes) == 2 and found.kept is None
    bound = predict(found, config, num_held_out=4, checkpoint_bytes=0)
    assert all(math.isfinite(x) and x > 0 for x in bound.seconds.values())


def test_plan_then_run_then_report_compares_predicted_with_real(tmp_path):
    recipe, config = small()
    lines = list(describe(recipe, config, tmp_path / "run", measure=True))
    assert any("upper bound" in line for line in lines) and "Kept in" in lines[-1]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["config.toml", "prediction.json"]
    # Python, PyTorch and the rest are counted: a hundred MB at least, and all of it below what the tests may hold.
    assert 1e8 < json.loads((tmp_path / "run" / "prediction.json").read_text())["memory"] < 1e11
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
    assert "not a run folder" in keep(found, bound, 5e8, config, foreign) and len(list(foreign.iterdir())) == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.toml").write_text('recipe = "sft"\n')
    (other / "metrics.jsonl").write_text(json.dumps({"step": 1}) + "\n")
    assert "has steps already" in keep(found, bound, 5e8, config, other) and not (other / "prediction.json").exists()


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


@pytest.mark.parametrize("ends", ["epochs=0.5", "token_budget=3000", "operation_budget=2e10"])
def test_the_updates_of_sft_are_those_that_its_run_makes(ends, tmp_path):
    recipe = find_recipe("sft")
    sizes = ["problems.world.train=40", "problems.world.heldout=2", "demonstrations_per_step=8"]
    config = resolve(recipe, None, [*sizes, ends])
    said = re.search(r"passes,? in ([\d,]+) updates of 8", " ".join(describe(recipe, config, tmp_path / "run")))
    assert said is not None
    recipe.run(config, tmp_path / "run")
    steps = [json.loads(line)["step"] for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert max(steps) == int(said[1].replace(",", ""))


def test_the_memory_of_sft_is_that_of_each_trainer(tmp_path):
    recipe = find_recipe("sft")
    lines = {
        n: " ".join(describe(recipe, resolve(recipe, None, ["problems.world.train=9", f"cluster.trainers={n}"]), tmp_path))
        for n in (1, 2)
    }
    assert "Memory: weights" in lines[1] and "Memory of each of 2 trainers: weights" in lines[2]
    assert "gathered weights" in lines[2] and "gathered weights" not in lines[1]


@pytest.mark.parametrize(("load", "is_said"), [(0.3, False), (1.4, False), (1.6, True), (9.0, True)])
def test_a_busy_machine_is_said(load, is_said, monkeypatch):
    monkeypatch.setattr(measuring, "available_cores", lambda: 2)
    monkeypatch.setattr(measuring.os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert bool(measuring._busy_note()) is is_said
    assert all(f"load {load:.1f} on 2 cores" in note for note in measuring._busy_note())


@pytest.mark.parametrize(("seconds", "times"), [([3.0, 1.0], 2), ([9.0, 1.0], 2), ([11.0, 1.0], 1)])
def test_the_first_pass_reads_the_weights_and_the_second_is_measured(seconds, times, monkeypatch):
    clock, calls = [0.0], list(seconds)
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: clock[0])

    def work():
        clock[0] += calls.pop(0)

    assert measuring._warm(work, budget=10.0) == seconds[times - 1]
    assert len(calls) == 2 - times


@pytest.mark.parametrize("recipe", ["zero", "sft"])
def test_a_plan_refuses_a_budget_beyond_the_models_positions_as_the_run_does(recipe, tmp_path):
    found = find_recipe(recipe)
    config = resolve(found, values={"sampling": {"max_tokens": 100_000}, "problems": {"world": {"train": 40, "heldout": 8}}})
    with pytest.raises(InputError, match="positions of the model"):
        list(describe(found, config, tmp_path / "run", measure=False))
    with pytest.raises(InputError, match="positions of the model"):
        found.run(config, tmp_path / "run")
