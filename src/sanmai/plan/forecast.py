"""What a run would do, in words, before it does it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sanmai.cluster.config import ClusterConfig, TrainersConfig
from sanmai.config import Config
from sanmai.data.chat import render_prompt
from sanmai.learn.credit import words as advantage_words
from sanmai.plan.memory import StepShape, base_bytes, bytes_of_a_trainer, checkpoint_bytes, memory_bytes, state_bytes
from sanmai.plan.words import cores, seconds, size
from sanmai.policies.text.checkpoints import newest_good_checkpoint, step_of
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes import Recipe
from sanmai.recipes.distill import DistillConfig
from sanmai.recipes.zero import ZeroConfig, refuse_with_dialogues
from sanmai.rewards.own import load_reward, reward_name
from sanmai.rewards.rubric import scorer_weights
from sanmai.rewards.scorer import scorer_of
from sanmai.rewards.scorer_records import Judged
from sanmai.train.step import optimizer_words
from sanmai.types import Problem

if TYPE_CHECKING:
    from sanmai.plan.prediction import Prediction
    from sanmai.recipes.pretrain import PretrainConfig
    from sanmai.recipes.sft import SftConfig


def describe(recipe: Recipe, config: Config, out: Path, *, measure: bool = False) -> Iterator[str]:
    """Sentences; problems and model are loaded and checked.

    Args:
        measure: also predict seconds, from a calibration of some five seconds: for the recipe zero, where the prediction is
            kept in the run folder, and for one with stages. Without it nothing is written.
    """
    yield f"Recipe {recipe.name}, into {out}."
    found = None if recipe.has_stages else newest_good_checkpoint(out)
    if found is not None:
        yield f"That folder holds this run up to step {step_of(found)}; it would go on from there."
    yield from recipe.plan(config, out, measure=measure)


def describe_trained(config: ZeroConfig | SftConfig | DistillConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """Of a recipe that trains a policy on problems: zero, sft or distill."""
    from sanmai.learn.mixture import Mixture
    from sanmai.learn.sources import check_positions, load_splits

    warnings: list[str] = []
    needs_answer = isinstance(config, ZeroConfig) and config.rewards.needs_answers
    train, held_out = load_splits(
        config.problems, config.seed, None, on_warning=warnings.append, needs_answer=needs_answer,
        several_turns=isinstance(config, ZeroConfig),
    )  # fmt: skip
    if isinstance(config, ZeroConfig):
        refuse_with_dialogues(config, [*train, *held_out])
        Mixture(config.mixture, train, config.prompts_per_step, config.num_steps, seed=config.seed)  # refuses what a run would
    policy = load_policy(config.model)
    budget, evaluated = config.sampling.max_tokens, config.evaluation.max_tokens or 0
    if isinstance(config, (ZeroConfig, DistillConfig)):
        check_positions(policy, [*train, *held_out], max(budget, evaluated))
    else:  # writes in evaluations alone
        check_positions(policy, held_out, evaluated or budget)
    trained = sum(p.numel() for p in policy.weights.values())
    yield (
        f"Model {config.model.name}: {type(policy.model).__name__}, {policy.num_parameters:,} parameters, {trained:,} of "
        f"them trained, arithmetic in {config.model.dtype} on {config.model.device}."
    )
    if not policy.scores_in_chunks:
        yield "Its output head is of a kind that is not known here, so whole logits are kept while scoring: more memory."
    yield f"{len(train):,} problems to train on, {len(held_out):,} held out."
    yield from (f"Warning: {warning}" for warning in [*warnings, *policy.notes])
    if isinstance(config, ZeroConfig):
        yield from _zero(config, train)
    elif isinstance(config, DistillConfig):
        yield from _distill(config, policy, train)
    else:
        yield from _sft(config, policy, train)
    yield (
        f"A checkpoint every {config.checkpoints.every} steps, of about {size(checkpoint_bytes(policy, config))}; "
        f"{config.checkpoints.words()}."
    )
    if isinstance(config, ZeroConfig):
        yield from _cost(config, policy, train, len(held_out), out, measure)
    elif measure:
        yield "Time is predicted for the recipe zero alone."


def _zero(config: ZeroConfig, train: list) -> Iterator[str]:
    rollouts = config.prompts_per_step * config.rollouts_per_prompt
    yield (
        f"{config.num_steps} steps. Each draws {config.prompts_per_step} problems, samples "
        f"{config.rollouts_per_prompt} completions of each ({rollouts} in all, {rollouts * config.num_steps:,} in the "
        f"run) of at most {config.sampling.max_tokens} tokens at temperature {config.sampling.temperature:g}, grades "
        f"them, and makes {config.updates_per_step} optimizer update{'s' if config.updates_per_step > 1 else ''} on "
        f"{math.ceil(rollouts / config.updates_per_step)} rollouts each."
    )
    yield f"That is {config.num_steps * config.prompts_per_step / max(len(train), 1):.2g} passes over the problems."
    if config.token_budget is not None:
        yield f"It ends sooner, after the step in which {config.token_budget:,} tokens have been sampled, probed and trained on."
    if config.operation_budget is not None:
        yield f"It ends sooner, after the step in which {config.operation_budget:.3g} operations have been computed."
    if config.mixture.files:
        yield config.mixture.words()
    if config.refill.tries:
        yield config.refill.words()
    own = {reward_name(named): weight for named, weight in config.rewards.own.items()}
    for named in config.rewards.custom:
        load_reward(named)  # refuses what a run would
    if config.rewards.scorer.command is not None:
        scorer = Judged(scorer_of(config.rewards.scorer, "rewards.scorer"), None, lambda _: None)
        yield f"The scorer {scorer.scorer.told} was started in {scorer.scorer.seconds:.1f} s; what it says once is recorded."
        own |= scorer_weights(config.rewards, scorer)
    weights = config.rewards.weights | own
    yield "Reward: " + " + ".join(f"{w:g} x {name}" for name, w in weights.items() if w) + "."
    if config.length.weight:
        yield config.length.words(config.sampling.max_tokens)
    settings = config.loss.settings()
    bounds = (
        f", ratio within {max(1 - settings.clip_low, 0):g} and {1 + settings.clip_high:g}"
        if settings.clip_low is not None and settings.clip_high is not None
        else ""
    )
    yield (
        f"Loss: {config.loss.preset} ({settings.surrogate}{bounds}; normalisation: {settings.normalisation.value}; "
        f"advantage: {advantage_words(settings)})."
    )
    if config.updates_per_step == 1 and settings.clip_low is not None:
        yield "With one update per step every ratio is 1, so the clip bounds are never reached."
    if config.has_greedy:
        yield f"A greedy completion of each problem besides, whose reward is the baseline: {config.prompts_per_step} more a step."
    if settings.baseline == "value":
        yield config.loss.value.words()
    if said := config.credit.words():
        yield said
    if config.loss.entropy.target is not None:
        yield config.loss.entropy.words(config.loss.entropy_weight)
    if config.loss.kl_in_reward:
        yield f"Off the reward of each token: {config.loss.kl_in_reward:g} x its log-ratio to the reference; one more pass."
    if config.loss.kl_weight:
        reset = config.loss.reference_reset_steps
        yield (
            f"KL ({config.loss.kl_estimator}) to the reference x {config.loss.kl_weight:g}; the reference is the start"
            + (f", and the policy again every {reset} steps." if reset else ".")
        )
    yield optimizer_words(config.optimizer)


def _cost(
    config: ZeroConfig, policy: TextPolicy, train: Sequence[Problem], num_held_out: int, out: Path, measure: bool
) -> Iterator[str]:
    """Memory and, when measured, time."""
    base = base_bytes(policy)  # before anything else is done here
    if not measure:
        parts = memory_bytes(policy, StepShape.of(config, num_held_out), _mean_prompt(policy, config, train))
        yield from _memory_lines(parts, policy, config.cluster, base)[0]
        yield "Nothing was measured."
        return
    from sanmai.plan.calibration import calibrate
    from sanmai.plan.prediction import keep, observed_lengths, predict

    found = calibrate(policy, config, train, out)
    parts = memory_bytes(policy, StepShape.of(config, num_held_out), found.prompt_length, found.kept)
    lines, most = _memory_lines(parts, policy, config.cluster, base)
    yield from lines
    if config.cluster.trainers > 1:
        yield f"What was measured, and the times below, are of one process; the run has {config.cluster.trainers} trainers."
    machine = found.machine
    yield (
        f"Measured in {found.seconds:.1f} s: matrix products reach {machine['matrix_gflops']:,.0f} GFLOP/s in "
        f"{machine['dtype']} on {cores(machine)}; {'; '.join(n for n in found.notes if not n.endswith('.'))}."
    )
    yield from (note for note in found.notes if note.endswith("."))
    checkpoint = checkpoint_bytes(policy, config)
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
    yield keep(found, bound, most, config, out)


def _prediction_lines(when: str, p: Prediction) -> Iterator[str]:
    yield (
        f"{when}: sampling {seconds(p.seconds['sampling'])} a step ({p.sampled_per_second:,.0f} tokens/s), training "
        f"{seconds(p.seconds['training'])} ({p.trained_per_second:,.0f} tokens/s), saving {seconds(p.seconds['saving'])}; "
        f"an evaluation {seconds(p.seconds['evaluation'])}, {p.num_evaluations} of them; "
        f"the whole run {seconds(p.total_seconds)}."
    )


def _memory_lines(
    parts: dict[str, float], policy: TextPolicy, cluster: ClusterConfig, base: float
) -> tuple[list[str], float]:
    """What is said of the memory, and the bytes that the process will hold at most."""
    whole = parts
    parts = bytes_of_a_trainer(parts, sum(p.numel() for p in policy.weights.values()), cluster)
    who = f"Memory of each of {cluster.trainers} trainers" if cluster.trainers > 1 else "Memory"
    always, sampling, training = (
        {name: parts[name] for name in names if parts.get(name)}
        for names in (
            ("weights", "gathered weights", "gradients", "optimizer", "reference"),
            ("KV cache", "joined weights", "gathered to sample"),
            ("activations", "logits", "workers' gradients"),
        )
    )
    listed = lambda sizes: ", ".join(f"{name} {size(taken)}" for name, taken in sizes.items())  # noqa: E731
    total = sum(always.values())
    writes = f"Sampling adds at most: {listed(sampling)}; training" if sampling else "Training adds"
    most = base + total + max(sum(sampling.values()), sum(training.values()))
    lines = [
        f"{who}: {listed(always)}, Python and its libraries {size(base)}: {size(base + total)} all the time. {writes}, in the "
        f"micro-batches under way: {listed(training)}. The most at once: {size(most)}."
    ]
    if cluster.transport in ("processes", "ray"):
        of_one = {"weights": whole["weights"], "KV cache": whole["KV cache"] / cluster.num_parts}
        of_one["joined weights"] = whole["joined weights"]
        lines.append(f"Each of {cluster.samplers} samplers besides: {listed(of_one)}: {size(sum(of_one.values()))}.")
    return lines, most


def _mean_prompt(policy: TextPolicy, config: ZeroConfig, train: Sequence[Problem]) -> float:
    lengths = [len(render_prompt(policy.tokenizer, p.messages)) for p in train[: config.prompts_per_step]]
    return sum(lengths) / max(len(lengths), 1)


def _sft(config: SftConfig, policy: TextPolicy, train: list) -> Iterator[str]:
    from sanmai.recipes.sft import rendered, steps_of, with_demonstrations

    warnings: list[str] = []
    kept = rendered(config, policy, with_demonstrations(train), warnings.append)
    yield from (f"Warning: {warning}" for warning in warnings)
    per_step, steps = steps_of(config, kept, policy)
    passes = f"{steps * per_step / len(kept):.3g} passes"
    if config.token_budget is not None:
        passes = f"about {config.token_budget:,} tokens of completions, {passes},"
    if config.operation_budget is not None:
        passes = f"about {config.operation_budget:.3g} operations, {passes},"
    yield (
        f"{len(kept):,} of them come with a worked solution: {passes} in {steps:,} updates of "
        f"{per_step} demonstrations each; the loss is on the completion alone."
    )
    yield optimizer_words(config.optimizer)
    yield _state_line(policy, config.cluster)


def _state_line(policy: TextPolicy, trainers: TrainersConfig) -> str:
    parts = state_bytes(policy, trainers)
    who = f"Memory of each of {trainers.trainers} trainers" if trainers.trainers > 1 else "Memory"
    listed = ", ".join(f"{name} {size(taken)}" for name, taken in parts.items() if taken)
    return f"{who}: {listed}: {size(sum(parts.values()))}, and activations."


def _distill(config: DistillConfig, policy: TextPolicy, train: list) -> Iterator[str]:
    from sanmai.learn.teacher import check_shares_tokenizer, load_teacher

    teacher = load_teacher(None, config.teacher, config.model)
    if config.align == "tokens":
        check_shares_tokenizer(policy, teacher)
    reads = "it shares the tokenizer" if config.align == "tokens" else "it reads the student's text in its own tokens"
    yield (
        f"Teacher {config.teacher.name}: {type(teacher.model).__name__}, {teacher.num_parameters:,} parameters, frozen, in "
        f"{teacher.config.dtype} on {teacher.config.device}; {reads}."
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
        over = "" if config.align == "tokens" else ", over the shortest stretches that whole tokens of both write"
        yield f"Loss: reverse KL to the teacher, estimated from the sampled tokens{over}."
    yield optimizer_words(config.optimizer)
    frozen = sum(p.numel() * p.element_size() for p in teacher.model.parameters())
    each = " of each" if config.cluster.trainers > 1 else ""
    yield f"{_state_line(policy, config.cluster)} The teacher takes {size(frozen)} more{each}."


def describe_pretrain(config: PretrainConfig, out: Path, *, measure: bool) -> Iterator[str]:
    a = config.architecture
    yield (
        f"A new model ({a.family}, {a.layers} layers of width {a.width}) learns "
        f"{config.num_steps * config.documents_per_step:,} documents of the embedded world's corpus in "
        f"{config.num_steps} updates of {config.documents_per_step}. {optimizer_words(config.optimizer)}"
    )



