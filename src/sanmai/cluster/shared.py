"""Rollouts that the trainers of a policy write themselves, each some of the parts of a call; see parts.py and trainers.py."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from sanmai.cluster.parts import Part, in_call, parts_of
from sanmai.policies.team import together
from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import sample


class Shared:
    """Writes completions of a policy that trainers share; fills the protocol of policies/text/asking.py."""

    takes_cuts = False

    def __init__(self, policy: TextPolicy, num_parts: int) -> None:
        self._policy, self._num_parts = policy, num_parts

    def sample(
        self, requests: Sequence[Request], config: SamplingConfig, *, segment: int | None = None
    ) -> Iterator[Completion]:
        parts = parts_of(requests, config.concurrent, self._num_parts)
        for part, done in zip(parts, _written(self._policy, parts, config, segment), strict=True):
            yield from in_call(part, done)


@together
def _written(
    policy: TextPolicy, parts: Sequence[Part], config: SamplingConfig, segment: int | None
) -> list[list[Completion]]:
    """The completions of every part, in order; each trainer has all weights meanwhile and writes every so manieth part."""
    team, sharded = policy.team, policy.sharded
    assert team is not None and sharded is not None
    before = policy.sampler, policy.sampling_parts
    policy.sampler, policy.sampling_parts = None, 1
    deadline, own = time.monotonic() + config.timeout_seconds, []
    sharded.gather()
    try:
        for part in parts[team.rank :: team.size]:
            left = max(deadline - time.monotonic(), 1e-3)
            settings = config.model_copy(update={"concurrent": part.slots, "timeout_seconds": left})
            own.append((part.number, list(sample(policy, part.requests, settings, segment=segment))))
    finally:
        sharded.let_go()
        policy.sampler, policy.sampling_parts = before
    return [done for _, done in sorted((one for each in team.gather(own) for one in each), key=lambda one: one[0])]
