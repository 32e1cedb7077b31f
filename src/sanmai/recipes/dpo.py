"""DPO: preferences trained straight into a policy, by pairs of a better and a worse response, without a reward model.

Reproduces Rafailov et al. 2023 (arXiv:2305.18290): one pass over the pairs in batches of 64 at 1e-6, beta 0.1, the reference
being the policy that the run starts from. It differs in the optimizer (AdamW, theirs is RMSprop) and has no warm-up unless
asked for. IPO, SimPO, KTO and conservative DPO are other settings of `loss.preset`.

A step scores its pairs once without gradient, takes from the loss how much each completion's log-prob should rise, and trains
on rows with these weights: a pair may be cut apart by micro-batches, and the gradient is that of the whole step.

Shape key: B pairs (2B rows: chosen and rejected in turn), T tokens.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator

from sanmai.cluster.config import TrainersConfig
from sanmai.cluster.trainers import Trainers
from sanmai.config import Config, OnlyWith
from sanmai.data.chat import render_demonstration, thought_warnings
from sanmai.data.curriculum import draw
from sanmai.data.preferences import Pair, load_pairs
from sanmai.data.problems import OnError, split
from sanmai.data.testbeds import find_testbed
from sanmai.learn.evaluation import EvaluationConfig, Evaluator
from sanmai.learn.failure import with_bundle
from sanmai.learn.graders import make_rubric
from sanmai.learn.loop import train_steps
from sanmai.learn.pairs import pair_metrics, pairs_component, row_logps, score_pairs, with_pair_weights
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, check_positions, load_splits, warn_of_overlap
from sanmai.losses import (
    PREFERENCE_PRESETS,
    PreferenceLossSettings,
    kto_reference_kl,
    mismatched_completions,
    preference_weights,
)
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.recipes.reward_data import as_problem
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.engine import GradingConfig
from sanmai.train.components import sft_component
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import TrainingState, start_or_resume
from sanmai.train.step import (
    NonFiniteError,
    OptimizerConfig,
    learning_rate,
    optimizer_step,
    optimizer_words,
)
from sanmai.types import Drawn, InputError, Metrics, Problem, StopReason, TokenBatch


class PreferenceLossConfig(Config):
    preset: Literal["dpo", "cdpo", "ipo", "simpo", "orpo", "kto"] = "dpo"
    """Published loss; the settings below replace parts of it."""
    beta: float | None = Field(None, gt=0)
    """Reward per nat of the log-ratio to the reference ("simpo": per nat per token): the larger, the less the policy moves.
    Of "orpo" the weight of the odds ratio beside sft_weight."""
    gamma: float | None = Field(None, ge=0)
    """Margin of "simpo", in units of the reward."""
    label_smoothing: float | None = Field(None, ge=0, lt=0.5)
    """Share of pairs taken to be the wrong way round; for "dpo", "cdpo" and "simpo"."""
    per_token: bool | None = None
    """Log-ratios per token in place of sums; for "ipo"."""
    desirable_weight: float | None = Field(None, ge=0)
    """Weight of the chosen completions; for "kto"."""
    undesirable_weight: float | None = Field(None, ge=0)
    """Weight of the rejected completions; for "kto"."""

    def settings(self) -> PreferenceLossSettings:
        """The preset with the replaced parts; ValueError when they do not go together."""
        names = [f.name for f in dataclasses.fields(PreferenceLossSettings)]
        replaced = {name: getattr(self, name) for name in names if getattr(self, name, None) is not None}
        return dataclasses.replace(PREFERENCE_PRESETS[self.preset], **replaced)

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.settings()
        return self


class DpoConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run."""
    source: str | None = None
    """The pairs: a .jsonl, .csv or .parquet file (the pairs.parquet of recipe preferences is one), a folder of them,
    hub:NAME[:CONFIG][:SPLIT], or "world" (helpfulness pairs of the embedded world). It must be set."""
    on_error: OnError = "raise"
    """At a malformed line of the source: stop and name it, or skip and count it."""
    limit: int | None = Field(None, ge=1)
    """Use only so many pairs of the source, from the start; None for all."""
    holdout: float = Field(0.0, ge=0, lt=1)
    """Share of the prompts whose pairs are not trained on, but measured with every evaluation."""
    epochs: float = Field(1.0, gt=0, le=1e6)
    """Passes over the pairs."""
    pairs_per_step: int = Field(64, ge=1)
    """Pairs in one optimizer update."""
    max_tokens: int = Field(4096, ge=2)
    """Pairs with a completion longer than this, prompt included, are left out and counted."""
    sft_weight: float = Field(0.0, ge=0, le=1e6)
    """Weight of the negative log-likelihood per token of the chosen completions, beside the preference loss."""
    model: ModelConfig = ModelConfig()
    loss: PreferenceLossConfig = PreferenceLossConfig()
    problems: ProblemsConfig = ProblemsConfig()
    """For evaluation only: problems.evaluation, or what is held out of problems.source, as in sft and zero."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-6)
    sampling: SamplingConfig = SamplingConfig()
    """For evaluation only."""
    rewards: RewardsConfig = RewardsConfig()
    """For evaluation only."""
    grading: GradingConfig = GradingConfig()
    """For evaluation only, but for the opening thought tag: a response leaves its own out where the prompt ends with it."""
    evaluation: EvaluationConfig = EvaluationConfig()
    cluster: TrainersConfig = TrainersConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()

    only_with = (
        OnlyWith("source from files", lambda c: find_testbed(c.source) is None, "on_error"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.loss.preset == "orpo" and not self.sft_weight:
            raise ValueError('loss.preset = "orpo" is SFT with an odds ratio beside it: set sft_weight = 1')
        self.cluster.check_trainers(self.model)
        return self

    @property
    def keeps_reference(self) -> bool:
        """A copy of the starting weights is held, and one more forward pass made."""
        return self.loss.settings().needs_reference


@dataclass(frozen=True)
class EncodedPair:
    """A pair as the policy reads it; completions end with the stop token."""

    item: Pair
    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    @property
    def sequences(self) -> tuple[tuple[list[int], list[int]], tuple[list[int], list[int]]]:
        return (self.prompt, self.chosen), (self.prompt, self.rejected)


def run_dpo(
    config: DpoConfig, out: Path, *, problems: Sequence[Problem] | None = None, progress: Progress | None = None
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source; the held-out part of them is evaluated on, none is trained on.
    """
    _check_source(config)
    progress = progress or Progress.silent()
    with Run(out, "dpo", config) as run, Trainers(config.cluster) as trainers:
        train, held_out_pairs = load_preference_pairs(config, run.warn)
        held_out = held_out_problems(config, problems, train, run.warn)
        state = start_or_resume(
            run, config.model, config.optimizer, keep_reference=config.keeps_reference, load=load_policy,
            team=trainers.team,
        )  # fmt: skip
        policy = state.policy
        trainers.write_for(policy, config.cluster.num_writers)
        origin: dict[str, Any] = {"train": train, "held_out_pairs": held_out_pairs, "evaluation": held_out}
        run.log_environment(describe_environment(policy, origin, start_digest=state.start_digest))
        check_positions(policy, held_out, config.evaluation.max_tokens or config.sampling.max_tokens)
        pairs = encode_pairs(policy, train, config, "pairs", run.warn)
        measured = encode_pairs(policy, held_out_pairs, config, "held-out pairs", run.warn)
        per_step, num_steps = plan_steps(config, pairs)
        rubric = make_rubric(
            config.rewards, None, [], held_out=held_out, device=config.model.device, gold=config.evaluation.gold, run=run
        )
        evaluator = Evaluator(
            run, config.evaluation, held_out, rubric, seed=config.seed, sampling=config.sampling, grading=config.grading,
            progress=progress,
        )

        def measure(step: int) -> Metrics:
            found = evaluator(step, policy)
            with progress.phase("evaluation"):
                return found | measure_pairs(state, measured, config)

        def learn(step: int) -> Metrics:
            batch = draw(pairs, per_step, seed=config.seed, step=step)
            return update(run, state, batch, config, step, num_steps)

        train_steps(
            run, state, num_steps, is_due=config.evaluation.is_due, checkpoints=config.checkpoints, update=learn, measure=measure,
            progress=progress,
        )
    return run.folder


