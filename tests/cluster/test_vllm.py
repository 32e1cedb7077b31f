"""The adapter to vLLM's server, against a stub of it: ids in and out, weights with a canary, and every fault a sentence."""

from __future__ import annotations

import pytest
import torch
from vllm_stub import VllmStub

from sanmai.cluster.config import ClusterConfig
from sanmai.cluster.samplers import Cluster
from sanmai.cluster.vllm import seed_of
from sanmai.policies.text.asking import Request, SamplingConfig
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import sample
from sanmai.recipes import find_recipe, resolve
from sanmai.types import InputError, RunError, StopReason

SAMPLING = SamplingConfig(max_tokens=6, concurrent=8, temperature=0.7)
REQUESTS = [Request([5, 9, 4 + number], [(0, number, g) for g in range(3)]) for number in range(3)]


@pytest.fixture
def policy():
    return load_policy(ModelConfig(threads=1))


def apart(policy, folder, *stubs, notices=None, **settings):
    settings = {"deadline_seconds": 60.0, "patience_seconds": 5.0, **settings}
    config = ClusterConfig(transport="http", urls=tuple(stub.url for stub in stubs), parts=3, **settings)
    cluster = Cluster(config)
    cluster.write_for(policy, folder, on_warning=(notices if notices is not None else []).append)
    return cluster


def written(policy, sampling=SAMPLING, **named):
    return sorted((c.request, c.sample, c.tokens, c.logp, c.stop_reason) for c in sample(policy, REQUESTS, sampling, **named))


def update(policy):
    torch.manual_seed(1)
    with torch.no_grad():
        for p in policy.weights.values():
            p += 1e-3 * torch.randn_like(p)


def test_a_server_is_given_weights_and_writes_with_them_and_its_cache_of_prefixes_is_reset(policy, tmp_path):
    with VllmStub() as stub, apart(policy, tmp_path, stub):
        first = written(policy)
        assert first == written(policy) and {reason for *_, reason in first} <= {StopReason.STOP, StopReason.LENGTH}
        update(policy)
        assert written(policy) != first
        paths = [path for path, _ in stub.calls if path != "/v1/completions"]
        assert paths == ["/collective_rpc", "/reset_prefix_cache"] * 2
        asked = next(body for _, body in stub.calls if body.get("logprobs") == 0)
        whole = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "ignore_eos": True, "return_token_ids": True}
        assert asked.items() >= whole.items() and asked["stop_token_ids"] == sorted(policy.stop_tokens)
        seeds = [body["seed"] for _, body in stub.calls if body.get("logprobs") == 0]
        assert len(set(seeds)) == 9 and seed_of((0, 1, 2), 0) in seeds  # 3 calls of the same 9 rollouts
    assert list(tmp_path.iterdir()) == []


def test_a_segment_is_paused_and_a_budget_ends_a_completion(policy, tmp_path):
    with VllmStub() as stub, apart(policy, tmp_path, stub):
        assert {reason for *_, reason in written(policy, segment=2)} <= {StopReason.PAUSED, StopReason.STOP}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("raw", r"does not draw from what it says: .* Expected are log-probs of the whole distribution at temperature 0.7"),
        ("top_p", r"does not draw from what it says: its log-probs of what it drew differ by a mean of .*: no top_p"),
        ("unknown_field", "did not read the prompt's tokens as they were sent"),
        ("reads_text", "did not read the prompt's tokens as they were sent: its prompt_token_ids differ"),
        ("no_dev_mode", "has no /collective_rpc: start it with VLLM_SERVER_DEV_MODE=1"),
        ("hangs", r"part \d of 3 was the last of 2 samplers .* no answer to /\S+ within 0.5 s"),
    ],
)
def test_each_fault_stops_the_run_with_a_sentence(policy, tmp_path, fault, says):
    settings = {"deadline_seconds": 0.5, "tries": 2} if fault == "hangs" else {}
    with VllmStub(fault) as stub, apart(policy, tmp_path, stub, **settings), pytest.raises(RunError, match=says) as stopped:
        written(policy)
    assert "\n" not in str(stopped.value)


def test_raw_log_probs_are_found_out_at_the_first_temperature_that_shows_them(policy, tmp_path):
    with VllmStub("raw") as stub, apart(policy, tmp_path, stub):
        written(policy, SAMPLING.model_copy(update={"temperature": 1.0}))  # as an evaluation may be, before the first step
        with pytest.raises(RunError, match=r"does not draw from what it says: .* at temperature 0\.7"):
            written(policy)


def test_an_engine_that_keeps_a_packed_copy_of_a_tied_head_is_seen_by_the_canary_and_named(policy, tmp_path):
    with VllmStub("keeps_tied_head") as stub, apart(policy, tmp_path, stub):
        written(policy)  # nothing has moved yet
        update(policy)
        with pytest.raises(RunError, match=r"does not compute with the weights .* canary differ .* tied output embedding"):
            written(policy)


def test_a_server_that_failed_is_asked_again_and_given_its_weights_again(policy, tmp_path):
    notices: list[str] = []
    with VllmStub("down_once") as stub, apart(policy, tmp_path, stub, notices=notices):
        assert len(written(policy)) == 9
        assert sum(path == "/collective_rpc" for path, _ in stub.calls) == 2
    assert "/v1/completions: status 500" in notices[0] and "goes to another" in notices[0]


def test_no_server_stops_the_run_with_its_address(policy, tmp_path):
    with VllmStub() as stub:
        pass
    says = rf"no sampler for .*{stub.url}.*/health"
    with apart(policy, tmp_path, stub, patience_seconds=0.5), pytest.raises(RunError, match=says):
        written(policy)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["cluster.transport=http"], "needs urls"),
        (["cluster.transport=http", "cluster.urls=['http://a', 'http://a/']"], "names a server twice"),
        (["cluster.transport=http", "cluster.urls=['a:8000']"], "does not begin with http://"),
        (["cluster.transport=http", "cluster.urls=['http://a']", "cluster.samplers=3"], "cluster.samplers = 3 is read only with"),
        (["cluster.transport=http", "cluster.urls=['http://a']", "evaluation.temperature=0"], "and temperature 0: vLLM gives no"),
        (["cluster.transport=ray", "cluster.urls=['http://a']"], "is read only with cluster.transport = \"http\""),
    ],
)
def test_what_a_server_cannot_do_is_refused_when_it_is_read(settings, says):
    with pytest.raises(InputError) as refused:
        resolve(find_recipe("zero"), overrides=settings)
    assert says in str(refused.value) and "\n" not in str(refused.value)
