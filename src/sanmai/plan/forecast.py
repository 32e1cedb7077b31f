"""What a run would do, in words, before it does it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanmai.data.chat import demonstration, render_prompt
from sanmai.policies.text.checkpoints import newest_good_checkpoint, step_of
from sanmai.policies.text.policy import _CHUNK_LOGITS, _DTYPES, Policy, load_policy
from sanmai.recipes import Recipe
from sanmai.types import Problem

if TYPE_CHECKING:
    from sanmai.plan.calibration import Kept


_PIPELINES = {
    "compare": "sanmai.pipelines.compare:describe_compare",
    "kimi": "sanmai.pipelines.kimi:describe_kimi",
    "long2short": "sanmai.pipelines.long2short:describe_long2short",
}
_ALONE = {
    "audit": "sanmai.evidence.audit:describe_audit",
    "redteam": "sanmai.evidence.redteam:describe_redteam",
    "reward": "sanmai.recipes.reward:describe_reward",
    "dpo": "sanmai.recipes.dpo:describe_dpo",
    "curate": "sanmai.recipes.curate:describe_curation",
    "sample": "sanmai.recipes.sample:describe_sampling",
}
_AT_ONCE = {
    "merge": "It averages the weights of two models and trains nothing: seconds, and the memory of both.",
    "long_chains": "It writes demonstrations of the embedded world and samples nothing: seconds.",
    "length_pairs": "It pairs samples that there are and samples nothing: seconds.",
}


def describe(recipe: Recipe, config: Any, out: Path, *, measure: bool = False) -> Iterator[str]:
    """Sentences; problems and model are loaded and checked.

    Args:
        measure: also predict seconds, from a calibration of some five seconds: for the recipe zero, where the prediction is
            kept in the run folder, and for one with stages. Without it nothing is written.
    """
    yield f"Recipe {recipe.name}, into {out}."
    if recipe.name in _PIPELINES:
        yield from _function(_PIPELINES[recipe.name])(config, out)
        return
    if recipe.has_stages:
        from sanmai.plan.stages import describe_stages

        yield from describe_stages(config, out, measure=measure)
        if config.gates.margins:
            most = config.gates.num_attempts
            yield (
                f"r1 is guarded: one attempt and what its gate evaluates are counted; it may take {most} attempt"
                f"{'s' if most > 1 else ''}, each decided at level {config.gates.level:.3g}."
            )
        return
    if recipe.name == "guarded":
        from sanmai.pipelines.guarded import describe_guarded

        notes: list[str] = []
        yield from describe_guarded(config, notes)
        yield from (f"Warning: {note}" for note in notes)
        return
    found = newest_good_checkpoint(out)
    if found is not None:
        yield f"That folder holds this run up to step {step_of(found)}; it would go on from there."
    if recipe.name in ("evaluate", "gather", "preferences"):
        yield from _function("sanmai.plan.untrained:describe_untrained")(recipe.name, config)
    elif recipe.name in _ALONE:
        yield from _function(_ALONE[recipe.name])(config)
        if recipe.name in ("reward", "dpo"):
            yield _optimizer(config)
    elif recipe.name == "pretrain":
        yield _pretrain(config)
    elif recipe.name in _AT_ONCE:
        yield _AT_ONCE[recipe.name]
    else:
        yield from _trained(recipe.name, config, out, measure)


def _function(name: str) -> Callable[..., Iterator[str]]:
    """A function by "module:name", imported only where it is asked for."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _trained(recipe: str, config: Any, out: Path, measure: bool) -> Iterator[str]:
    """Of a recipe that trains a policy on problems."""
    from sanmai.learn.mixture import Mixture
    from sanmai.learn.sources import load_splits

    warnings: list[str] = []
    train, held_out = load_splits(
        config.problems, config.seed, None, on_warning=warnings.append, needs_answer=recipe == "zero"
    )
    if recipe == "zero":
        Mixture(config.mixture, train, config.prompts_per_step, config.num_steps, seed=config.seed)  # refuses what a run would
    policy = load_policy(config.model)
    trained = sum(p.numel() for p in policy.weights.values())
    yield (
        f"Model {config.model.name}: {type(policy.model).__name__}, {policy.num_parameters:,} parameters, {trained:,} of "
        f"them trained, arithmetic in {config.model.dtype} on {config.model.device}."
    )
    if not policy.scores_in_chunks:
        yield "Its output head is of a kind that is not known here, so whole logits are kept while scoring: more memory."
    yield f"{len(train):,} problems to train on, {len(held_out):,} held out."
    yield from (f"Warning: {warning}" for warning in [*warnings, *policy.notes])
    yield from {"zero": _zero, "distill": _distill}.get(recipe, _sft)(config, policy, train)
    yield (
        f"A checkpoint every {config.checkpoints.every} steps, of about {_size(_checkpoint_bytes(policy, config))}; "
        f"the newest {config.checkpoints.keep} are kept."
    )
    if recipe == "zero":
        yield from _cost(config, policy, train, len(held_out), out, measure)
    elif measure:
        yield "Time is predicted for the recipe zero alone."