def describe_dpo(config: DpoConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences; pairs, problems and model are loaded and checked."""
    _check_source(config)
    warnings: list[str] = []
    train, held_out_pairs = load_preference_pairs(config, warnings.append)
    held_out = held_out_problems(config, None, train, warnings.append)
    policy = load_policy(config.model)
    check_positions(policy, held_out, config.evaluation.max_tokens or config.sampling.max_tokens)
    pairs = encode_pairs(policy, train, config, "pairs", warnings.append)
    measured = encode_pairs(policy, held_out_pairs, config, "held-out pairs", warnings.append)
    per_step, num_steps = plan_steps(config, pairs)
    settings = config.loss.settings()
    trained = sum(p.numel() for p in policy.weights.values())
    yield (
        f"Model {config.model.name}: {type(policy.model).__name__}, {policy.num_parameters:,} parameters, {trained:,} of "
        f"them trained, arithmetic in {config.model.dtype} on {config.model.device}."
    )
    yield f"{len(pairs):,} pairs to train on, {len(measured):,} held out; {len(held_out):,} problems to evaluate on."
    yield from (f"Warning: {warning}" for warning in warnings)
    beside = f", and SFT on the chosen completions at weight {config.sft_weight:g}" if config.sft_weight else ""
    yield (
        f"{config.epochs:g} pass{'es' if config.epochs != 1 else ''} in {num_steps} updates of {per_step} pairs; loss "
        f"{config.loss.preset} at beta {settings.beta:g}{beside}."
    )
    if config.keeps_reference:
        yield "The starting policy is kept as the reference: a copy of the trained weights, in each checkpoint too."
    yield optimizer_words(config.optimizer)


def load_preference_pairs(config: DpoConfig, on_warning: Callable[[str], None]) -> tuple[list[Pair], list[Pair]]:
    """Training and held-out pairs; no prompt is in both.

    Raises:
        InputError: a source that cannot be used, or nothing left to train on.
    """
    assert config.source is not None  # _check_source has refused it
    bed = find_testbed(config.source)
    rows = bed.pairs(seed=config.seed) if bed is not None else None
    loaded = load_pairs(config.source, rows=rows, on_error=config.on_error, limit=config.limit, on_warning=on_warning)
    if loaded.skipped:
        on_warning(
            f"{config.source}: {len(loaded.skipped)} malformed lines passed over, the first: {loaded.skipped[0]}"
        )
    if loaded.duplicates:
        on_warning(f"{config.source}: {loaded.duplicates} pairs left out because an earlier one says the same")
    ids = {p.id for p in split([as_problem(pair) for pair in loaded.items], config.holdout, config.seed)[1]}
    train = [pair for pair in loaded.items if pair.id not in ids]
    if not train:
        raise InputError(f"holdout = {config.holdout:g}: of {len(loaded.items)} pairs none is left to train on")
    if config.holdout and not ids:
        on_warning(f"holdout = {config.holdout:g}: none of {len(train)} pairs is held out")
    return train, [pair for pair in loaded.items if pair.id in ids]


def held_out_problems(
    config: DpoConfig, given: Sequence[Problem] | None, train: Sequence[Pair], on_warning: Callable[[str], None]
) -> list[Problem]:
    """What the policy is evaluated on before and after; told of problems whose words are in a pair's prompt too."""
    _, held_out = load_splits(config.problems, config.seed, given, on_warning=on_warning, needs_answer=False)
    held_out = [p for p in held_out if p.answer is not None or p.kind != "reasoning"]
    warn_of_overlap([as_problem(pair) for pair in train], held_out, on_warning, "the prompt of a pair")
    return held_out


def encode_pairs(
    policy: TextPolicy, items: Sequence[Pair], config: DpoConfig, what: str, on_warning: Callable[[str], None]
) -> list[EncodedPair]:
    """The pairs in tokens; those that are too long, empty or alike in tokens are left out and counted.

    Args:
        what: names them in warnings.

    Raises:
        InputError: there were some, and none is left.
    """
    room = _room(policy, config)
    kept: list[EncodedPair] = []
    num_long = num_empty = num_alike = 0
    chosen_ones = [Problem(item.id, item.messages, demonstration=item.chosen) for item in items]
    for sentence in thought_warnings(policy.tokenizer, chosen_ones, config.grading.thought_tags):
        on_warning(f"{what}: {sentence}")
    for item in items:
        prompt, chosen, rejected = _encode(policy, item, config.grading.thought_tags)
        if chosen == rejected:  # texts that differ may not, to a tokenizer that does not know their words
            num_alike += 1
        elif min(len(chosen), len(rejected)) < 2:  # the stop token alone
            num_empty += 1
        elif len(prompt) + max(len(chosen), len(rejected)) > room:
            num_long += 1
        else:
            kept.append(EncodedPair(item, prompt, chosen, rejected))
    counts = (
        (num_alike, "have two responses of the same tokens"),
        (num_empty, "have an empty response"),
        (num_long, f"are longer than {room} tokens (max_tokens, or the model's positions)"),
    )
    told = [f"{number} of {len(items)} {what} {why}" for number, why in counts if number]
    if items and not kept:
        raise InputError(f"source = {config.source!r}: none of the {what} can be used: {'; '.join(told)}")
    for text in told:
        on_warning(f"{text} and are left out")
    return kept


def plan_steps(config: DpoConfig, pairs: Sequence[EncodedPair]) -> tuple[int, int]:
    """Pairs in a step, and steps of the run.

    Raises:
        InputError: for "kto", a step might hold too many pairs of one prompt to set each completion beside another prompt.
    """
    per_step = min(config.pairs_per_step, len(pairs))
    if config.loss.preset == "kto":
        most = max(Counter(tuple(pair.prompt) for pair in pairs).values())
        if 2 * most > len(pairs):
            raise InputError(
                f"loss.preset = 'kto': {most} of {len(pairs)} pairs have one prompt; expected at most half, so that every "
                "completion can be set beside another prompt"
            )
        if per_step < 2 * most:
            raise InputError(
                f"loss.preset = 'kto': {most} pairs have one prompt, and a step has {per_step}; expected at least {2 * most} "
                "(pairs_per_step), so that every completion can be set beside another prompt"
            )
    return per_step, max(round(config.epochs * (len(pairs) // per_step)), 1)


def update(
    run: Run, state: TrainingState, pairs: Sequence[EncodedPair], config: DpoConfig, step: int, num_steps: int
) -> Metrics:
    """One optimizer update on the pairs of a step.

    Returns:
        `loss/dpo`, the preference loss whatever its preset; `loss/sft` (weighted) where it has a weight; before the update
        `preference/accuracy`, `.../margin`, `.../reward_chosen` and `.../reward_rejected`, means over pairs, for "kto" its
        `preference/reference_kl`; `policy/entropy`, `policy/grad_norm`, `optimizer/lr`, `tokens/trained` of both completions.

    Raises:
        NonFiniteError: the loss or the gradient is not finite; weights and optimizer state are as before.
    """
    settings, micro_tokens = config.loss.settings(), config.optimizer.micro_tokens
    batch = pack([sequence for pair in pairs for sequence in pair.sequences])
    components = {"dpo": pairs_component()}
    is_chosen_B1 = torch.tensor([True, False]).repeat(len(pairs))[:, None]
    if config.sft_weight:
        batch = batch.with_streams({"sft": (batch.mask_BT & is_chosen_B1).float()})
        components["sft"] = sft_component(config.sft_weight)
    try:
        scores = score_pairs(state, batch, settings, micro_tokens)
        reference_kl = _reference_kl(state, pairs, config) if settings.loss == "kto" else None
        chosen_B, rejected_B, found = preference_weights(
            settings, *scores, denominator=float(len(pairs)), reference_kl=reference_kl
        )
        batch = with_pair_weights(batch, chosen_B, rejected_B)
        result = optimizer_step(
            state.policy, state.optimizer, batch, components,
            lr=learning_rate(config.optimizer, step, num_steps), temperature=1.0, config=config.optimizer,
        )  # fmt: skip
    except NonFiniteError as error:
        raise _with_bundle(run, step, error, state, batch, pairs, config) from None
    del result.metrics["policy/logp_mismatch_max"]  # the responses were not sampled here
    told = pair_metrics(settings, scores)
    if reference_kl is not None:
        told["reference_kl"] = reference_kl
    return (
        result.metrics
        | {"loss/dpo": found["preference_loss"], "tokens/trained": float(batch.mask_BT.sum())}
        | {f"preference/{name}": value for name, value in told.items()}
    )


def measure_pairs(state: TrainingState, pairs: Sequence[EncodedPair], config: DpoConfig) -> Metrics:
    """`eval/pair_accuracy` and `eval/pair_margin` on held-out pairs; nothing where there are none."""
    if not pairs:
        return {}
    settings = config.loss.settings()
    batch = pack([sequence for pair in pairs for sequence in pair.sequences])
    found = pair_metrics(settings, score_pairs(state, batch, settings, config.optimizer.micro_tokens))
    return {"eval/pair_accuracy": found["accuracy"], "eval/pair_margin": found["margin"]}


def _check_source(config: DpoConfig) -> None:
    if config.source is None:
        raise InputError(
            'source is not set: expected a file of preference pairs (--set source=pairs.jsonl), or "world" for those of the '
            "embedded world"
        )


def _encode(policy: TextPolicy, item: Pair, thought_tags: tuple[str, str]) -> tuple[list[int], list[int], list[int]]:
    """Prompt, chosen and rejected tokens; a response is a demonstration that is written as it stands."""
    (prompt, chosen), (_, rejected) = (
        render_demonstration(
            policy.tokenizer,
            Problem(item.id, item.messages, demonstration=text),
            thought_tags,
            may_stay_open=text is item.rejected,  # pairs with samples that were cut off are wanted
        )
        for text in (item.chosen, item.rejected)
    )
    return prompt, chosen, rejected


def _room(policy: TextPolicy, config: DpoConfig) -> int:
    return min(config.max_tokens, policy.max_positions or config.max_tokens)


def _reference_kl(state: TrainingState, pairs: Sequence[EncodedPair], config: DpoConfig) -> float:
    """KTO's reference point z of the whole step: two more forward passes."""
    rows = [row for pair in pairs for row in pair.sequences]
    others = mismatched_completions([tuple(prompt) for prompt, _ in rows])
    room = _room(state.policy, config)
    # A long completion after a long prompt is cut to what the model can read: its beginning has a log-ratio too.
    mixed = [(prompt, rows[k][1][: room - len(prompt)]) for (prompt, _), k in zip(rows, others, strict=True)]
    logp_B, reference_B = row_logps(state, pack(mixed), True, config.optimizer.micro_tokens)
    assert reference_B is not None
    if not math.isfinite(gap := (logp_B - reference_B).mean().item()):
        raise NonFiniteError(f"mean log-ratio of mismatched completions = {gap} before the optimizer step")
    return kto_reference_kl(logp_B, reference_B)


def _with_bundle(
    run: Run,
    step: int,
    error: NonFiniteError,
    state: TrainingState,
    batch: TokenBatch,
    pairs: Sequence[EncodedPair],
    config: DpoConfig,
) -> NonFiniteError:
    """The error with a bundle whose replay tells rows apart by their likelihood: sample 0 of a pair is the chosen one."""
    shown = batch.with_streams({"sft": batch.mask_BT.float()})
    rollouts = [
        Drawn(pair.item.id, k, prompt, completion, [0.0] * len(completion), StopReason.STOP, 0, "")
        for pair in pairs
        for k, (prompt, completion) in enumerate(pair.sequences)
    ]
    return with_bundle(
        run, step, error, state.policy, shown, shows="pairs", loss=None, temperature=1.0,
        max_tokens=config.max_tokens, rollouts=rollouts,
    )  # fmt: skip
