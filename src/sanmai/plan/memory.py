"""Bytes of memory and disk that a run takes, by what they are for."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanmai.cluster.config import ClusterConfig, TrainersConfig
from sanmai.policies.text.config import DTYPES
from sanmai.policies.text.cpu import packed
from sanmai.policies.text.policy import TextPolicy

if TYPE_CHECKING:
    from sanmai.config import Config
    from sanmai.plan.calibration import Kept
    from sanmai.recipes.zero import ZeroConfig


@dataclass(frozen=True)
class StepShape:
    """What of a step's settings decides how much it holds."""

    rollouts: int
    """Completions sampled in a step."""
    updates: int
    """Optimizer updates on equal shares of them."""
    budget: float
    """Tokens that a completion may take."""
    concurrent: int
    """Completions sampled at a time."""
    micro_tokens: int
    """Padded tokens of a micro-batch."""
    keeps_reference: bool
    evaluated: int = 0
    """Completions of an evaluation, each of `evaluation_budget` tokens at most."""
    evaluation_budget: float = 0

    @classmethod
    def of(cls, config: ZeroConfig, num_held_out: int = 0) -> StepShape:
        return cls(
            config.prompts_per_step * config.rollouts_per_prompt, config.updates_per_step, config.sampling.max_tokens,
            config.sampling.concurrent, config.optimizer.micro_tokens, config.keeps_reference,
            num_held_out * config.evaluation.samples, config.evaluation.max_tokens or config.sampling.max_tokens,
        )  # fmt: skip


