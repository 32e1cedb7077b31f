"""Seconds and bytes of a model on a GPU from first principles: what the memory and the matrix products of its data sheet allow.

    weights        float32, as Sanmai trains: gathered, hashed, written, read by each node of samplers, hashed again
    decode step    max(bytes / (tensor bandwidth use), operations / (tensor flops use)) + overhead
                   bytes = weights in bfloat16 + keys and values of all tokens that the rollouts under way attend to
    prefill        operations / (tensor flops use)
    micro-batch    max(operations / (flops use), bytes gathered / (link use))

`tensor` GPUs share a sampler's weights and keys; a trainer's rank is one GPU. Nothing here is measured: the uses are stated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sanmai.plan.scale.gpus import Gpu
from sanmai.plan.scale.shape import Shape
from sanmai.plan.scale.work import Groups
from sanmai.policies.text.policy import CHUNK_LOGITS
from sanmai.policies.text.timing import begins

BF16, FLOAT32 = 2, 4


@dataclass(frozen=True)
class Use:
    """What of a data sheet is taken for granted. Assumptions, not measurements."""

    bandwidth: float = 0.6
    """Share of the memory bandwidth that decoding reaches."""
    sampling_flops: float = 0.5
    """Share of the dense products that prefill, and decoding where it is bound by them, reach."""
    training_flops: float = 0.4
    """Share that forward and backward passes reach. Llama 3 405B: 38 to 43 % on H100 (arXiv:2407.21783, table 4)."""
    link: float = 0.7
    """Share of the links' rate that gathering weights and summing gradients reaches."""
    memory: float = 0.9
    """Share of a GPU's memory that may be filled."""
    step_overhead: float = 0.001
    """Seconds of a decode step beside memory and products: scheduling, launches, drawing."""
    storage: float = 20e9
    """Bytes a second of the storage that published weights go through, all readers together; a node reads once."""
    digest: float = 8e9
    """Bytes a second that are hashed: eight threads."""


