"""`sanmai doctor --cluster`: trainers and samplers tried before a run needs them: an update, a push, a canary, a kill."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from sanmai.cluster.canary import Canary, canary_fails, gap_of
from sanmai.cluster.samplers import Cluster, links_of
from sanmai.cluster.trainers import torchrun_size
from sanmai.desk.trainers import trainer_lines
from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import sample
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.zero import ZeroConfig
from sanmai.scratch import scratch
from sanmai.types import InputError

_PROMPTS, _SAMPLES, _TOKENS = 8, 4, 32
_UPDATE = 1e-6
"""What each weight is moved by, up or down by chance: as by an update of AdamW at that learning rate, but in no direction."""


def cluster_lines(config_file: Path | None, overrides: Sequence[str]) -> Iterator[str]:
    """What trainers and samplers of these settings of recipe zero did, a line each; where they name none, two samplers are tried.

    Raises:
        RunError, InputError: what a run with these settings would stop at.
    """
    config = resolve(find_recipe("zero"), config_file, overrides)
    assert isinstance(config, ZeroConfig)
    cluster = config.cluster
    if torchrun_size():
        raise InputError("doctor --cluster starts the trainers of this machine itself: start it without torchrun")
    if cluster.trainers > 1:
        yield from trainer_lines(config)
        if not cluster.is_apart:
            return
    cluster = cluster.model_copy(update={"trainers": 1, "transport": cluster.transport if cluster.is_apart else "processes"})
    policy = load_policy(config.model)
    policy.sampling_parts = cluster.num_parts
    sampling = SamplingConfig(max_tokens=_TOKENS, temperature=config.sampling.temperature, concurrent=config.sampling.concurrent)
    here = _written(policy, sampling)
    with scratch() as folder, Cluster(cluster) as apart:
        notices: list[str] = []
        links = links_of(cluster, folder, policy)
        apart.write_for(policy, folder, on_warning=notices.append, links=links)
        assert apart.samplers is not None
        yield f"{len(links)} samplers ({cluster.transport}), {cluster.num_parts} parts; model {config.model.name}: {policy.path}"
        start = time.monotonic()
        there = _written(policy, sampling)
        first = apart.samplers.publish()
        yield f"start and first push: {time.monotonic() - start:.1f} s, {first.path.stat().st_size / 2**20:,.1f} MiB of weights"
        yield _compared(here, there)
        before = first.canary
        _move(policy)
        start = time.monotonic()
        after_update = _written(policy, sampling)
        canary = apart.samplers.publish().canary
        yield f"push after an update: {time.monotonic() - start:.1f} s with the sampling; {_sharpness(before, canary)}"
        start = time.monotonic()
        killed: list[bool] = []
        accident = threading.Timer(0.05, lambda: killed.append(links[0].fail()))
        accident.start()
        after_kill = _written(policy, sampling)
        accident.join()
        if any(killed):
            same = "the same completions" if after_kill == after_update else "OTHER completions"
            yield f"one sampler killed: {same} after {time.monotonic() - start:.1f} s{f' ({notices[-1]})' if notices else ''}"
        else:
            yield "nothing was killed: these samplers are not ours to end"


def _written(policy: TextPolicy, sampling: SamplingConfig) -> list[Completion]:
    tokens = np.random.default_rng(0).integers(0, policy.tokenizer.vocab_size, (_PROMPTS, 8)).tolist()
    samples = 1 if sampling.temperature == 0 else _SAMPLES
    requests = [Request(row, [("doctor", number, g) for g in range(samples)]) for number, row in enumerate(tokens)]
    return sorted(sample(policy, requests, sampling), key=lambda c: (c.request, c.sample))


def _compared(here: Sequence[Completion], there: Sequence[Completion]) -> str:
    if here == there:
        return f"{len(there)} completions: the bytes that this process writes"
    same = sum(a.tokens == b.tokens for a, b in zip(here, there, strict=True))
    return (
        f"{len(there)} completions, {same} of them with the tokens that this process writes: another engine, device or number of "
        "threads rounds otherwise; the canary says that the weights are right"
    )


def _sharpness(before: Canary, after: Canary) -> str:
    mean, _ = gap_of(after, before.logp_CT)
    seen = "would be stopped" if canary_fails(after, before.logp_CT) else "would be told by its digest alone"
    return f"the canary moved by a mean of {mean:.2g} nats: a sampler with the old weights {seen}"


def _move(policy: TextPolicy) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in policy.weights.values():
            p += _UPDATE * torch.randn(p.shape, generator=generator).sign().to(p.device, p.dtype)
