"""Weights that a sampler is given and does not write with: each such fault stops the run with a sentence."""

from __future__ import annotations

import math

import pytest
import torch
from inline import InlineLink

from sanmai.cluster.canary import Canary, canary_fails
from sanmai.cluster.config import ClusterConfig
from sanmai.cluster.published import digest_of, trained
from sanmai.cluster.samplers import Cluster
from sanmai.cluster.worker import Worker
from sanmai.policies.text.asking import Request, SamplingConfig
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import sample
from sanmai.types import RunError

SAMPLING = SamplingConfig(max_tokens=6, concurrent=8)
REQUESTS = [Request([5, 9, 4 + number], [(0, number, g) for g in range(3)]) for number in range(3)]


@pytest.fixture
def policy():
    return load_policy(ModelConfig(threads=1))


def update(policy, size=1e-3):
    """What an optimizer does to every weight, by a fixed amount."""
    torch.manual_seed(1)
    with torch.no_grad():
        for p in policy.weights.values():
            p += size * torch.randn_like(p)


def written(policy, requests=REQUESTS):
    return sorted((c.request, c.sample, c.tokens, c.logp, c.stop_reason) for c in sample(policy, requests, SAMPLING))


def apart(policy, folder, *workers, **settings):
    config = ClusterConfig(transport="processes", parts=4, **settings)
    cluster = Cluster(config)
    links = [InlineLink(number, make) for number, make in enumerate(workers, 1)]
    cluster.write_for(policy, folder, on_warning=print, links=links)
    return cluster, links


def test_samplers_write_what_this_process_does_with_the_weights_of_the_moment_and_nothing_is_left(policy, tmp_path):
    policy.sampling_parts = 4
    before = written(policy)
    snapshot = policy.snapshot()
    update(policy)
    after = written(policy)
    assert before != after
    cluster, links = apart(policy, tmp_path, Worker, Worker)
    with cluster:
        assert written(policy) == after
        with policy.swapped(snapshot):  # whoever samples from a reference gets the reference
            assert written(policy) == before
        assert written(policy) == after
        update(policy)
        moved = written(policy)
        assert moved not in (before, after)
        assert len(list((tmp_path / "published").glob("*.safetensors"))) == 3
    assert links[0].num_written + links[1].num_written == 16
    assert policy.sampler is None and written(policy) == moved and list(tmp_path.iterdir()) == []


def test_a_lora_policys_adapters_are_what_is_published(tmp_path):
    policy = load_policy(ModelConfig(threads=1, lora_rank=2))
    policy.sampling_parts = 4
    update(policy, 0.05)
    here = written(policy)
    cluster, _ = apart(policy, tmp_path, Worker)
    with cluster:
        assert written(policy) == here
        [file] = (tmp_path / "published").glob("*.safetensors")
        assert file.stat().st_size < 0.3 * 4 * policy.num_parameters


class SkipsTheLoad(Worker):
    def _load(self, question, weights):
        return super()._load(question, weights) if self.holds is None else {"holds": self.holds, "logp": question["canary"]}


class LeavesOneTensorOut(Worker):
    def _load(self, question, weights):
        kept = trained(self._policy)["model.layers.1.mlp.down_proj.weight"].clone()
        answer = super()._load(question, weights)
        trained(self._policy)["model.layers.1.mlp.down_proj.weight"].copy_(kept)
        return answer | {"holds": digest_of(trained(self._policy))}


class Lies(Worker):
    """Says that it holds what it was given, as an engine would that packs its weights elsewhere."""

    def _load(self, question, weights):
        if self.holds is not None:
            kept = {name: tensor.clone() for name, tensor in trained(self._policy).items()}
            super()._load(question, weights)
            for name, tensor in trained(self._policy).items():
                tensor.copy_(kept[name])
        from sanmai.cluster.canary import score_tokens

        held = super()._load(question, weights)["holds"] if self.holds is None else question["digest"]
        return {"holds": held, "logp": score_tokens(self._policy, question["canary"])}