@dataclass(frozen=True)
class Roofline:
    """Rates of a model on a kind of GPU; fills `work.Rates`."""

    shape: Shape
    gpu: Gpu
    use: Use = Use()
    tensor: int = 1
    """GPUs of a sampler."""
    gpus_per_node: int = 8
    network: float = 50e9
    """Bytes a second of a GPU to another node, in one direction."""
    recomputes: bool = True
    """Activations are computed again in the backward pass: one more forward pass."""
    extra_forwards: int = 0
    """Passes without gradient: one for a reference policy, one for proximal log-probs."""
    whole: bool = False
    """The whole model is gathered once for a micro-batch's passes, in place of a layer at a time."""

    def sampling(self, parts: Sequence[tuple[Groups, int]]) -> list[float]:
        """Seconds to write each part; between two ends of rollouts the number under way is constant."""
        a, flops = self.shape.arithmetic, self.tensor * self.gpu.flops * self.use.sampling_flops
        rows_of = [[(group.prompt, n) for group in groups for n in group.lengths] for groups, _ in parts]
        together = [k for k, (_, slots) in enumerate(parts) if len(rows_of[k]) <= slots]
        decoding = dict(zip(together, self._decode_together([rows_of[k] for k in together]), strict=True))
        found = []
        for k, (groups, slots) in enumerate(parts):
            prefill = sum(a.forward(g.prompt, 1, g.prompt * (g.prompt + 1) / 2) for g in groups) / flops
            found.append(prefill + (decoding[k] if k in decoding else self._decode_in_turn(rows_of[k], slots)))
        return found

    def _decode_together(self, rows_of: Sequence[Sequence[tuple[float, int]]]) -> list[float]:
        """Of parts P whose rollouts R all begin at once. Sorted by length, R - r of them are under way until the r-th ends."""
        if not rows_of:
            return []
        most = max(map(len, rows_of))
        prompt_PR, length_PR = np.zeros((2, len(rows_of), most))  # what is missing ends at once
        for p, rows in enumerate(rows_of):
            for r, (prompt, length) in enumerate(sorted(rows, key=lambda row: row[1]), most - len(rows)):
                prompt_PR[p, r], length_PR[p, r] = prompt, length
        before_PR = np.pad(length_PR, ((0, 0), (1, 0)))[:, :-1]
        steps_PR = length_PR - before_PR
        active_R = np.arange(most, 0, -1)
        joined_PR = np.cumsum(prompt_PR[:, ::-1], axis=1)[:, ::-1]
        middle_PR = joined_PR + active_R * (before_PR + (steps_PR + 1) / 2)  # attended to, in the middle of the stretch
        return (steps_PR * self._step_seconds(active_R, middle_PR)).sum(axis=1).tolist()

    def _decode_in_turn(self, rows: Sequence[tuple[float, int]], slots: int) -> float:
        """Of a part in which some wait for a slot."""
        prompt_B, length_B = (np.array(column, float) for column in zip(*rows, strict=True))
        begin_B = np.array(begins([n for _, n in rows], slots), float)
        # One event where a rollout begins and one where it ends: how many are under way, and how much they attend to.
        time_E = np.concatenate([begin_B, begin_B + length_B])
        order_E = np.argsort(time_E, kind="stable")
        steps_E = np.diff(time_E[order_E])  # of the stretch after each event but the last
        active_E = np.cumsum(np.concatenate([np.ones(len(rows)), -np.ones(len(rows))])[order_E])[:-1]
        joined_E = np.cumsum(np.concatenate([prompt_B, -(prompt_B + length_B)])[order_E])[:-1]
        written_E = np.concatenate([[0.0], np.cumsum(active_E * steps_E)[:-1]])
        middle_E = joined_E + written_E + active_E * (steps_E + 1) / 2
        return float(np.dot(steps_E, self._step_seconds(active_E, middle_E)))

    def _step_seconds(self, active: Any, pairs: Any) -> Any:
        """Of a decode step (arrays or numbers).

        Args:
            active: rollouts under way.
            pairs: tokens that they attend to, all together.
        """
        a, weights = self.shape.arithmetic, self.shape.arithmetic.body + self.shape.arithmetic.head
        read = self.tensor * self.gpu.bandwidth * self.use.bandwidth
        flops = self.tensor * self.gpu.flops * self.use.sampling_flops
        bound = np.maximum(
            (BF16 * weights + self.shape.kv_bytes() * pairs) / read, (2 * weights * active + a.attention * pairs) / flops
        )
        return bound + self.use.step_overhead

    def training(self, groups: Groups, *, micro_tokens: int, updates: int, ranks: int, handled: int = 0) -> float:
        """Seconds of a step's updates: micro-batches dealt evenly to the ranks, gradients summed once an update.

        What the host does with each rollout beside is taken to cost nothing.
        """
        a = self.shape.arithmetic
        tokens = predictions = pairs = 0.0
        for group in groups:
            for length in group.lengths:
                row = group.prompt + length
                tokens, predictions, pairs = tokens + row, predictions + length, pairs + row * (row + 1) / 2
        operations = a.training(tokens, predictions, pairs) + self.extra_forwards * a.forward(tokens, predictions, pairs)
        if self.recomputes:
            operations += a.forward(tokens, 0, pairs)
        micros = max(math.ceil(tokens / micro_tokens), updates, 1)
        each = math.ceil(micros / ranks)  # of a rank; one that has less waits
        compute = operations / micros / (self.gpu.flops * self.use.training_flops)
        return each * max(compute, self._gather_seconds(ranks)) + updates * self._sum_seconds(ranks)

    def link(self, ranks: int) -> float:
        """Bytes a second between ranks: the node's own links where they all fit into it."""
        return (self.gpu.link if ranks <= self.gpus_per_node else self.network) * self.use.link

    def _gather_seconds(self, ranks: int) -> float:
        """Weights in float32 for the forward pass and, a layer at a time, again for the backward pass."""
        times = 1 if self.whole else 2
        return times * FLOAT32 * self.shape.parameters * (ranks - 1) / ranks / self.link(ranks)

    def _sum_seconds(self, ranks: int) -> float:
        """Gradients in float32, each rank left with its share."""
        return FLOAT32 * self.shape.parameters * (ranks - 1) / ranks / self.link(ranks)

    def publish_seconds(self, ranks: int) -> float:
        """The first rank gathers the weights, hashes and writes them."""
        size = FLOAT32 * self.shape.parameters
        gather = size / self.link(ranks) if ranks > 1 else 0.0
        return gather + size / self.use.digest + size / self.use.storage

    def load_seconds(self, samplers: int) -> float:
        """Each node of samplers reads the weights once, through its own link and the storage that all share, and hashes them."""
        size = FLOAT32 * self.shape.parameters
        nodes = math.ceil(samplers * self.tensor / self.gpus_per_node)
        return size / min(self.use.storage / nodes, self.network * self.use.link) + size / self.use.digest

    def decode_rate(self, context: float, slots: int) -> float:
        """Tokens a second of a sampler with so many rollouts under way, each attending to so many tokens."""
        return slots / float(self._step_seconds(slots, slots * context))


