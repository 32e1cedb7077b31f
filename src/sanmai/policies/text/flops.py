"""Useful floating point operations of a model's passes: what a share of the machine's peak (MFU) is computed from.

Counted is what the mathematics asks for, whatever the implementation does: no padding, no recomputation in the backward
pass, no rollout that has no gradient. A product of n x k and k x m is 2 n k m operations; norms, activations, softmax and
rotations are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sanmai.policies.text.architectures import attention_windows
from sanmai.types import Credited, Drawn, Group, InputError, TokenBatch


@dataclass(frozen=True)
class Arithmetic:
    """The sizes of a model that its operations follow from.

    Example:
        Arithmetic(body=786_432, head=16_384, attention=2_048, trained_share=1.0)
    """

    body: int
    """Weights in matrix products that every token passes through; embeddings are looked up and do not count."""
    head: int
    """Weights of the language-model head, which a token passes through only where its prediction is wanted."""
    attention: int
    """Operations for a token and one that it attends to: 4 x heads x head width, summed over layers of full attention."""
    trained_share: float = 1.0
    """Share of body + head whose weights get a gradient; small for LoRA."""
    windows: tuple[tuple[int, int], ...] = ()
    """(window, operations as in `attention`) of layers in which a token attends to itself and at most window - 1 before it."""

    def windowed(self, begin: int, end: int) -> float:
        """Operations of attention in the windowed layers for the tokens begin .. end - 1 of a sequence."""
        return sum(each * (_pairs(end, window) - _pairs(begin, window)) for window, each in self.windows)

    def forward(self, tokens: float, predictions: float, pairs: float) -> float:
        """Operations of a forward pass.

            2 body tokens + 2 head predictions + attention pairs

        Args:
            tokens: that pass through the body.
            predictions: tokens whose next one is predicted.
            pairs: (token, token that it attends to, itself included); n tokens alone have n (n + 1) / 2.
        """
        return 2.0 * self.body * tokens + 2.0 * self.head * predictions + self.attention * pairs

    def training(self, tokens: float, predictions: float, pairs: float) -> float:
        """Operations of a forward and a backward pass: three forwards when all weights are trained.

        The backward pass has a product for the inputs' gradient and, where weights are trained, one for theirs;
        attention has no weights and twice its forward's products.
        """
        products = 2.0 * self.body * tokens + 2.0 * self.head * predictions
        return products * (2.0 + self.trained_share) + 3.0 * self.attention * pairs


def arithmetic_of(model: Any) -> tuple[Arithmetic | None, str]:
    """The sizes of a `transformers` model; or None, and why they are not known."""
    config = model.config.get_text_config()
    if any(getattr(config, name, 0) for name in ("num_experts", "num_local_experts", "n_routed_experts")):
        return None, "a mixture of experts uses a part of its weights for each token, which is not counted here"
    heads, layers = getattr(config, "num_attention_heads", None), getattr(config, "num_hidden_layers", None)
    if not (isinstance(heads, int) and isinstance(layers, int)):
        return None, f"the sizes of a {type(model).__name__} are not known here"
    # Linear layers and others of their own kind do less than full attention; counting none of it can only understate the share.
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * layers
    windows = attention_windows(config) if set(kinds) <= {"full_attention", "sliding_attention"} else ()
    full = windows.count(None) if windows else kinds.count("full_attention")
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    output = model.get_output_embeddings().weight
    looked_up = {
        id(p) for module in model.modules() if "Embedding" in type(module).__name__ for p in module.parameters()
    }
    body = [p for p in model.parameters() if p.ndim > 1 and id(p) not in looked_up and p is not output]
    head, total = output.numel(), sum(p.numel() for p in body) + output.numel()
    trained = sum(p.numel() for p in [*body, output] if p.requires_grad)
    layers_of = Counter(window for window in windows if window is not None)
    windowed = tuple((window, 4 * count * width) for window, count in sorted(layers_of.items()))
    return Arithmetic(total - head, head, 4 * full * width, trained / total, windowed), ""


def _pairs(tokens: int, window: int) -> float:
    """(token, token that it attends to) of a sequence: sum_t min(t, window)."""
    growing = min(tokens, window)
    return growing * (growing + 1) / 2 + (tokens - growing) * window


def sampling_flops(arithmetic: Arithmetic, prompt_tokens: int, lengths: Sequence[int]) -> float:
    """Operations of sampling one group: its prompt once, then every sampled token against all that stands before it.

    prompt: forward(P, 0, P (P + 1) / 2);  completion of n tokens: forward(n, n, n P + n (n + 1) / 2);
    and windowed(0, P), windowed(P, P + n)

    Args:
        prompt_tokens: P.
        lengths: tokens of each completion.
    """
    p = prompt_tokens
    return (
        arithmetic.forward(p, 0, p * (p + 1) / 2)
        + arithmetic.windowed(0, p)
        + sum(arithmetic.forward(n, n, n * p + n * (n + 1) / 2) + arithmetic.windowed(p, p + n) for n in lengths)
    )


def training_flops(
    arithmetic: Arithmetic, prompt_tokens: int, lengths: Sequence[int], *, extra_forwards: int = 0
) -> float:
    """Operations of training on the rollouts of one group, counted as in `sampling_flops`: the prompt once.

    Args:
        prompt_tokens: P.
        lengths: tokens of each completion, all of them predicted.
        extra_forwards: passes without gradient: one for a reference policy, one for proximal log-probs.
    """
    p, total = prompt_tokens, sum(lengths)
    work = (p + total, total, p * (p + 1) / 2 + sum(n * p + n * (n + 1) / 2 for n in lengths))
    windowed = arithmetic.windowed(0, p) + sum(arithmetic.windowed(p, p + n) for n in lengths)
    return arithmetic.training(*work) + extra_forwards * arithmetic.forward(*work) + (3 + extra_forwards) * windowed


def demonstration_flops(arithmetic: Arithmetic, lengths: Sequence[tuple[int, int]]) -> float:
    """Operations of training on demonstrations, each with its prompt: what SFT and the auxiliary SFT loss take.

    Args:
        lengths: (prompt tokens, completion tokens) of each; the completion alone is predicted.
    """
    return sum(training_flops(arithmetic, prompt, [completion]) for prompt, completion in lengths)


def batch_flops(arithmetic: Arithmetic, batch: TokenBatch) -> float:
    """`demonstration_flops` of a packed batch whose mask is on the completions."""
    completions = batch.mask_BT.sum(dim=1).tolist()
    totals = batch.attention_BT.sum(dim=1).tolist()
    return demonstration_flops(arithmetic, [(total - n, n) for total, n in zip(totals, completions, strict=True)])


def probe_flops(arithmetic: Arithmetic, groups: Sequence[Group[Any]]) -> float:
    """Operations of sampling groups that nothing is trained on."""
    rollouts_of: list[tuple[Drawn, ...]] = [g.rollouts for g in groups if g.rollouts]
    return sum(
        sampling_flops(arithmetic, len(those[0].prompt_tokens), [len(r.completion_tokens) for r in those])
        for those in rollouts_of
    )


def counted(arithmetic: Arithmetic | None, reason: str) -> Arithmetic:
    """The sizes that a budget of operations needs.

    Raises:
        InputError: they are not known.
    """
    if arithmetic is None:
        raise InputError(f"operation_budget: the operations of this model cannot be counted ({reason}); use token_budget")
    return arithmetic


def step_flops(
    arithmetic: Arithmetic, groups: Sequence[Group[Credited]], *, extra_forwards: int, needs_all: bool
) -> dict[str, float]:
    """Useful operations of an RL step by phase: {"sampling": ..., "training": ...}.

    Args:
        groups: a rollout may be trained on for its cost alone.
        extra_forwards: see `training_flops`.
        needs_all: rollouts of advantage 0 have a gradient too, by a KL or entropy term.
    """
    sampling = probe_flops(arithmetic, groups)
    training = 0.0
    for group in groups:
        trained = [r for r in group.rollouts if r.advantage is not None and (needs_all or r.advantage or r.cost_advantage)]
        if trained:
            lengths = [len(r.completion_tokens) for r in trained]
            training += training_flops(arithmetic, len(trained[0].prompt_tokens), lengths, extra_forwards=extra_forwards)
    return {"sampling": sampling, "training": training}
