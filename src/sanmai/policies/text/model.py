"""A causal language model with its tokenizer, on one device: its path, its threads, and its passes.

Shape key: B rollouts, T tokens, N trained tokens of a micro-batch, D model width, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch
from torch import Tensor

from sanmai.policies.cores import LARGE, Cores
from sanmai.policies.text.architectures import FastPathError
from sanmai.policies.text.asking import Sampler
from sanmai.policies.text.config import DTYPES, ModelConfig
from sanmai.policies.text.cpu.allocator import keep_freed_memory
from sanmai.policies.text.dense import DenseModel, Layout
from sanmai.policies.text.library import (
    backbone,
    plain,
    probe_tokens,
    recompute_layers,
    stop_tokens,
    verified_head,
)
from sanmai.policies.text.vision import Vision
from sanmai.types import Image, TokenBatch


class TextModel:
    """A model and its tokenizer on one device.

    `weights` are the trained tensors by name (all parameters, or the LoRA adapters), in a stable order.
    """

    def __init__(self, model: Any, tokenizer: Any, config: ModelConfig, vision: Vision | None = None) -> None:
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.notes: tuple[str, ...] = ()
        """What a user should know of the model's chat template; warnings of whoever loads it."""
        self.vision = vision
        """How pictures come into prompts; None of a model that reads text alone."""
        self.device = next(model.parameters()).device
        self.weights: dict[str, torch.nn.Parameter] = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.stop_tokens = stop_tokens(model, tokenizer)
        self.vocabulary = model.get_output_embeddings().weight.shape[0]
        rotation = getattr(model.config.get_text_config(), "rope_parameters", None) or {}
        # The library rewrites the frequencies of these during a forward pass, for all threads at once.
        is_stateless = rotation.get("rope_type") not in ("dynamic", "longrope")
        self.cores = Cores(
            config.threads, is_cpu=self.device.type == "cpu", is_one=self.is_large or not is_stateless
        )
        self.cores.use_threads()
        if self.device.type == "cpu":
            keep_freed_memory(shared=self.is_large)
        self._head = verified_head(model, self.autocast)
        self.dense: DenseModel | None = None
        """The fast path, for the architectures that have one."""
        self.path = self._choose_path()
        """"fast path", or "general path" and why."""
        self.cores.has_fast_path = self.dense is not None
        if config.recompute_layers and self.dense is None:
            recompute_layers(model, config.name, self.autocast)
        self.cache_works: bool | None = None
        """Whether the sampler's KV cache gives this model's own logits; None until the sampler has tried."""
        self.sampler: Sampler | None = None
        """Who writes its completions; None: this process."""
        self.sampling_parts = 0
        """Parts that rollouts and slots are cut into when this process writes them; 0: as many as threads."""

    @contextlib.contextmanager
    def whole(self) -> Generator[None]:
        """Within, this process has all weights; see policies/contract.py."""
        yield

    def _choose_path(self) -> str:
        if not self.config.fast_path:
            return "general path (model.fast_path = false)"
        try:
            if self._head is None:
                raise FastPathError("its head does more than Sanmai knows")
            self.dense = DenseModel.of(self.model, DTYPES[self.config.dtype], probe_tokens(self.tokenizer, self.vocabulary))
        except FastPathError as why:
            return f"general path: {why}"
        return self.dense.path

    @property
    def num_parameters(self) -> int:
        """Parameters in all, trained or not."""
        return sum(p.numel() for p in self.model.parameters())

    @property
    def is_large(self) -> bool:
        """Its products are large enough to be split over the cores."""
        return self.num_parameters >= LARGE

    @property
    def max_positions(self) -> int | None:
        """Tokens of prompt and completion that the model was made for; None when it does not say."""
        config = self.model.config.get_text_config()
        return getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)

    @property
    def scores_in_chunks(self) -> bool:
        """Log-probs are computed chunk by chunk; false for an architecture whose head does more than Sanmai knows."""
        return self._head is not None

    def autocast(self) -> contextlib.AbstractContextManager:
        """Context in which forward passes run in the configured dtype."""
        dtype = DTYPES[self.config.dtype]
        # The cache of casts is one for all threads, and does not notice swapped weights.
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not torch.float32, cache_enabled=False)

    def predicting(self, batch: TokenBatch) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """For each trained token what the head reads to predict it, and the head; the logits and identity if it is unknown."""
        if batch.mask_BT[:, 0].any():
            raise ValueError("mask_BT is true at token 0, which nothing stands before that could predict it")
        predicts_BT = batch.mask_BT.roll(-1, dims=1)  # position t predicts token t + 1; token 0 is never a completion's
        if self.dense is not None and not any(batch.images):
            prompt_B = torch.where(batch.mask_BT.any(dim=1), batch.mask_BT.int().argmax(dim=1), 0)
            layout = Layout.of(batch.tokens_BT, batch.attention_BT, prompt_B)
            hidden_ND = self.dense.hidden(layout, recompute=self.config.recompute_layers)
            return hidden_ND.index_select(0, layout.index_BT[predicts_BT]), self.dense.logits
        with self.autocast():
            inputs = self._inputs(batch.tokens_BT, batch.attention_BT, batch.images)
            if self._head is not None:
                return backbone(self.model)(**inputs).last_hidden_state[predicts_BT], self._head
            return self.model(**inputs).logits[predicts_BT], torch.nn.Identity()

    def _inputs(self, tokens_BT: Tensor, attention_BT: Tensor, images: Sequence[tuple[Image, ...]]) -> dict[str, Any]:
        """What the model's own forward reads of right-padded rows, some of which may have pictures."""
        shown = self.pictured(tokens_BT, attention_BT, images) if any(images) else {"input_ids": tokens_BT}
        return {**shown, "attention_mask": attention_BT.long(), "use_cache": False}

    def pictured(self, tokens_BT: Tensor, attention_BT: Tensor, images: Sequence[tuple[Image, ...]]) -> dict[str, Tensor]:
        """Embeddings and positions of rows with pictures, which the model takes in place of tokens; see vision.py."""
        if self.vision is None:
            raise ValueError("images: expected none, the policy reads text alone")
        return self.vision.embed(plain(self.model), tokens_BT, attention_BT, images)

    def next_logits(
        self, tokens_RT: Tensor, attention_RT: Tensor, images: Sequence[tuple[Image, ...]] = ()
    ) -> Tensor:
        """Logits_RV of the token after each right-padded row, by a whole forward pass; no gradient, no cache."""
        rows_R = torch.arange(len(tokens_RT), device=self.device)
        last_R = attention_RT.sum(dim=1) - 1
        with torch.no_grad(), self.autocast():
            inputs = self._inputs(tokens_RT, attention_RT, images)
            if self._head is None:
                return self.model(**inputs).logits[rows_R, last_R]
            return self._head(backbone(self.model)(**inputs).last_hidden_state[rows_R, last_R])