def _zero(config: Any, policy: Policy, train: list) -> Iterator[str]:
    rollouts = config.prompts_per_step * config.rollouts_per_prompt
    yield (
        f"{config.num_steps} steps. Each draws {config.prompts_per_step} problems, samples "
        f"{config.rollouts_per_prompt} completions of each ({rollouts} in all, {rollouts * config.num_steps:,} in the "
        f"run) of at most {config.sampling.max_tokens} tokens at temperature {config.sampling.temperature:g}, grades "
        f"them, and makes {config.updates_per_step} optimizer update{'s' if config.updates_per_step > 1 else ''} on "
        f"{math.ceil(rollouts / config.updates_per_step)} rollouts each."
    )
    yield f"That is {config.num_steps * config.prompts_per_step / max(len(train), 1):.2g} passes over the problems."
    weights = config.rewards.weights
    yield "Reward: " + " + ".join(f"{w:g} x {name}" for name, w in weights.items() if w) + "."
    settings = config.loss.settings()
    bounds = (
        f", ratio within {max(1 - settings.clip_low, 0):g} and {1 + settings.clip_high:g}"
        if settings.clip_low is not None
        else ""
    )
    scaled = ", over its deviation" if settings.advantage_scale == "std" else ""
    advantage = f"the reward less the group's {settings.baseline.replace('_', ' ')}{scaled}"
    if settings.baseline == "best":
        advantage = "1 for the group's best rollout, if its reward is above 0"
    yield (
        f"Loss: {config.loss.preset} ({settings.surrogate}{bounds}; normalisation: {settings.normalisation.value}; "
        f"advantage: {advantage})."
    )
    if config.updates_per_step == 1 and settings.clip_low is not None:
        yield "With one update per step every ratio is 1, so the clip bounds are never reached."
    if config.loss.kl_weight:
        reset = config.loss.reference_reset_steps
        yield (
            f"KL ({config.loss.kl_estimator}) to the reference x {config.loss.kl_weight:g}; the reference is the start"
            + (f", and the policy again every {reset} steps." if reset else ".")
        )
    yield _optimizer(config)


