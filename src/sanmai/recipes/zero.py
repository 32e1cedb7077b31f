"""R1-Zero: reinforcement learning on verifiable rewards, straight on a base model.

Reproduces the recipe of DeepSeek-R1-Zero (arXiv:2501.12948, section 2.2): sample a group of completions per problem, grade
them by rule, make the group's mean the baseline, and take a clipped policy-gradient step. It differs where a default of ours
says so: the loss is averaged over the tokens of the whole step (DAPO) instead of per sequence, there is no KL term unless
`loss.kl_weight` asks for one, and the format reward is off unless `rewards.format` asks for it, so that a report shows
whether thinking grows by itself. `--config zero-paper` has the paper's values.

Shape key: see rollout/pack.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from sanmai.cluster.config import ClusterConfig
from sanmai.cluster.samplers import Cluster
from sanmai.config import Config
from sanmai.learn.ahead import Ahead
from sanmai.learn.alarm import HackingAlarm, check_gold
from sanmai.learn.auxiliary_sft import AuxiliarySft, AuxiliarySftConfig
from sanmai.learn.constraints import Constraints, ConstraintsConfig
from sanmai.learn.curriculum import Curriculum, CurriculumConfig
from sanmai.learn.evaluation import EvaluationConfig, Evaluator
from sanmai.learn.graders import Given, make_rubric, recorded_as
from sanmai.learn.learner import Learner
from sanmai.learn.length import LengthConfig
from sanmai.learn.loop import operations_of
from sanmai.learn.machine import peak_memory, peak_of
from sanmai.learn.mixture import Mixture, MixtureConfig
from sanmai.learn.progress import Progress
from sanmai.learn.refill import RefillConfig
from sanmai.learn.shared_judges import warn_of_shared_judges
from sanmai.learn.sources import ProblemsConfig, check_positions, load_splits, refuse_turns
from sanmai.learn.spending import Spending, refuse_two_budgets
from sanmai.learn.step_credit import CreditConfig, StepCredit
from sanmai.learn.step_rollouts import PartialConfig, StepRollouts
from sanmai.losses import MIRROR
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.flops import Arithmetic, arithmetic_of, counted, probe_flops, step_flops
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig, refuse_equal_samples
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.rollout.engine import GradingConfig
from sanmai.rollout.measure import training_metrics
from sanmai.train.components import LossConfig, ValueConfig
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import TrainingState, start_or_resume
from sanmai.train.step import OptimizerConfig
from sanmai.types import Credited, Graded, Group, Metrics, Problem


class ZeroConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run."""
    num_steps: int = Field(200, ge=1)
    """Steps: each samples a batch of problems and updates the policy on the graded rollouts."""
    prompts_per_step: int = Field(32, ge=1)
    """Problems drawn in one step."""
    rollouts_per_prompt: int = Field(8, ge=2)
    """Group size: completions of each problem. The baseline is taken within the group, so one is not enough."""
    token_budget: int | None = Field(None, ge=1)
    """Stop after the step in which the tokens sampled and trained on, those of the auxiliary SFT loss and the probe too, reach
    this; num_steps is then the most steps. None: all steps."""
    operation_budget: float | None = Field(None, gt=0)
    """Stop after the step in which the floating point operations of sampling, training, the auxiliary SFT loss and the probe
    reach this, as policies/text/flops.py counts them; evaluations are not counted. None: no such end."""
    updates_per_step: int = Field(1, ge=1)
    """Optimizer updates per step, each on an equal share of the step's rollouts."""
    model: ModelConfig = ModelConfig()
    problems: ProblemsConfig = ProblemsConfig()
    mixture: MixtureConfig = MixtureConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    refill: RefillConfig = RefillConfig()
    partial: PartialConfig = PartialConfig()
    length: LengthConfig = LengthConfig()
    sampling: SamplingConfig = SamplingConfig()
    cluster: ClusterConfig = ClusterConfig()
    rewards: RewardsConfig = RewardsConfig()
    grading: GradingConfig = GradingConfig()
    loss: LossConfig = LossConfig()
    credit: CreditConfig = CreditConfig()
    auxiliary_sft: AuxiliarySftConfig = AuxiliarySftConfig()
    constraints: ConstraintsConfig = ConstraintsConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()

    @property
    def measures_kl(self) -> bool:
        """The KL to the reference is in the loss, or may come to be: one more forward pass."""
        return self.loss.kl_weight > 0 or self.constraints.kl is not None or self.constraints.drives("kl")

    @property
    def keeps_reference(self) -> bool:
        """Something is measured to the reference: a copy of the trained weights."""
        return self.measures_kl or self.loss.kl_in_reward > 0

    @property
    def extra_forwards(self) -> int:
        """Passes without gradient over what a step trains on."""
        return self.measures_kl + self.loss.num_scorings

    @property
    def leaves_per_prompt(self) -> int:
        """Rollouts of each problem, the forks of a tree among them."""
        return self.rollouts_per_prompt * (1 + (self.credit.forks if self.credit.by == "tree" else 0))

    @property
    def has_greedy(self) -> bool:
        """A greedy completion of each problem is written, too: the baseline of ReMax."""
        return self.loss.settings().baseline == "greedy"

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_equal_samples(self.sampling.temperature, self.rollouts_per_prompt)
        refuse_two_budgets(self.token_budget, self.operation_budget)
        if self.updates_per_step > self.prompts_per_step * self.rollouts_per_prompt:
            raise ValueError("updates_per_step is above the number of rollouts of a step")
        if self.mixture.files and self.curriculum.tracks:
            raise ValueError("mixture.files and a curriculum: both say which of the reasoning problems are drawn")
        if not self.mixture.shuffles and self.curriculum.tracks:
            raise ValueError("mixture.shuffles = false and a curriculum: both say in which order reasoning problems are drawn")
        if self.mixture.files and not isinstance(self.problems.source, tuple):
            raise ValueError("mixture.files weighs the files of a list: problems.source names one source alone")
        if self.credit.is_per_token or self.credit.step_bonus:
            self._check_credit()
        if self.refill.tries:
            self._check_refill()
        if self.cluster.staleness:
            self._check_staleness()
        self.cluster.check_trainers(self.model)
        is_greedy = self.has_greedy or 0 in (self.sampling.temperature, self.evaluation.temperature)
        if self.cluster.transport == "http" and is_greedy:
            raise ValueError("cluster.transport 'http' and temperature 0: vLLM gives no log-probs of what is recorded there")
        if self.has_greedy and self.partial.segment_tokens is not None:
            raise ValueError("loss.baseline 'greedy' and partial.segment_tokens: a greedy completion is written in one step")
        if self.has_greedy and self.length.weight and self.length.reward == "kimi":
            raise ValueError("loss.baseline 'greedy' and length.reward 'kimi': a greedy completion has no group to be short in")
        if (self.auxiliary_sft.source is None) is (self.auxiliary_sft.has_weight or self.constraints.drives("auxiliary_sft")):
            raise ValueError(
                "auxiliary_sft.source and a weight go together: demonstrations, and auxiliary_sft.weight or a constraint that "
                "drives it"
            )
        return self

    def _check_credit(self) -> None:
        """Credit by steps is a number per token; what reads or changes one per rollout does not go with it."""
        name, settings = f"credit.by = {self.credit.by!r}", self.loss.settings()
        if self.partial.segment_tokens is not None:
            raise ValueError(f"{name if self.credit.is_per_token else 'credit.step_bonus'} and partial.segment_tokens: steps are "
                             "those of whole rollouts")  # fmt: skip
        if not self.credit.is_per_token:
            return
        baselines = ("mean",) if self.credit.by == "tree" else ("mean", "leave_one_out", "value")
        if self.credit.by_head and settings.baseline != "value":
            raise ValueError("credit.rollouts = 0: the value head says what follows a step; expected loss.baseline 'value'")
        if settings.baseline == "value" and self.credit.potential is not None and self.credit.weight_of_later == 1.0:
            raise ValueError(
                "credit.potential above a value head: at credit.decay = 1, which is the default there, what the potential says "
                "cancels; state a credit.decay below 1"
            )
        if settings.baseline == "value" and self.loss.value.gae_lambda != ValueConfig.model_fields["gae_lambda"].default:
            raise ValueError("credit.by = 'steps' and loss.value.gae_lambda: over steps it is credit.decay")
        if settings.baseline not in baselines or settings.advantage_scale not in ("none", "batch_std"):
            raise ValueError(
                f"{name} and loss.baseline {settings.baseline!r}, loss.advantage_scale {settings.advantage_scale!r}: expected "
                f"{' or '.join(baselines)}, and 'none' or 'batch_std', as loss.preset 'dr_grpo' or 'reinforce++_baseline' has"
            )
        if settings.surrogate in MIRROR or settings.surrogate.startswith("sequence"):
            raise ValueError(f"{name} gives every token its own advantage, and {settings.surrogate!r} takes one per rollout")
        if self.loss.normalise_each or self.loss.kl_in_reward:
            raise ValueError(f"{name} does not go with loss.normalise_each or loss.kl_in_reward")
        if self.length.weight:
            raise ValueError(f"{name} and length.weight: what is paid for length is known of whole groups, not after a step")
        if self.refill.tries:
            raise ValueError(f"{name} and refill.tries: rollouts of equal reward may differ in their steps")

    def _check_staleness(self) -> None:
        if self.loss.importance_cap is None:
            raise ValueError(
                "cluster.staleness needs loss.importance_cap: rollouts of an older policy are trained on with bounded weights"
            )
        for name, is_on in (
            ("partial.segment_tokens", self.partial.segment_tokens is not None), ("refill.tries", self.refill.tries),
            ("a curriculum that tracks success", self.curriculum.tracks), ("loss.baseline 'greedy'", self.has_greedy),
            ("credit by steps", self.credit.is_per_token or self.credit.step_bonus),
        ):  # fmt: skip
            if is_on:
                raise ValueError(f"cluster.staleness and {name}: what a step writes would hang on steps that are not trained yet")

    def _check_refill(self) -> None:
        if self.partial.segment_tokens is not None:
            raise ValueError("refill.tries and partial.segment_tokens: a step whose rollouts end later cannot tell what it lacks")
        if self.constraints.drives("cost"):
            raise ValueError("refill.tries and a constraint that drives the cost: a group of equal rewards may differ in cost")
        if self.loss.normalise_each:
            raise ValueError("refill.tries and loss.normalise_each: a group of equal rewards may differ in their components")
        if self.loss.kl_in_reward:
            raise ValueError("refill.tries and loss.kl_in_reward: a group of equal rewards may differ in its tokens'")
        if (baseline := self.loss.settings().baseline) in ("batch", "best", "greedy", "value"):
            raise ValueError(f"refill.tries: with loss.baseline {baseline!r} a group of equal rewards is learned from, too")


