"""Flow: rectified-flow video policies from human feedback, on worlds of moving shapes and digits.

Reproduces the comparison of Liu et al. 2025 (arXiv:2501.13918) at a size that a laptop trains: supervised fine-tuning on the
winners of the policy's own clips, Flow-RWR, Flow-DPO at a constant or falling beta, guidance of sampling by a reward of noised
clips (Flow-NRG), and beside it Flow-GRPO (arXiv:2505.05470). It differs in the reward: harm is a dimension of its own and never
part of quality. The losses are those of text: a flow says how likely a clip is by exact log-probs of its steps, or by how well
it tells the clip's velocity at points of time and noise that policy and reference, better and worse clip share.

Shape key: B clips (of pairs 2B rows: better and worse in turn).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from sanmai.data.clip_pairs import load_clip_pairs
from sanmai.data.curriculum import draw
from sanmai.learn.clip_constraints import ClipConstraints
from sanmai.learn.clips import (
    ClipEvaluator,
    OwnClip,
    OwnClips,
    draw_own_clips,
    judged_own_clips,
)
from sanmai.learn.failure import with_bundle
from sanmai.learn.learner import Learner
from sanmai.learn.loop import train_steps
from sanmai.learn.pairs import pair_metrics, pairs_component, score_pairs, with_pair_weights
from sanmai.learn.progress import Progress
from sanmai.learn.step_rollouts import Written
from sanmai.losses import PreferenceLossSettings, preference_weights
from sanmai.policies.flow.policy import FlowPolicy
from sanmai.policies.flow.rectified import Points, RectifiedFlow
from sanmai.recipes.flow_settings import FlowConfig
from sanmai.recipes.flow_setup import (
    load_for,
    own_reward,
    plain_sampling,
    reward_model,
    reward_name,
    scorer_in,
    scorer_weights,
    world_of,
)
from sanmai.rewards.clips import ClipGrades, Given
from sanmai.rollout.engine import rollout
from sanmai.rollout.measure import training_metrics
from sanmai.train.components import sft_component
from sanmai.train.environment import describe_environment
from sanmai.train.runs import Run
from sanmai.train.state import TrainingState, start_or_resume
from sanmai.train.step import (
    Component,
    NonFiniteError,
    Part,
    learning_rate,
    optimizer_step,
)
from sanmai.types import Batch, Credited, Group, InputError, Metrics, Problem
from sanmai.world.clips import WORLDS

_OF_TEXTS = ("rollout/length_mean", "rollout/length_max", "rollout/thinks")
"""Metrics of rollouts that say nothing of clips."""


def run_flow(
    config: FlowConfig,
    out: Path,
    *,
    problems: Sequence[Problem] | None = None,
    reward: Given | None = None,
    progress: Progress | None = None,
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: refused: the prompts are the world's.
        reward: in place of config.reward: any callable (problem, clip of frames x rows x columns in 0..1) -> float, or None for
            "cannot be graded".
    """
    if problems is not None and config.prompts is None:
        raise InputError("problems: flow draws clips to the prompts of its own world alone; see the setting prompts")
    reward = own_reward(config, reward)
    if (reward is not None or config.reward.scorer.command is not None) and config.method == "pretrain":
        raise InputError(f"reward: method {config.method!r} rewards nothing")
    progress = progress or Progress.silent()
    world = world_of(config, problems)
    asked = world.problems()
    with Run(out, "flow", config) as run:
        scorer = scorer_in(config.reward.scorer, "reward.scorer", run.folder, run.warn, asked)
        judge = scorer_in(config.evaluation.judge, "evaluation.judge", run.folder, run.warn, asked)
        if judge is not None:
            progress.say(f"Evaluated clips are judged by {judge.scorer.told}.")
        grades = ClipGrades(
            config.reward.weights, model=reward_model(config), given=reward, world=world, scorer=scorer,
            scorer_weights=scorer_weights(config, scorer),
        )
        load = partial(load_for, prompts=config.prompts, world=world)
        state = start_or_resume(run, config.model, config.optimizer, keep_reference=config.keeps_reference, load=load)
        origin = {"train": asked} | ({} if config.own.pairs is None else {"pairs": load_clip_pairs(config.own.pairs)})
        facts = describe_environment(
            state.policy, origin, start_digest=state.start_digest,
            reward=reward_name(config, reward, scorer),
        )
        if judge is not None:
            facts["graders"][judge.where] = judge.scorer.told
        run.log_environment(facts)
        # At a resume the policy has moved on.
        start = state.policy if config.method == "evaluate" else state.policy.as_started() or load(config.model)
        if isinstance(state.policy, FlowPolicy) and state.policy.words != world.WORDS:
            run.warn(f"this flow knows the words {', '.join(state.policy.words)}; prompts have {', '.join(world.WORDS)}")
        for note in state.policy.notes:
            run.warn(note)
        evaluator = ClipEvaluator(
            run, config.evaluation, asked, grades, start, seed=config.seed, before=plain_sampling(config),
            sampling=config.sampling, grading=config.grading, judge=judge,
        )
        steps = FlowSteps(config, run, state, start, grades, asked)
        is_truth = config.reward.model is None and reward is None and scorer is None
        if "harm" in config.constraints.limits and is_truth and config.reward.harm:
            run.warn("constraints.harm is measured by the world's truth, which the policy is rewarded by as well")

        def measure(step: int) -> Metrics:
            with progress.phase("evaluation"):
                return steps.facts(step) | evaluator(step, state.policy)

        train_steps(
            run, state, config.num_steps if config.method != "evaluate" else 1, is_due=config.evaluation.is_due,
            checkpoints=config.checkpoints, update=steps.update, measure=measure, progress=progress, rollouts=steps.rollouts,
            before_save=steps.keep_state,
        )
    return run.folder