def _cost(
    config: Any, policy: Policy, train: Sequence[Problem], num_held_out: int, out: Path, measure: bool
) -> Iterator[str]:
    """Memory and, when measured, time."""
    if not measure:
        yield from _memory_lines(memory_bytes(policy, config, _mean_prompt(policy, config, train)))
        yield "Nothing was measured."
        return
    from sanmai.plan.calibration import calibrate
    from sanmai.plan.prediction import keep, observed_lengths, predict

    found = calibrate(policy, config, train, out)
    yield from _memory_lines(memory_bytes(policy, config, found.prompt_length, found.kept))
    machine = found.machine
    yield (
        f"Measured in {found.seconds:.1f} s: matrix products reach {machine['matrix_gflops']:,.0f} GFLOP/s in "
        f"{machine['dtype']} on {_cores(machine)}; {'; '.join(n for n in found.notes if not n.endswith('.'))}."
    )
    yield from (note for note in found.notes if note.endswith("."))
    checkpoint = _checkpoint_bytes(policy, config)
    bound = predict(found, config, num_held_out=num_held_out, checkpoint_bytes=checkpoint)
    yield from _prediction_lines(f"If every completion takes all {bound.mean:.0f} tokens (an upper bound)", bound)
    if (lengths := observed_lengths(out)) is not None:
        mean, longest = lengths
        likely = predict(
            found, config, num_held_out=num_held_out, checkpoint_bytes=checkpoint, mean=mean, longest=longest
        )
        yield from _prediction_lines(
            f"At the lengths of the last steps on record (mean {mean:.1f} tokens, longest {longest:.0f})", likely
        )
    yield keep(found, bound, config, out)


def _prediction_lines(when: str, p: Any) -> Iterator[str]:
    yield (
        f"{when}: sampling {_seconds(p.seconds['sampling'])} a step ({p.sampled_per_second:,.0f} tokens/s), training "
        f"{_seconds(p.seconds['training'])} ({p.trained_per_second:,.0f} tokens/s), saving {_seconds(p.seconds['saving'])}; "
        f"an evaluation {_seconds(p.seconds['evaluation'])}, {p.num_evaluations} of them; "
        f"the whole run {_seconds(p.total_seconds)}."
    )