def memory_bytes(policy: TextPolicy, step: StepShape, prompt_length: float, kept: Kept | None = None) -> dict[str, float]:
    """Bytes by what they are for, of a zero run whose completions all take their budget; `base_bytes` come on top.

        longest = prompt_length + max_tokens          rows = ceil(rollouts / updates_per_step)
        share = micro_tokens // workers               micro = min(max(share, longest), rows * longest)
        busy = min(workers, number of micro-batches)  held = min(busy * micro, rows * longest)

        KV cache            min(rollouts, concurrent) * room(longest) * bytes of a token's keys and values, of a step or of an
                            evaluation, whichever takes more
        joined weights      what the sampler copies (joined_bytes)
        logits              busy * (3 * 4 * min(micro, chunk) * vocabulary + the head in the dtype computed in, if a copy)
        workers' gradients  busy * 4 * trained weights if workers > 1, else 0
        activations         busy * kept.once + held * kept.per_token

    The first two are there while sampling, the rest while training. Prompts that rows share count as if they did not.

    Args:
        prompt_length: mean tokens of a prompt.
        kept: for the backward pass of a micro-batch, as measured; None leaves "activations" out.
    """
    trained = sum(p.numel() for p in policy.weights.values())
    rollouts = step.rollouts
    longest = prompt_length + step.budget
    rows = math.ceil(rollouts / step.updates)
    share = step.micro_tokens // policy.cores.workers
    micro = min(max(share, longest), rows * longest)
    rows_per_micro = max(int(share // longest), 1)
    busy = min(policy.cores.workers, math.ceil(rows / rows_per_micro))
    # Logits in float32, their softmax and their gradient.
    logits = 3 * 4 * min(micro, policy.chunk_tokens) * policy.vocabulary
    cached = max(
        min(number, step.concurrent) * room(policy, prompt_length + budget)
        for number, budget in ((rollouts, step.budget), (step.evaluated, step.evaluation_budget))
    )
    parts = {
        "weights": float(sum(p.numel() * p.element_size() for p in policy.model.parameters())),
        "gradients": 4.0 * trained,
        "optimizer": 8.0 * trained,
        "reference": 4.0 * trained if step.keeps_reference else 0.0,
        "KV cache": cached * _cache_bytes_per_token(policy),
        "joined weights": float(joined_bytes(policy)),
        "logits": float(busy * (logits + _cast_bytes(policy, policy.model.get_output_embeddings()))),
        "workers' gradients": 4.0 * trained * busy if policy.cores.workers > 1 else 0.0,
    }
    if kept is None:
        return parts
    return parts | {"activations": busy * kept.once + min(busy * micro, rows * longest) * kept.per_token}


def bytes_of_a_trainer(parts: Mapping[str, float], trained: int, cluster: TrainersConfig) -> dict[str, float]:
    """Parts of those that `memory_bytes` gives, for each of cluster.trainers = N that share the policy.

        weights            what is not trained + 4 * trained / N
        gradients          4 * trained / N, and with cluster.sharding "model" the whole one of a step's micro-batches
        moments, reference as they are / N
        gathered weights   4 * trained, in every pass; with "layers" while sampling or publishing alone
        KV cache           of one part of the rollouts; with samplers apart (cluster.transport) it and joined weights are theirs

    A gathered layer, and the first and last of the model, are left out of "layers". Each computes one micro-batch at a time.

    Args:
        trained: parameters that are trained.
    """
    whole, number = 4.0 * trained, cluster.trainers
    if isinstance(cluster, ClusterConfig) and cluster.is_apart:
        parts = {name: taken for name, taken in parts.items() if name not in ("KV cache", "joined weights")}
    if number == 1:
        return dict(parts)
    by_layer = cluster.sharding == "layers"
    num_parts = cluster.num_parts if isinstance(cluster, ClusterConfig) else cluster.num_writers
    shares = {"optimizer": number, "reference": number, "KV cache": num_parts}
    return {name: taken / shares.get(name, 1) for name, taken in parts.items()} | {
        "weights": parts["weights"] - whole + whole / number,
        "gathered to sample" if by_layer else "gathered weights": whole,
        "gradients": whole / number + (0.0 if by_layer else whole),
        "workers' gradients": 0.0,
    }


def base_bytes(policy: TextPolicy) -> float:
    """Bytes that this process holds beside the policy's weights: Python, its libraries, problems and what else was read.

    0 where the system does not say.
    """
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0.0
    weights = sum(p.numel() * p.element_size() for p in policy.model.parameters() if p.device.type == "cpu")
    return max(float(resident - weights), 0.0)


def state_bytes(policy: TextPolicy, trainers: TrainersConfig) -> dict[str, float]:
    """What each trainer of demonstrations holds all the time, by what it is for, without activations."""
    trained = sum(p.numel() for p in policy.weights.values())
    total = sum(p.numel() * p.element_size() for p in policy.model.parameters())
    parts = {"weights": float(total), "gradients": 4.0 * trained, "optimizer": 8.0 * trained}
    shared = bytes_of_a_trainer(parts, trained, trainers)
    return {name: taken for name, taken in shared.items() if name != "gathered to sample"}


def checkpoint_bytes(policy: TextPolicy, config: Config) -> int:
    """Model in the dtype it has in memory, two float32 moments, and perhaps reference and adapters."""
    trained = sum(p.numel() for p in policy.weights.values())
    total = sum(p.numel() * p.element_size() for p in policy.model.parameters())
    keeps_reference = getattr(config, "keeps_reference", False)
    return total + trained * 4 * (2 + keeps_reference + (policy.config.lora_rank > 0))


def _cache_bytes_per_token(policy: TextPolicy) -> int:
    """Keys and values in all layers; the fast path keeps them in the dtype of its attention, float32 on a CPU."""
    c = policy.model.config.get_text_config()
    heads = getattr(c, "num_key_value_heads", None) or c.num_attention_heads
    head_dim = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    dtype = DTYPES[policy.config.dtype] if policy.dense is None else policy.dense.attention_dtype
    return 2 * c.num_hidden_layers * heads * head_dim * dtype.itemsize


def room(policy: TextPolicy, longest: float) -> float:
    """Tokens that a slot of the cache may hold: on the fast path it grows to a multiple of 128 or by a quarter."""
    return longest if policy.dense is None else max(math.ceil(longest / 128) * 128, 5 / 4 * longest)


def joined_bytes(policy: TextPolicy) -> int:
    """Weights that sampling on the fast path copies for the time of a call (`fuse` in policies/text/decoder.py).

    Queries, keys and values are joined, and gate and up; other matrices are copied where they have another dtype than is
    computed in, or are laid out anew for it. LoRA adapters are copied: down as they are, up (out, rank) as blocks of one
    (sum of out, sum of rank) matrix. Norms, of a width each, are left out.
    """
    dense = policy.dense
    if dense is None:
        return 0
    groups: list[list[Any]] = [[dense.head]]
    for layer in dense.layers:
        groups += [[*layer.qkv], [layer.output], [*layer.gate_up], [layer.down]]
    total = 0
    for modules in groups:
        bases = [getattr(module, "base_layer", module) for module in modules]
        weight = bases[0].weight
        if len(bases) > 1 or weight.dtype is not dense.dtype or packed.helps(weight.device, dense.dtype, weight.numel()):
            total += sum(p.numel() for base in bases for p in base.parameters(recurse=False)) * dense.dtype.itemsize
        adapted = [module for module in modules if hasattr(module, "base_layer")]
        rank = sum(module.lora_A["default"].weight.shape[0] for module in adapted)
        numel = sum(module.lora_A["default"].weight.numel() for module in adapted)
        numel += rank * sum(module.lora_B["default"].weight.shape[0] for module in adapted)
        total += numel * dense.dtype.itemsize
    return total


def _cast_bytes(policy: TextPolicy, linear: Any) -> int:
    """A copy of a linear module's weight in the dtype computed in; 0 if it has that dtype."""
    dtype, weight = DTYPES[policy.config.dtype], linear.weight
    return 0 if weight.dtype is dtype else weight.numel() * dtype.itemsize