class FlowSteps:
    """The updates of a run, one method or another."""

    def __init__(
        self, config: FlowConfig, run: Run, state: TrainingState, start: RectifiedFlow, grades: ClipGrades,
        asked: Sequence[Problem],
    ) -> None:
        self._config, self._run, self._state, self._grades, self._asked = config, run, state, grades, asked
        self._own: OwnClips | None = None
        self._shown: Sequence[Group[Credited]] = ()
        self._learner: Learner | None = None
        if config.draws_own and not run.is_finished:
            self._own = self._draw_own(start)
        self._constraints: ClipConstraints | None = None
        if config.constraints.limits:
            self._constraints = ClipConstraints(
                config.constraints, asked, grades, start, seed=config.seed, sampling=plain_sampling(config),
                grading=config.grading, on_warning=run.warn,
            )
            self._constraints.restore(state.extra)
        if config.method == "grpo":
            self._learner = Learner(
                run, state, config.loss, config.optimizer, seed=config.seed, num_updates=1, temperature=1.0,
                max_tokens=config.drawing.steps, newest_alone=False, auxiliary_sft=None,
                constraints=self._constraints,
            )
        self._curated = self._demonstrations() if config.curated else []

    def facts(self, step: int) -> Metrics:
        """What is learned from, told once."""
        if step or self._own is None:
            return {}
        return {"own/clips": float(len(self._own.clips)), "own/pairs": float(len(self._own.pairs))}

    def rollouts(self, step: int) -> Sequence[Group[Any]]:
        """What a step learned from and drew; of 0 the starting policy's own clips."""
        if step == 0:
            return self._own.groups if self._own is not None else ()
        return self._shown

    def keep_state(self) -> None:
        """Beside the weights: the multipliers."""
        if self._constraints is not None:
            self._state.extra = self._constraints.state()

    def update(self, step: int) -> Metrics:
        """One optimizer update, before it what the constraints measure."""
        probed: Metrics = {}
        if self._constraints is not None and self._constraints.is_due(step):
            clips, probed = self._constraints.measure(self._state.policy, step)
            self._run.log_probe(step, clips)
        found = self._updated(step)
        if self._constraints is not None:
            found |= self._constraints.metrics()
        return found | probed

    def _updated(self, step: int) -> Metrics:
        method = self._config.method
        if method == "evaluate":
            return {}
        if method == "grpo":
            return self._from_new_clips(step)
        if method == "dpo":
            return self._from_pairs(step)
        if method == "pretrain":
            made = WORLDS[self._config.world].flawed_clips(self._config.clips_per_step, seed=(self._config.seed, step))
            clips = [
                OwnClip(f"pretrain/{step}/{b}", self._state.policy.encode(torch.from_numpy(clip)), prompt, 0.0)
                for b, (clip, prompt) in enumerate(zip(made.clips_BFHW, made.prompts, strict=True))
            ]
            return self._imitate(clips, [1.0] * len(clips), step)
        if method == "rwr":
            assert self._own is not None
            weighted = list(zip(self._own.clips, self._own.weights, strict=True))
        else:
            shown = self._curated or [better for better, _ in self._pairs]
            weighted = [(clip, 1.0) for clip in shown]
        drawn = draw(weighted, min(self._config.clips_per_step, len(weighted)), seed=self._config.seed, step=step)
        return self._imitate([clip for clip, _ in drawn], [weight for _, weight in drawn], step)

    def _draw_own(self, start: RectifiedFlow) -> OwnClips:
        config = self._config
        if config.own.pairs is not None:
            weights, name = config.reward.weights, config.own.pairs
            return judged_own_clips(
                load_clip_pairs(name), weights, start, harm_first=config.own.harm_first, source=name
            )
        own = draw_own_clips(
            start, self._asked, self._grades, config.own, seed=config.seed, grading=config.grading,
            sampling=plain_sampling(config),
            harm="harm" if config.reward.model is None else "model_harm",
        )
        if config.method != "rwr" and not own.pairs:
            raise InputError("all of the policy's own clips are ties, so there is no pair to learn from; see own.tie_below")
        return own

    @property
    def _pairs(self) -> list[tuple[OwnClip, OwnClip]]:
        assert self._own is not None
        return self._own.pairs

    def _demonstrations(self) -> list[OwnClip]:
        made = WORLDS[self._config.world].clean_clips(self._config.curated, seed=(self._config.seed,))
        return [
            OwnClip(f"curated/{b}", self._state.policy.encode(torch.from_numpy(clip)), prompt, 0.0)
            for b, (clip, prompt) in enumerate(zip(made.clips_BFHW, made.prompts, strict=True))
        ]

    def _from_new_clips(self, step: int) -> Metrics:
        """Flow-GRPO: clips of a few prompts with noise in their steps, and what text's update makes of them."""
        config = self._config
        assert self._learner is not None
        asked = draw(self._asked, config.clips_per_step // config.rollouts_per_prompt, seed=config.seed, step=step)
        graded, stats = rollout(
            self._state.policy, asked, self._grades, rollouts_per_prompt=config.rollouts_per_prompt,
            seed=(config.seed, step), policy_version=step - 1, sampling=config.drawing, grading=config.grading,
        )
        self._shown, found = self._learner.update(Written(graded, stats), step, config.num_steps)
        told = {name: value for name, value in training_metrics(self._shown).items() if name not in _OF_TEXTS}
        return told | stats.metrics() | found

    def _from_pairs(self, step: int) -> Metrics:
        """Flow-DPO: better and worse clip, policy and reference at the same times and noises."""
        config = self._config
        pairs = draw(self._pairs, min(config.clips_per_step // 2, len(self._pairs)), seed=config.seed, step=step)
        names = [(config.seed, step, better.name) for better, _ in pairs for _ in range(2)]
        batch = self._points([clip for pair in pairs for clip in pair], names, config.pairs.reduction, config.pairs.decay)
        batch = replace(batch, scale_BT=batch.scale_BT / config.points_per_clip)  # a pair's log-probs are summed over points
        settings = PreferenceLossSettings("dpo", beta=config.pairs.beta, label_smoothing=config.pairs.label_smoothing)
        scores = score_pairs(self._state, batch, settings, config.optimizer.micro_tokens)
        chosen_B, rejected_B, found = preference_weights(settings, *scores, denominator=float(len(pairs)))
        batch = with_pair_weights(batch, chosen_B, rejected_B)
        metrics = self._step(batch, {"dpo": pairs_component()}, step)
        told = {f"preference/{name}": value for name, value in pair_metrics(settings, scores).items()}
        return metrics | {"loss/dpo": found["preference_loss"]} | told

    def _imitate(self, clips: Sequence[OwnClip], weights: Sequence[float], step: int) -> Metrics:
        """Weighted regression of the clips' velocities."""
        names = [(self._config.seed, step, clip.name) for clip in clips]
        batch = self._points(clips, names, "mean", 0.0)
        batch = batch.with_streams({"sft": torch.tensor(weights).unsqueeze(1) * batch.mask_BT})
        return self._step(batch, {"sft": sft_component()}, step)

    def _points(self, clips: Sequence[OwnClip], names: Sequence[tuple], reduction: str, decay: float) -> Points:
        return self._state.policy.points(
            torch.stack([clip.latent for clip in clips]), [clip.prompt for clip in clips], names,
            count=self._config.points_per_clip, reduction=reduction, decay=decay,
            without_prompt=self._config.without_prompt if self._config.method == "pretrain" else 0.0,
        )

    def _auxiliary(self, step: int) -> Part | None:
        """Curated clips beside a method that learns from the policy's own."""
        config = self._config
        if not self._curated or config.method == "sft":
            return None
        weight = config.curated_weight + (self._constraints.weight("auxiliary_sft") if self._constraints is not None else 0.0)
        if not weight:
            return None
        clips = draw(self._curated, min(config.clips_per_step, len(self._curated)), seed=config.seed + 1, step=step)
        batch = self._points(clips, [(config.seed, step, "anchor", clip.name) for clip in clips], "mean", 0.0)
        return Part(batch.with_streams({"sft": batch.mask_BT.float()}), {"curated": sft_component(weight)})

    def _step(self, batch: Batch, components: dict[str, Component], step: int) -> Metrics:
        config, state = self._config, self._state
        try:
            result = optimizer_step(
                state.policy, state.optimizer, batch, components, lr=learning_rate(config.optimizer, step, config.num_steps),
                temperature=1.0, config=config.optimizer, reference=state.reference, auxiliary=self._auxiliary(step),
            )
        except NonFiniteError as error:
            raise with_bundle(
                self._run, step, error, state.policy, batch, shows="clips", loss=None, temperature=1.0, max_tokens=1
            ) from None
        del result.metrics["policy/logp_mismatch_max"]  # these points were not drawn by a policy
        return result.metrics | {"tokens/trained": float(batch.mask_BT.sum())}