def memory_bytes(policy: Policy, config: Any, prompt_length: float, kept: Kept | None = None) -> dict[str, float]:
    """Bytes by what they are for, of a zero run whose completions all take their budget; Python and its libraries come on top.

        longest = prompt_length + max_tokens          rows = ceil(rollouts / updates_per_step)
        share = micro_tokens // workers               micro = min(max(share, longest), rows * longest)
        busy = min(workers, number of micro-batches)  held = min(busy * micro, rows * longest)

        KV cache            min(rollouts, concurrent) * room(longest) * bytes of a token's keys and values
        joined weights      what the sampler copies (_joined_bytes)
        logits              busy * (3 * 4 * min(micro, chunk) * vocabulary + the head in the dtype computed in, if a copy)
        workers' gradients  busy * 4 * trained weights if workers > 1, else 0
        activations         busy * kept.once + held * kept.per_token

    The first two are there while sampling, the rest while training. Prompts that rows share count as if they did not.

    Args:
        prompt_length: mean tokens of a prompt.
        kept: for the backward pass of a micro-batch, as measured; None leaves "activations" out.
    """
    trained = sum(p.numel() for p in policy.weights.values())
    rollouts = config.prompts_per_step * config.rollouts_per_prompt
    longest = prompt_length + config.sampling.max_tokens
    rows = math.ceil(rollouts / config.updates_per_step)
    share = config.optimizer.micro_tokens // policy.workers
    micro = min(max(share, longest), rows * longest)
    rows_per_micro = max(int(share // longest), 1)
    busy = min(policy.workers, math.ceil(rows / rows_per_micro))
    # Logits in float32, their softmax and their gradient.
    logits = 3 * 4 * min(micro, max(_CHUNK_LOGITS // policy.vocabulary, 1)) * policy.vocabulary
    slots = min(rollouts, config.sampling.concurrent)
    parts = {
        "weights": float(sum(p.numel() * p.element_size() for p in policy.model.parameters())),
        "gradients": 4.0 * trained,
        "optimizer": 8.0 * trained,
        "reference": 4.0 * trained if config.keeps_reference else 0.0,
        "KV cache": slots * _room(policy, longest) * _cache_bytes_per_token(policy),
        "joined weights": float(_joined_bytes(policy)),
        "logits": float(busy * (logits + _cast_bytes(policy, policy.model.get_output_embeddings()))),
        "workers' gradients": 4.0 * trained * busy if policy.workers > 1 else 0.0,
    }
    if kept is None:
        return parts
    return parts | {"activations": busy * kept.once + min(busy * micro, rows * longest) * kept.per_token}


def _memory_lines(parts: dict[str, float]) -> Iterator[str]:
    always, sampling, training = (
        {name: parts[name] for name in names if parts.get(name)}
        for names in (
            ("weights", "gradients", "optimizer", "reference"),
            ("KV cache", "joined weights"),
            ("activations", "logits", "workers' gradients"),
        )
    )
    listed = lambda sizes: ", ".join(f"{name} {_size(size)}" for name, size in sizes.items())  # noqa: E731
    total = sum(always.values())
    yield (
        f"Memory: {listed(always)}: {_size(total)} all the time. Sampling adds at most: {listed(sampling)}; training, in the "
        f"micro-batches under way: {listed(training)}. The most at once: "
        f"{_size(total + max(sum(sampling.values()), sum(training.values())))}, and what Python and its libraries take."
    )


def _mean_prompt(policy: Policy, config: Any, train: Sequence[Problem]) -> float:
    lengths = [len(render_prompt(policy.tokenizer, p.messages)) for p in train[: config.prompts_per_step]]
    return sum(lengths) / max(len(lengths), 1)


def _sft(config: Any, policy: Policy, train: list) -> Iterator[str]:
    usable = sum(demonstration(p) is not None for p in train)
    per_step = min(config.demonstrations_per_step, max(usable, 1))
    steps = max(round(config.epochs * (usable // per_step)), 1)
    yield (
        f"{usable:,} of them come with a worked solution: {config.epochs:g} passes in {steps} updates of "
        f"{per_step} demonstrations each; the loss is on the completion alone."
    )
    yield _optimizer(config)
    yield f"Memory: weights, gradients and optimizer {_size(_state_bytes(policy, False))}."


def _distill(config: Any, policy: Policy, train: list) -> Iterator[str]:
    from sanmai.learn.teacher import check_shares_tokenizer, load_teacher

    teacher = load_teacher(config.teacher, config.model)
    check_shares_tokenizer(policy, teacher)
    yield (
        f"Teacher {config.teacher.name}: {type(teacher.model).__name__}, {teacher.num_parameters:,} parameters, frozen, in "
        f"{teacher.config.dtype} on {teacher.config.device}; it shares the tokenizer."
    )
    rollouts = config.prompts_per_step * config.rollouts_per_prompt
    yield (
        f"{config.num_steps} steps. Each draws {config.prompts_per_step} problems, lets the student write "
        f"{config.rollouts_per_prompt} completions of each ({rollouts} in all, {rollouts * config.num_steps:,} in the run) of at "
        f"most {config.sampling.max_tokens} tokens, and makes one optimizer update on all of them."
    )
    yield f"That is {config.num_steps * config.prompts_per_step / max(len(train), 1):.2g} passes over the problems."
    if config.exact:
        yield f"Loss: divergence from the teacher over the whole vocabulary (beta {config.beta:g}; 1 is the reverse KL)."
    else:
        yield "Loss: reverse KL to the teacher, estimated from the sampled tokens."
    yield _optimizer(config)
    frozen = sum(p.numel() * p.element_size() for p in teacher.model.parameters())
    yield f"Memory: weights, gradients and optimizer {_size(_state_bytes(policy, False))}, the teacher {_size(frozen)} more."


def _pretrain(config: Any) -> str:
    a = config.architecture
    return (
        f"A new model ({a.family}, {a.layers} layers of width {a.width}) learns "
        f"{config.num_steps * config.documents_per_step:,} documents of the embedded world's corpus in "
        f"{config.num_steps} updates of {config.documents_per_step}. {_optimizer(config)}"
    )


def _optimizer(config: Any) -> str:
    o = config.optimizer
    warmup = f" after {o.warmup_steps} steps of warm-up" if o.warmup_steps else ""
    return (
        f"AdamW at {o.lr:g} ({o.schedule}){warmup}; gradients clipped to norm {o.max_grad_norm:g}; "
        f"{o.micro_tokens:,} padded tokens at a time."
    )


def _state_bytes(policy: Policy, keeps_reference: bool) -> int:
    """Frozen weights as they are; trained ones in float32 with gradient, two moments, and perhaps a reference copy."""
    trained = sum(p.numel() for p in policy.weights.values())
    total = sum(p.numel() * p.element_size() for p in policy.model.parameters())
    return total + trained * 4 * (3 + keeps_reference)


def _checkpoint_bytes(policy: Policy, config: Any) -> int:
    """Model in the dtype it has in memory, two float32 moments, and perhaps reference and adapters."""
    trained = sum(p.numel() for p in policy.weights.values())
    total = sum(p.numel() * p.element_size() for p in policy.model.parameters())
    keeps_reference = getattr(config, "keeps_reference", False)
    return total + trained * 4 * (2 + keeps_reference + (policy.config.lora_rank > 0))


def _cache_bytes_per_token(policy: Policy) -> int:
    """Keys and values in all layers; the fast path keeps them in the dtype of its attention, float32 on a CPU."""
    c = policy.model.config.get_text_config()
    heads = getattr(c, "num_key_value_heads", None) or c.num_attention_heads
    head_dim = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    dtype = _DTYPES[policy.config.dtype] if policy.dense is None else policy.dense.attention_dtype
    return 2 * c.num_hidden_layers * heads * head_dim * dtype.itemsize


def _room(policy: Policy, longest: float) -> float:
    """Tokens that a slot of the cache may hold: on the fast path it grows to a multiple of 128 or by a quarter."""
    return longest if policy.dense is None else max(math.ceil(longest / 128) * 128, 5 / 4 * longest)


def _joined_bytes(policy: Policy) -> int:
    """Weights that sampling on the fast path copies for the time of a call (`fuse` in policies/text/decoder.py).

    Queries, keys and values are joined, and gate and up; other matrices are copied where they have another dtype than is
    computed in. LoRA adapters are copied: down as they are, up (out, rank) as blocks of one (sum of out, sum of rank) matrix.
    Norms, of a width each, are left out.
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
        if len(bases) > 1 or bases[0].weight.dtype is not dense.dtype:
            total += sum(p.numel() for base in bases for p in base.parameters(recurse=False)) * dense.dtype.itemsize
        adapted = [module for module in modules if hasattr(module, "base_layer")]
        rank = sum(module.lora_A["default"].weight.shape[0] for module in adapted)
        numel = sum(module.lora_A["default"].weight.numel() for module in adapted)
        numel += rank * sum(module.lora_B["default"].weight.shape[0] for module in adapted)
        total += numel * dense.dtype.itemsize
    return total


def _cast_bytes(policy: Policy, linear: Any) -> int:
    """A copy of a linear module's weight in the dtype computed in; 0 if it has that dtype."""
    dtype, weight = _DTYPES[policy.config.dtype], linear.weight
    return 0 if weight.dtype is dtype else weight.numel() * dtype.itemsize


def _size(num_bytes: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.3g} {unit}" if unit != "bytes" else f"{num_bytes:.0f} bytes"
        num_bytes /= 1024
    return f"{num_bytes:.3g} TiB"


def _seconds(value: float) -> str:
    if value < 100:
        return f"{value:.2g} s" if value < 9.95 else f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:,.1f} h"


def _cores(machine: dict[str, Any]) -> str:
    if machine["device"] != "cpu":
        return str(machine["device"])
    return f"{machine['cores']} core{'s' if machine['cores'] > 1 else ''}"