class LiesAboutOneTensor(LeavesOneTensorOut):
    def _load(self, question, weights):
        from sanmai.cluster.canary import score_tokens

        super()._load(question, weights)
        return {"holds": question["digest"], "logp": score_tokens(self._policy, question["canary"])}


class ForgetsAfterTheLoad(Worker):
    def _write(self, question, weights):
        self.holds = "0" * 32
        return super()._write(question, weights)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (SkipsTheLoad, r"sampler 1 holds weights \w{12} after it was given \w{12} \(version 2\): what it writes would"),
        (LeavesOneTensorOut, r"sampler 1 holds weights \w{12} after it was given \w{12} \(version 2\)"),
        (Lies, r"sampler 1 does not compute with the weights \w{12} \(version 2\) .* canary differ by a mean of .* nats"),
        (LiesAboutOneTensor, r"sampler 1 does not compute with the weights \w{12} \(version 2\) .* canary differ by a mean of"),
    ],
)
def test_a_sampler_that_did_not_take_the_weights_over_stops_the_run(policy, tmp_path, make, says):
    cluster, _ = apart(policy, tmp_path, make)
    with cluster:
        written(policy)
        update(policy, 1e-5)  # far less than what an update at a usual rate moves
        with pytest.raises(RunError, match=says):
            written(policy)


def test_a_sampler_that_lost_its_weights_between_load_and_part_stops_the_run(policy, tmp_path):
    cluster, _ = apart(policy, tmp_path, ForgetsAfterTheLoad)
    with cluster, pytest.raises(RunError, match=r"sampler 1 holds weights 000000000000 and was asked to write with"):
        written(policy)


def test_a_sampler_of_another_model_is_refused(policy, tmp_path):
    class Other(Worker):
        def _begin(self, question, weights):
            return super()._begin(question, weights) | {"stops": [0]}

    cluster, _ = apart(policy, tmp_path, Other)
    with cluster, pytest.raises(RunError, match=r"sampler 1: it would stop at the tokens \[0\]; the policy stops at"):
        written(policy)


def test_a_damaged_file_of_weights_stops_the_run_with_its_name(policy, tmp_path):
    class Truncates(Worker):
        def _load(self, question, weights):
            with open(question["path"], "r+b") as file:
                file.truncate(1000)
            return super()._load(question, weights)

    cluster, _ = apart(policy, tmp_path, Truncates)
    with cluster, pytest.raises(RunError, match=r"sampler 1: InputError: .*safetensors: cannot be read"):
        written(policy)


def test_the_bounds_of_a_canary():
    # Float32: mean 1e-4 and largest 1e-2. (0 + 2e-4) / 2 = 1e-4 is within; 3e-4 / 2 is not.
    canary = Canary([[1, 2, 3]], [[-1.0, -2.0]], "float32")
    assert canary_fails(canary, [[-1.0, -2.00019]]) is None
    assert "mean of 0.00015 nats and at most 0.0003; in float32 expected" in (canary_fails(canary, [[-1.0, -2.0003]]) or "")
    assert "scored 1 tokens of the canary; expected 2" in (canary_fails(canary, [[-1.0]]) or "")
    assert canary_fails(canary, [[-1.0, math.nan]]) is not None
    rough = Canary([[1, 2, 3]], [[-1.0, -2.0]], "bfloat16")
    assert canary_fails(rough, [[-1.1, -2.09]]) is None and "at most 0.1" in (canary_fails(rough, [[-1.1, -2.2]]) or "")
    broken = Canary([[1, 2, 3]], [[-1.0, math.nan]], "float32")  # the trainer's weights are: that is said elsewhere
    assert canary_fails(broken, [[-1.0, math.nan]]) is None


def test_an_evaluation_of_broken_weights_says_so_and_not_that_a_sampler_is_wrong(policy, tmp_path):
    cluster, _ = apart(policy, tmp_path, Worker)
    with cluster, torch.no_grad():
        policy.weights["model.norm.weight"].fill_(math.nan)
        assert all(math.isnan(logp[0]) for _, _, _, logp, _ in written(policy))