def rank_memory(
    shape: Shape, *, ranks: int, micro_tokens: int, recomputes: bool, whole: bool = False, keeps_reference: bool = False
) -> dict[str, float]:
    """Bytes of the first trainer's rank, by what they are for; the others lack `published`, which is not there while it trains.

        state        float32: (4 weights + 4 gradient + 8 moments [+ 4 reference]) parameters / ranks
        gathered     of the largest two pieces (a layer, or embedding and head), or of the whole model: weights and gradients in
                     float32, and bfloat16 copies
        activations  bfloat16, of a micro-batch: each layer's input, and one layer's own; or every layer's own:
                     4 width + 2 query width + 2 kv width + 4 ffn numbers a token (inputs of norms, projections and products
                     that the backward pass reads; attention that keeps no scores; derived from a gated layer)
        logits       3 float32 of a chunk, as the head is scored in chunks
        published    whole weights in float32, to be written for samplers and as a checkpoint; what the state has of them is in it

    Source: 16 bytes a parameter over ranks is ZeRO-3's P_os+g+p (Rajbhandari et al. 2020, arXiv:1910.02054, section 3), whose
    split is 2 + 2 + 12.
    """
    own = 4 * shape.width + 2 * shape.query_width + 2 * shape.kv_width + 4 * shape.ffn
    kept = shape.layers * shape.width + own if recomputes else shape.layers * own
    piece = shape.parameters if whole else min(2 * shape.largest_block, shape.parameters)
    return {
        "state": (16.0 + 4 * keeps_reference) * shape.parameters / ranks,
        "gathered": 0.0 if ranks == 1 else float((2 * FLOAT32 + BF16) * piece),
        "activations": float(BF16 * kept * micro_tokens),
        "logits": float(3 * FLOAT32 * min(micro_tokens, max(CHUNK_LOGITS // shape.vocabulary, shape.width)) * shape.vocabulary),
        "published": FLOAT32 * shape.parameters * (ranks - 1) / ranks,
    }


def most_at_once(parts: Mapping[str, float]) -> float:
    """Bytes of a rank while it trains, or while it publishes."""
    training = parts["gathered"] + parts["activations"] + parts["logits"]
    return parts["state"] + max(training, parts["published"])


def sampler_memory(shape: Shape, gpu: Gpu, use: Use, tensor: int) -> tuple[float, float]:
    """Bytes of each GPU of a sampler: bfloat16 weights, and what is left for keys and values (below 0: it does not fit)."""
    weights = BF16 * shape.parameters / tensor
    return weights, gpu.memory * use.memory - weights


def sampler_slots(shape: Shape, gpu: Gpu, use: Use, tensor: int, longest: float) -> int:
    """Rollouts of this length whose keys and values fit into a sampler's memory."""
    _, left = sampler_memory(shape, gpu, use, tensor)
    return max(int(left * tensor // (shape.kv_bytes() * longest)), 0)
