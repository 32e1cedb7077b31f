"""Trainers that share a policy: the gradient, the steps and the scores of one process."""

from __future__ import annotations

import math

import pytest
import sharing
import torch
from safetensors.torch import save_file

from rollouts import packed
from sanmai.cluster.config import ClusterConfig, TrainersConfig
from sanmai.cluster.trainers import Place, Trainers
from sanmai.learn.teacher import divergence_component, teacher_logp
from sanmai.losses import PRESETS, group_advantages
from sanmai.policies.text.pack import pack
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.recipes.zero import ZeroConfig
from sanmai.train.components import LossConfig, rl_components, sft_component
from sanmai.train.state import TrainingState
from sanmai.train.step import NonFiniteError, Part, score_all, values_of
from sanmai.types import InputError
from tiny_models import sampled_groups

SAMPLING = SamplingConfig(max_tokens=12, temperature=0.8)
PROMPTS = [[5, 6, 7, 8, 9], [40, 41], [7]]


@pytest.fixture(scope="module")
def team():
    with Trainers(TrainersConfig(trainers=2, trainer_deadline_seconds=60)) as trainers:
        yield trainers.team


@pytest.fixture(scope="module")
def pair(team):
    """The policy of one process, and the same shared by two trainers."""
    return sharing.make(None), sharing.make(team)


def batch_of(policy, size=3):
    """Rollouts of many lengths with what every loss reads, more in one group than in another."""
    groups = sampled_groups(policy, PROMPTS, size, config=SAMPLING)
    advantages = group_advantages([0.0, 1.0, 2.0, 3.0][:size])
    rollouts = [r.graded().credited(a) for g in groups for r, a in zip(g.rollouts, advantages, strict=True)]
    batch = packed(rollouts)
    noise = torch.randn(batch.mask_BT.shape, generator=torch.Generator().manual_seed(1))
    return batch.with_streams({"value": noise * 0.1, "value_target": noise, "cost": 0.3 * batch.streams["rl"]})


def distance(own, other):
    """Largest difference relative to the largest value, over the tensors."""
    assert own.keys() == other.keys() and own
    scale = max(t.abs().max().item() for t in own.values())
    return max((own[name] - other[name]).abs().max().item() / max(own[name].abs().max().item(), 1e-3 * scale) for name in own)


def close(own, other, bound=1e-5):
    assert own.keys() == other.keys()
    return all(math.isclose(own[name], other[name], rel_tol=bound, abs_tol=bound) for name in own)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_two_trainers_have_the_gradient_of_one_process(pair, preset):
    one, two = pair
    batch, loss = batch_of(one), LossConfig(preset=preset, kl_weight=0.1, entropy_weight=0.01)
    components = rl_components(loss, 12, has_cost=True)
    demonstrations = pack([([3, 4], [5, 6, 7, 8]), ([9], [10, 11]), ([12], [13, 14, 15])])
    shown = Part(demonstrations.with_streams({"sft": demonstrations.mask_BT.float()}), {"sft": sft_component(0.3)})
    found = [
        sharing.gradient(policy, batch, components, sharing.reference_of(policy, 0.01), shown, 40) for policy in (one, two)
    ]
    assert distance(found[0][0], found[1][0]) < 1e-5
    assert close(found[0][1], found[1][1])
    assert found[0][2] == pytest.approx(found[1][2], abs=1e-5)


@pytest.mark.parametrize("micro_tokens", [8, 10_000])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_however_many_micro_batches_there_are_for_two(pair, micro_tokens, size):
    one, two = pair
    batch = batch_of(one).select(list(range(size)))
    components = rl_components(LossConfig(preset="grpo"), 12)
    found = [sharing.gradient(policy, batch, components, None, None, micro_tokens) for policy in (one, two)]
    assert distance(found[0][0], found[1][0]) < 1e-5 and close(found[0][1], found[1][1])


def test_steps_clip_and_decay_alike_and_scores_come_in_order(pair, team):
    one, two = sharing.make(None), sharing.make(team)
    batch, components = batch_of(one), rl_components(LossConfig(preset="ppo"), 12)
    (weights, metrics), (shared, shared_metrics) = (sharing.trained(policy, batch, components, 3) for policy in (one, two))
    assert distance(weights, shared) < 1e-4 and close(metrics, shared_metrics, 1e-4)
    micros = [batch.select([row]) for row in range(3)]
    for ask in (lambda policy: score_all(policy, micros, 0.8), lambda policy: values_of(policy, micros)):
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ask(one), ask(two), strict=True))


@pytest.mark.parametrize("settings", [
    {"layers": True}, {"tie_word_embeddings": False},
    pytest.param({"lora": True}, marks=pytest.mark.slow), pytest.param({"layers": True, "lora": True}, marks=pytest.mark.slow),
])  # fmt: skip
def test_layers_apart_and_adapters_have_the_gradient_of_one_process(team, settings):
    components = rl_components(LossConfig(preset="grpo"), 12)
    one, two = sharing.make(None, **settings), sharing.make(team, **settings)
    batch = batch_of(one)
    found = [sharing.gradient(policy, batch, components, None, None, 30) for policy in (one, two)]
    assert distance(found[0][0], found[1][0]) < 1e-5
    micros = [batch.select(rows) for rows in batch.micro_rows(30)]
    scores = [score_all(policy, micros, 0.8) for policy in (one, two)]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*scores, strict=True))


