"""What is trained: anything that draws samples and can say how likely it was to draw them.

A kind of policy is a folder beside `text/` with one class that fills this contract. Rollouts, advantages, losses, the step,
checkpoints, resume and reports know nothing else of it; tests/policies/other_kinds.py has two small ones, a bandit and a flow.

Shape key: B samples, T parts of a sample that have a log-prob (see Batch).
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from sanmai.policies.cores import Cores
from sanmai.policies.sharded import Parts, Sharded, exchanged, whole
from sanmai.policies.team import Team, together
from sanmai.types import Batch, Drawn, InputError, Problem

BatchT = TypeVar("BatchT", bound=Batch)
TrainedT = TypeVar("TrainedT", bound="Trained")


class Trained(ABC):
    """A model on one device that is trained: a policy, or a reward model."""

    weights: dict[str, torch.nn.Parameter]
    """The trained tensors by name, in a stable order."""
    device: torch.device
    cores: Cores
    """The threads that compute its micro-batches."""
    config: Any
    """The settings that it was loaded by."""
    heads: Mapping[str, torch.nn.Parameter] = MappingProxyType({})
    """Of `weights` what is no part of the model that people load: a value head. It is kept in the run's state alone, and a
    reference policy has none."""
    notes: tuple[str, ...] = ()
    """What a user should know of it; warnings of whoever loads it."""
    team: Team | None = None
    """The trainers that share it, each with a part of `weights`; None: this process has it all."""
    sharded: Sharded | None = None
    """How it is spread over them."""
    unit: str = "tokens"
    """What its work is counted in, in the plural: what has a log-prob of its own, or is learned from."""

    @property
    def dtype(self) -> str:
        """Arithmetic of its passes. In float32 what it draws with and what it scores with agree to 1e-2 nats in every part."""
        return "float32"

    @property
    def folder_is_whole(self) -> bool:
        """A resume loads the saved folder, by the settings with its name. False: it loads what the settings name, and then the
        trained weights, which are kept beside the folder."""
        return False

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model in the form that people load it in (law 12)."""

    @abstractmethod
    def tensors(self) -> Mapping[str, Tensor]:
        """All that it computes with, trained or not: what a run started from is a digest of these."""

    def facts(self) -> dict[str, Any]:
        """What a run's record says of the model. Of one whose unit is no token also the `unit`, and `passes`, how often its
        weights are multiplied for one of these (of a part of them alone, `passed_parameters` too)."""
        return {"parameters": sum(t.numel() for t in self.tensors().values()), "dtype": self.dtype, "notes": list(self.notes)}

    def origin(self) -> dict[str, str]:
        """Texts beside the weights that a run starts from, by name: a chat template. Their digests are recorded."""
        return {}

    def share(self, team: Team) -> None:
        """Spread it over the trainers of a team, each of whom has loaded it; to be called by all at once.

        Raises:
            InputError: a kind that cannot be.
        """
        raise InputError(f"cluster.trainers = {team.size}: this kind of model cannot be trained by several processes")

    @contextlib.contextmanager
    def whole(self) -> Generator[None]:
        """Within, this process has all weights and computes with them without other trainers; nothing is to be trained inside."""
        yield

    @together
    def snapshot(self) -> dict[str, Tensor]:
        """A copy of the trained weights: what a reference policy is made of."""
        copy = {name: p.detach().clone() for name, p in self._own().items()}
        return copy if self.team is None else self.team.share(Parts(copy))

    @together
    def gathered(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All of each tensor, on the CPU of the trainer that leads, where these are spread; as they are where they are not."""
        if self.team is None:
            return dict(tensors)
        found = ((name, whole(tensor)) for name, tensor in tensors.items())  # one at a time: the others are let go of
        return {name: tensor.cpu() for name, tensor in found if self.team.leads}

    def part_of(self, tensor: Tensor, like: Tensor) -> Tensor:
        """What this process keeps of a tensor that it has all of, spread as another one is."""
        return tensor if self.sharded is None else self.sharded.part_of(tensor, like)

    @contextlib.contextmanager
    def swapped(self, weights: Mapping[str, Tensor]) -> Generator[None]:
        """Within, the policy has these weights instead of its own (no copy is made); nothing is to be trained inside."""
        parameters = self._own()
        if self.sharded is not None:
            with exchanged(parameters, weights, self.sharded):
                yield
            return
        before = {name: p.data for name, p in parameters.items()}
        try:
            for name, p in parameters.items():
                p.data = weights[name]
            yield
        finally:
            for name, p in parameters.items():
                p.data = before[name]

    def _own(self) -> dict[str, torch.nn.Parameter]:
        return {name: p for name, p in self.weights.items() if name not in self.heads}

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy trained weights in; the names and shapes must be this policy's."""
        if weights.keys() != self.weights.keys():
            odd = sorted(weights.keys() ^ self.weights.keys())
            raise InputError(
                f"these weights are not this model's: they differ in {odd[0]!r} and {len(odd) - 1} other names"
            )
        with torch.no_grad():
            for name, p in self.weights.items():
                p.copy_(weights[name])


class Policy(Trained, Generic[BatchT]):
    """What draws samples, and says how likely it was to."""

    tells_entropy: bool = True
    """`score` gives entropies."""
    tells_kl: bool = False
    """`score_with_kl` gives the KL to a reference in closed form: no estimator is needed."""

    @abstractmethod
    def draw(
        self, problems: Sequence[Problem], count: int, *, seed: tuple, version: int, sampling: Any, thought_tags: tuple[str, str]
    ) -> Iterator[tuple[int, Drawn]]:
        """`count` samples for each problem, each as soon as it is finished, with the index of its problem.

        Args:
            seed: what randomness is keyed by, before problem and sample: one sample depends on no other (law 7).
            version: written on every sample.
            sampling: the kind's own settings.
            thought_tags: what opens and closes the thought of a text; other kinds have none.
        """

    @abstractmethod
    def pack(self, rollouts: Sequence[Drawn], *, newest_alone: bool = False) -> BatchT:
        """What `draw` gave as one batch on the CPU, without streams.

        Args:
            newest_alone: of a sample that several policies drew in turn, train what the newest drew.
        """

    @abstractmethod
    def score(
        self, batch: BatchT, *, temperature: float = 1.0, entropy_gradient: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Log-probs of a batch under the weights of the moment, by the distribution that `draw` draws from.

        Randomness that scoring needs (time and noise of a flow) stands in the batch: policy, reference, winner and loser then
        share it.

        Args:
            batch: B samples on this policy's device.
            temperature: the one that they were drawn at, where the kind has one (law 2).
            entropy_gradient: the entropies carry a gradient too.

        Returns:
            logp_BT (nats, float32, with gradient) and entropy_BT (nats per part; None of a kind that cannot tell), 0 outside
            batch.mask_BT.
        """

    def attach_value_head(self) -> None:
        """Give the policy a head that says what reward to expect before each part of a sample: one of `heads` and `weights`.

        Raises:
            InputError: a kind that has none.
        """
        raise InputError("loss.baseline = 'value': this kind of policy has no value head")

    def values(self, batch: BatchT) -> Tensor:
        """value_BT: what the value head expects before each part, 0 outside batch.mask_BT."""
        raise InputError("values: this kind of policy has no value head")

    def score_with_values(
        self, batch: BatchT, *, temperature: float = 1.0, entropy_gradient: bool = False, through: bool = False
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """`score` and `values` of one forward pass.

        Args:
            through: the values' gradient reaches the rest of the policy, too.
        """
        raise InputError("values: this kind of policy has no value head")

    def expects(self, batch: BatchT) -> Tensor:
        """Of a kind that `tells_kl`: what these weights expect of each part, (B, T, ...), for `score_with_kl`."""
        raise InputError("KL in closed form: this kind of policy has none (tells_kl)")

    def score_with_kl(self, batch: BatchT, expected_BT: Tensor) -> tuple[Tensor, None, Tensor]:
        """`score`, and kl_BT: KL(these weights || those of `expected_BT`) in closed form, in the units of the log-probs."""
        raise InputError("KL in closed form: this kind of policy has none (tells_kl)")

    def micro_rows(self, batch: BatchT, micro_tokens: int) -> list[list[int]]:
        """Rows of the batch's micro-batches: what the workers hold at once is at most micro_tokens in all."""
        return batch.micro_rows(max(micro_tokens // self.cores.workers, 1))

    def unchanged(self) -> contextlib.AbstractContextManager:
        """Within, no weight changes: what is computed of the weights alone may be kept."""
        return contextlib.nullcontext()

    def end_phase(self) -> None:
        """Sampling or an update has ended: what only that needed may be let go of."""

    def end_pass(self) -> None:
        """A micro-batch of an update has ended, gradient included."""