def run_zero(
    config: ZeroConfig,
    out: Path,
    *,
    problems: Sequence[Problem] | None = None,
    reward: Given = None,
    progress: Progress | None = None,
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source; part of them is held out for evaluation as there.
        reward: instead of the accuracy verifier: any callable (problem, completion) -> float, or None for "cannot be graded".
    """
    progress = progress or Progress.silent()
    with Run(out, "zero", config) as run, Cluster(config.cluster) as cluster:
        parts = _parts(config, run, problems, reward, progress, cluster)
        cluster.write_for(parts.state.policy, run.folder, on_warning=run.warn)
        ahead = cluster.closing(Ahead(run, cluster, parts.rollouts, parts.rubric, config.grading, num_steps=config.num_steps))
        state, rollouts, learner, constraints = parts.state, parts.rollouts, parts.learner, parts.constraints
        arithmetic, uncounted = arithmetic_of(state.policy.model)
        if config.operation_budget is not None:
            counted(arithmetic, uncounted)
        spending = Spending(config.token_budget, state, config.operation_budget)
        is_done = run.start_step >= config.num_steps or spending.is_over
        if not is_done:
            ahead.restore(state.policy, state.extra, parts.train)
            run.event("machine", **peak_of(state.policy), uncounted=uncounted)
        progress.begin(run, config.num_steps)
        if config.cluster.words and not is_done:
            progress.say(config.cluster.words)
        if run.start_step == 0:
            run.log_step(0, parts.evaluator(0, state.policy))
        for step in run.steps(0 if is_done else config.num_steps, progress.interrupting):
            num_steps = spending.total_steps(step, config.num_steps)
            probed: Metrics = {}
            flops: dict[str, float] = {}
            if constraints is not None and constraints.is_due(step):
                with progress.phase("probing"):
                    ahead.settle()
                    answers, probed = _probe(constraints, config, run, state, step)
                    flops |= {"probing": probe_flops(arithmetic, answers)} if arithmetic is not None else {}
            with progress.phase("sampling"):
                written, paid = rollouts.finish(ahead.write(state.policy, step), step, num_steps)
            with progress.phase("training"):
                groups, found = learner.update(written, step, num_steps)
                flops |= operations_of(found) | _useful_flops(arithmetic, groups, found, config.loss)
            metrics = training_metrics(groups) | written.stats.metrics() | paid | probed | found
            last = step if spending.add(metrics, flops) else config.num_steps
            if config.evaluation.is_due(step, last):
                ahead.settle()
                metrics |= parts.evaluator(step, state.policy)
            with progress.phase("saving"):
                run.log_step(step, metrics, [*groups, *written.greedy])
                if run.commits(step, last, config.checkpoints):
                    limits = constraints.state() if constraints else {}
                    state.extra = limits | spending.state() | rollouts.state() | learner.state() | ahead.state()
                    run.save(step, state.save, config.checkpoints)
            progress.step(step, metrics, flops, num_steps=num_steps)
            if step == last:
                break
        if not run.interrupted and rollouts.num_waiting:
            run.warn(f"{rollouts.num_waiting} rollouts had not ended when the run did, and were not trained on")
        if not (is_done or run.interrupted) and ahead.num_waiting:
            run.warn(f"{ahead.num_waiting} rollouts were written ahead of the run's last step, and were not trained on")
        if not is_done:  # once more: another program may have had the cores at the start
            run.event("machine", **peak_of(state.policy), uncounted=uncounted, peak_memory=peak_memory())
        progress.end(run)
    return run.folder


@dataclass(frozen=True)
class _Parts:
    """What the steps of a run are made of."""

    state: TrainingState
    train: Sequence[Problem]
    rubric: Rubric
    rollouts: StepRollouts
    learner: Learner
    constraints: Constraints | None
    evaluator: Evaluator


def _parts(
    config: ZeroConfig, run: Run, problems: Sequence[Problem] | None, reward: Given, progress: Progress, cluster: Cluster
) -> _Parts:
    """Everything is read, checked and restored before the first step."""
    needs_answer = reward is None and config.rewards.needs_answers
    train, held_out = load_splits(
        config.problems, config.seed, problems, on_warning=run.warn, needs_answer=needs_answer, several_turns=True
    )
    refuse_with_dialogues(config, [*train, *held_out])
    value_lr = config.loss.value.lr if config.loss.settings().baseline == "value" else None
    state = start_or_resume(
        run, config.model, config.optimizer, keep_reference=config.keeps_reference, load=load_policy, value_lr=value_lr,
        team=cluster.team,
    )  # fmt: skip
    named, origin = recorded_as(config.rewards, reward), {"train": train, "evaluation": held_out}
    run.log_environment(describe_environment(state.policy, origin, start_digest=state.start_digest, reward=named))
    budget = max(config.sampling.max_tokens, config.evaluation.max_tokens or 0)
    check_positions(state.policy, [*train, *held_out], budget)
    rubric = make_rubric(
        config.rewards, reward, train, held_out=held_out, device=config.model.device, gold=config.evaluation.gold, run=run
    )
    auxiliary_sft = constraints = None
    if config.auxiliary_sft.source is not None:
        auxiliary_sft = AuxiliarySft(config.auxiliary_sft, state.policy, config.grading.thought_tags, on_warning=run.warn)
    if config.constraints.limits:
        learned = [*train, *(auxiliary_sft.problems if auxiliary_sft else ())]
        constraints = _constraints(config, run, state, learned, held_out)
        check_positions(state.policy, constraints.probe, budget)
    rollouts = _step_rollouts(config, run, train, state.policy)
    rollouts.restore(state.extra, train)
    learner = _learner(config, run, state, auxiliary_sft, constraints)
    return _Parts(state, train, rubric, rollouts, learner, constraints, _evaluator(config, run, held_out, rubric, progress))


def refuse_with_dialogues(config: ZeroConfig, problems: Sequence[Problem]) -> None:
    """Refuse settings that know completions of one turn alone where a problem is a dialogue with an environment.

    Raises:
        InputError: such a setting.
    """
    for name, is_on in (
        ("partial.segment_tokens", config.partial.segment_tokens is not None), ("cluster.staleness", config.cluster.staleness),
        ("credit by steps", config.credit.is_per_token or config.credit.step_bonus),
        ("length.reward = 'cosine'", config.length.weight and config.length.reward == "cosine"),
    ):  # fmt: skip
        if is_on:
            refuse_turns(problems, f"{name} (of this recipe)")


def _evaluator(
    config: ZeroConfig, run: Run, held_out: Sequence[Problem], rubric: Rubric, progress: Progress
) -> Evaluator:
    has_budget = config.token_budget is not None or config.operation_budget is not None
    planned = None if has_budget else config.evaluation.num_evaluations(config.num_steps)
    looks = planned is None or planned > config.evaluation.alarm.window
    if run.start_step == 0 and looks:
        check_gold(config.rewards, config.evaluation.gold, held_out, run.warn)
    return Evaluator(
        run, config.evaluation, held_out, rubric, seed=config.seed, sampling=config.sampling, grading=config.grading,
        progress=progress, alarm=HackingAlarm(config.evaluation.alarm, run, rubric.weights, planned),
    )


def _step_rollouts(config: ZeroConfig, run: Run, train: Sequence[Problem], policy: TextPolicy) -> StepRollouts:
    mixture = Mixture(config.mixture, train, config.prompts_per_step, config.num_steps, seed=config.seed)
    curriculum = None
    if config.curriculum.tracks:
        curriculum = Curriculum(config.curriculum, train, config.num_steps, seed=config.seed)
    credit = None
    if config.credit.is_per_token or config.credit.step_bonus:
        credit = StepCredit(
            config.credit, policy, config.sampling, config.grading, seed=config.seed, device=config.model.device,
            on_warning=run.warn,
        )  # fmt: skip
    return StepRollouts(
        mixture, curriculum, per_prompt=config.rollouts_per_prompt, seed=config.seed, sampling=config.sampling,
        grading=config.grading, partial=config.partial, length=config.length, refill=config.refill,
        has_greedy=config.has_greedy, on_warning=run.warn, credit=credit,
    )


def _learner(
    config: ZeroConfig, run: Run, state: TrainingState, auxiliary_sft: AuxiliarySft | None, constraints: Constraints | None
) -> Learner:
    return Learner(
        run, state, config.loss, config.optimizer, seed=config.seed, num_updates=config.updates_per_step,
        temperature=config.sampling.temperature, max_tokens=config.sampling.max_tokens,
        newest_alone=config.partial.earlier == "exclude", auxiliary_sft=auxiliary_sft, constraints=constraints,
    )


def _constraints(
    config: ZeroConfig, run: Run, state: TrainingState, learned: Sequence[Problem], held_out: Sequence[Problem]
) -> Constraints:
    """The constraints, with the multipliers that the run state has.

    Args:
        learned: what is trained on, those of the auxiliary SFT loss among it.
    """
    constraints = Constraints(
        config.constraints,
        config.rewards,
        trained=learned,
        reported=held_out,
        device=config.model.device,
        on_warning=run.warn,
    )
    warn_of_shared_judges(
        config.constraints, config.evaluation.gold, probe=constraints.probe, reported=held_out, on_warning=run.warn
    )
    constraints.restore(state.extra)
    return constraints


def _probe(
    constraints: Constraints, config: ZeroConfig, run: Run, state: TrainingState, step: int
) -> tuple[list[Group[Graded]], Metrics]:
    """What the probe shows before a step, which moves the multipliers; its rollouts are logged."""
    answers, probed = constraints.measure(
        state.policy, seed=config.seed, step=step, sampling=config.sampling, grading=config.grading
    )
    run.log_probe(step, answers)
    return answers, probed


def _useful_flops(
    arithmetic: Arithmetic | None, groups: Sequence[Group[Credited]], found: Metrics, loss: LossConfig
) -> dict[str, float]:
    """Operations of a step that were of use, per phase; none where they are not counted.

    Args:
        found: metrics of the step's update: its `loss/NAME` are the components that it had, those of constraints among them.
    """
    if arithmetic is None:
        return {}
    has_reference = "loss/kl_to_reference" in found
    return step_flops(
        arithmetic,
        groups,
        extra_forwards=has_reference + loss.num_scorings,
        needs_all=has_reference or "loss/entropy" in found,
    )
