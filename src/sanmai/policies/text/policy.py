"""The policy of text: what people write to, sampled, packed, scored and saved; see policies/contract.py.

Shape key: B rollouts, T tokens, N trained tokens of a micro-batch, D model width, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from sanmai.losses import token_logp_and_entropy
from sanmai.policies.contract import Policy
from sanmai.policies.cores import Cores
from sanmai.policies.sharded import Sharded
from sanmai.policies.team import Team, together
from sanmai.policies.text.cpu.allocator import return_freed_memory
from sanmai.policies.text.cpu.compiled import logp_and_entropy as compiled_logp_and_entropy
from sanmai.policies.text.drawing import draw
from sanmai.policies.text.library import layers_of, merged_state, model_facts, plain_state
from sanmai.policies.text.loading import quiet_transformers
from sanmai.policies.text.model import TextModel
from sanmai.policies.text.pack import pack_rollouts
from sanmai.policies.text.value_head import PREFIX, ValueHead
from sanmai.types import Drawn, InputError, Problem, TokenBatch

Result = TypeVar("Result")
CHUNK_LOGITS = 2**23
"""Logits (tokens x vocabulary) that exist at once while scoring, 32 MiB in float32, or as many as the head has weights: a
product of fewer tokens than the model is wide takes less time than passing over these weights and their gradient."""


class TextPolicy(TextModel, Policy[TokenBatch]):
    """A causal language model that is trained; `weights` are all its parameters, or the LoRA adapters."""

    value_head: ValueHead | None = None
    """What PPO's advantages are taken against; its tensors are among the trained weights once it is attached."""

    @property
    def dtype(self) -> str:
        return self.config.dtype

    @property
    def chunk_tokens(self) -> int:
        """Tokens whose logits exist at once while scoring."""
        head = self.model.get_output_embeddings().weight
        return max(CHUNK_LOGITS, head.numel()) // len(head)

    @property
    def folder_is_whole(self) -> bool:
        return not self.config.lora_rank

    def draw(
        self, problems: Sequence[Problem], count: int, *, seed: tuple, version: int, sampling: Any, thought_tags: tuple[str, str]
    ) -> Iterator[tuple[int, Drawn]]:
        """Completions of every problem's prompt; `sampling` is a SamplingConfig."""
        return draw(self, problems, count, seed=seed, version=version, sampling=sampling, thought_tags=thought_tags)

    def pack(self, rollouts: Sequence[Drawn], *, newest_alone: bool = False) -> TokenBatch:
        return pack_rollouts(rollouts, newest_alone=newest_alone)

    def score(
        self, batch: TokenBatch, *, temperature: float = 1.0, entropy_gradient: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Log-probs and entropies of the batch's trained tokens under softmax(logits / temperature).

        Args:
            batch: B sequences on this policy's device.
            temperature: the one that the completions were sampled at (law 2).
            entropy_gradient: the entropies carry a gradient too, which costs passes over the logits.

        Returns:
            logp_BT (nats, float32, with gradient) and entropy_BT (nats per token), 0 outside batch.mask_BT.
        """
        return self._through(self._score, batch, temperature=temperature, entropy_gradient=entropy_gradient)

    def _score(self, batch: TokenBatch, **settings: Any) -> tuple[Tensor, Tensor]:
        return self._scored(batch, *self.predicting(batch), **settings)

    def score_with_values(
        self, batch: TokenBatch, *, temperature: float = 1.0, entropy_gradient: bool = False, through: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`score` and, from the same forward pass, value_BT: what the value head expects before each token, 0 outside the mask.

        Args:
            through: the values' gradient goes on into the hidden states.
        """
        settings = {"temperature": temperature, "entropy_gradient": entropy_gradient}
        return self._through(self._score_with_values, batch, through, settings)

    def _score_with_values(
        self, batch: TokenBatch, through: bool, settings: dict[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        hidden_ND, head = self.predicting(batch)
        found = self._scored(batch, hidden_ND, head, **settings)
        return *found, self._values(batch, hidden_ND if through else hidden_ND.detach())

    def values(self, batch: TokenBatch) -> Tensor:
        """value_BT of `score_with_values` alone."""
        return self._through(lambda: self._values(batch, self.predicting(batch)[0]))

    def read(self, batch: TokenBatch) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """`predicting` for a loss of one's own: the gradient of what comes back reaches weights that trainers share, too."""
        return self._through(self.predicting, batch)

    def _through(self, compute: Callable[..., Result], *args: Any, **named: Any) -> Result:
        """What a function gives that reads the weights, gathered where trainers share them."""
        return compute(*args, **named) if self.sharded is None else self.sharded.through(compute, *args, **named)

    def share(self, team: Team) -> None:
        if self.vision is not None:
            raise InputError(f"cluster.trainers = {team.size}: a model that reads pictures is trained by one process")
        layers: list[torch.nn.Module] = []
        if team.sharding == "layers":
            if self.dense is not None:
                raise InputError('cluster.sharding = "layers": the fast path calls no layers: set model.fast_path = false')
            layers = list(layers_of(self.model))
            if not layers:
                raise InputError(f'cluster.sharding = "layers": the layers of {type(self.model).__name__} are not known here')
        names = set(self.weights) - set(self.heads)
        self.team, self.cores = team, Cores(
            self.cores.threads, is_cpu=self.device.type == "cpu", is_one=True, has_fast_path=self.dense is not None
        )
        self.cores.use_threads()
        self.sharded = Sharded(self.model, team, self.device, layers)
        self.weights = self._named(names) | dict(self.heads)
        team.share(self)

    def _named(self, names: Collection[str]) -> dict[str, torch.nn.Parameter]:
        return {name: p for name, p in self.model.named_parameters() if name in names}

    @contextlib.contextmanager
    def whole(self) -> Generator[None]:
        if self.sharded is None or self.sharded.is_whole:
            yield
            return
        self._gather()
        parts = self.weights
        self.weights = self._named(parts) | dict(self.heads)
        try:
            yield
        finally:
            self.weights = parts
            self.sharded.let_go()

    @together
    def _gather(self) -> None:
        """Gather all weights on the trainer that leads."""
        assert self.sharded is not None and self.team is not None
        self.sharded.gather()
        if not self.team.leads:
            self.sharded.let_go()

    def attach_value_head(self) -> None:
        """Give the policy a value head, which is trained with it and belongs to the run's state, not to the model's folder.

        Raises:
            InputError: an architecture whose output head does more than Sanmai knows, so that what it reads is not known.
        """
        if self._head is None:
            raise InputError("loss.baseline = 'value': this model's output head is of a kind that is not known here")
        self.value_head = ValueHead(self.model.get_output_embeddings().weight.shape[1]).to(self.device)
        self.heads = {f"{PREFIX}{name}": p for name, p in self.value_head.named_parameters()}
        self.weights |= self.heads

    def _values(self, batch: TokenBatch, hidden_ND: Tensor) -> Tensor:
        assert self.value_head is not None
        zeros_BT = torch.zeros(batch.mask_BT.shape, dtype=torch.float32, device=self.device)
        return zeros_BT.masked_scatter(batch.mask_BT, self.value_head(hidden_ND))

    def _scored(
        self, batch: TokenBatch, hidden_ND: Tensor, head: Callable[[Tensor], Tensor], *, temperature: float,
        entropy_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        mask_BT = batch.mask_BT
        targets_N = batch.tokens_BT[mask_BT]
        with self.autocast():
            logp_N, entropy_N = token_logp_and_entropy(
                hidden_ND,
                head,
                targets_N,
                temperature=temperature,
                chunk_tokens=self.chunk_tokens,
                entropy_gradient=entropy_gradient,
                compiled=compiled_logp_and_entropy,
            )
        zeros_BT = torch.zeros(mask_BT.shape, dtype=torch.float32, device=self.device)
        return zeros_BT.masked_scatter(mask_BT, logp_N), zeros_BT.masked_scatter(mask_BT, entropy_N)

    def tensors(self) -> Mapping[str, Tensor]:
        if self.sharded is None:
            return self.model.state_dict()
        return plain_state(self.model)

    def facts(self) -> dict[str, Any]:
        return model_facts(self, chunked_scoring=self.scores_in_chunks, path=self.path)

    def origin(self) -> dict[str, str]:
        return {"chat_template": str(self.tokenizer.chat_template)}

    def unchanged(self) -> contextlib.AbstractContextManager:
        if self.dense is None or self.sharded is not None:  # shared weights are gathered for each pass
            return contextlib.nullcontext()
        return self.dense.products.unchanged()

    def end_phase(self) -> None:
        """Sampling and training of a large model each need a GB or more; without this a run would hold both at once.

        Gradients, a copy of the weights' size that sampling does not need, are let go of too.
        """
        if self.device.type == "cpu" and self.is_large:
            for p in self.weights.values():
                p.grad = None
            return_freed_memory(collect=False)

    def end_pass(self) -> None:
        """What a large model's micro-batch has freed is of odd sizes, and the next one's tensors would stand beside it."""
        if self.device.type == "cpu" and self.is_large:
            return_freed_memory(collect=False)

    def save(self, folder: Path) -> None:
        """Write a plain `transformers` folder (safetensors, config, tokenizer), LoRA adapters merged in (law 12)."""
        with self.whole():
            self._save(folder)

    def _save(self, folder: Path) -> None:
        model = self.model.get_base_model() if self.config.lora_rank else self.model
        state = model.state_dict() if self.sharded is None else plain_state(model)
        if self.config.lora_rank:
            state = merged_state(model, state)
        with quiet_transformers():
            model.save_pretrained(folder, state_dict=state)
            self.tokenizer.save_pretrained(folder)
            if self.vision is not None:
                self.vision.save(folder)
        for path in folder.glob("*.safetensors"):  # written for the owner alone; the rest of the folder is not
            path.chmod((folder / "config.json").stat().st_mode)