@pytest.mark.parametrize("layers", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_student_of_trainers_has_the_gradient_of_one_process_and_its_teacher_says_the_same(team, layers):
    found, said = [], []
    batch = batch_of(sharing.make(None, layers=layers))
    batch = batch.with_streams({"sft": batch.mask_BT.float()})
    for own in (None, team):
        student, teacher = sharing.make(own, layers=layers), sharing.teacher_of(own)
        components = {"distill": divergence_component(student, teacher, 0.5)}
        found.append(sharing.gradient(student, batch, components, None, None, 40))
        said.append(teacher_logp(teacher, student, batch, 40))
    assert distance(found[0][0], found[1][0]) < 1e-5 and close(found[0][1], found[1][1])
    assert torch.allclose(*said, atol=1e-5)


def test_what_a_policy_of_trainers_writes_is_what_one_process_writes(pair):
    from sanmai.cluster.shared import Shared

    one, two = pair
    requests = [Request(prompt, [(0, p, k) for k in range(3)]) for p, prompt in enumerate(PROMPTS)]
    one.sampling_parts, two.sampler = 3, Shared(two, 3)
    write = lambda policy: sorted((c.request, c.sample, c.tokens) for c in sample(policy, requests, SAMPLING))  # noqa: E731
    assert write(one) == write(two)
    two.sampler = None
    assert write(one) == write(two)  # by the one that leads, with all weights
    one.sampling_parts = 0


def test_what_is_not_finite_stops_all_before_anything_has_moved(pair):
    one, two = pair
    before, _ = sharing.trained(two, batch_of(one), {}, 0)
    batch = batch_of(one)
    batch = batch.with_streams({"rl": torch.where(batch.mask_BT, math.nan, 0.0)})
    with pytest.raises(NonFiniteError, match="before the optimizer step"):
        sharing.trained(two, batch, rl_components(LossConfig(preset="grpo"), 12), 1)
    after, _ = sharing.trained(two, batch_of(one), {}, 0)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_policy_that_is_saved_whole_is_the_one_that_is_spread(pair, tmp_path):
    from safetensors.torch import load_file

    one, two = pair
    one.save(tmp_path / "one")
    two.save(tmp_path / "two")
    files = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    assert files[0].keys() == files[1].keys() and all(torch.equal(files[0][name], files[1][name]) for name in files[0])


def test_the_state_of_trainers_is_the_file_that_one_process_would_write(team, tmp_path):
    policy, components = sharing.make(team), rl_components(LossConfig(preset="grpo"), 12)
    optimizer = sharing.moved(policy, batch_of(sharing.make(None)), components)
    reference, extra = sharing.reference_of(policy, 0.01), {"spent": torch.tensor(3.0, dtype=torch.float64)}
    (tmp_path / "shared").mkdir()
    TrainingState(policy, optimizer, reference, "12ab", extra).save(tmp_path / "shared")
    expected = {f"optimizer/{name}": x for name, x in sharing.all_moments(policy, optimizer).items()}
    expected |= {f"reference/{name}": x for name, x in policy.gathered(reference).items()}
    expected |= {f"heads/{name}": p.detach() for name, p in policy.heads.items()} | {"extra/spent": extra["spent"]}
    save_file(expected, tmp_path / "one", metadata={"start_digest": "12ab"})
    assert (tmp_path / "shared" / "training_state.safetensors").read_bytes() == (tmp_path / "one").read_bytes()
    assert any(x.abs().sum() > 0 for name, x in expected.items() if name.endswith("exp_avg"))


def test_torchrun_and_the_settings_name_the_same_number_of_trainers(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"cluster\.trainers = 3, and torchrun has started 2 processes"):
        Trainers(TrainersConfig(trainers=3))
    with pytest.raises(InputError, match=r"cluster\.trainers = 1, and torchrun"):
        Trainers(TrainersConfig())
    with pytest.raises(InputError, match="'LOCAL_RANK' is not, or no number: start it by torchrun"):
        Place.of_torchrun()


def test_settings_that_cannot_work_are_refused_where_they_are_read():
    refused = [
        ({"cluster": {"trainers": 2, "sharding": "layers"}}, "model.fast_path = false"),
        ({"cluster": {"trainers": 2}, "model": {"device": "cuda:1"}}, "expected 'cuda'"),
        ({"cluster": {"tensor_parallel": 2}}, "tensor_parallel: splitting single products over GPUs is not built"),
        ({"cluster": {"context_parallel": 2}}, "is not built"),
    ]
    for values, says in refused:
        with pytest.raises(InputError, match=says):
            ZeroConfig.read(values, stated=values)
    assert ClusterConfig(trainers=12).num_parts == 12 and ClusterConfig(trainers=2).num_parts == 8
