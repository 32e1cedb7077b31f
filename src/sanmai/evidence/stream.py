"""A stream of families of perturbations, each met once: what of a model survives first contact with what nobody foresaw.

    plain prompts -> open families -> held-out families -> (with release) sealed families
    at each family: ask, score; then, where adaptation is allowed, learn from demonstrations in its dress, and ask again

Nothing can be promised of the unknown; what can be measured is how much carries over to families that neither training nor
selection saw (the diagnosis of arXiv:2501.13075, made a protocol). Sealed families are met with `release` alone: the look is
written down before the first prompt is made (evidence/looks.py), there is a budget of looks, and a model whose history touched
a sealed family cannot claim first contact. Sealed prompts and completions are never stored.

A family is a step, and each is committed: a killed stream goes on with the family that it was at. Same settings, same files.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import Field, model_validator

from sanmai.attack.catalogue import FAMILIES, ROTATIONS, Split, names_of
from sanmai.attack.family import dressed
from sanmai.attack.sealed import SealedFamilies, sealed_order
from sanmai.config import Config, OnlyWith
from sanmai.data.chat import demonstration, render_demonstration
from sanmai.data.curriculum import draw
from sanmai.evidence.audit_sets import ProblemSet, SourcesConfig, problem_sets
from sanmai.evidence.lineage import history, trained_on
from sanmai.evidence.looks import Look, record_look, touches, words_of
from sanmai.evidence.meetings import met_before
from sanmai.evidence.novelty import Novelty, NoveltyConfig
from sanmai.evidence.stream_results import STREAM, State, figures
from sanmai.learn.evaluation import tell_ungraded
from sanmai.learn.graders import make_rubric
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, check_positions, load_source
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig, refuse_equal_samples
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import evaluation_metrics, ungraded
from sanmai.train.components import sft_component
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run, storing, write_whole
from sanmai.train.state import TrainingState, start_or_resume, weights_digest
from sanmai.train.step import OptimizerConfig, learning_rate, make_optimizer, optimizer_step
from sanmai.types import Graded, Group, InputError, Problem
from sanmai.world.chance import generator

_COMMITS = CheckpointsConfig(every=1)


class AdaptConfig(Config):
    steps: int = Field(0, ge=0)
    """Optimizer steps after each family's first contact, on demonstrations in its dress; 0: weights stay as they are."""
    every: int = Field(4, ge=1)
    """Steps of adaptation between two measurements: recovery is told no finer."""
    demonstrations: ProblemsConfig = ProblemsConfig()
    """Problems with worked answers, apart from those that are asked; "world" is the embedded world's sums to train on."""
    demonstrations_per_step: int = Field(16, ge=1)
    """Demonstrations of each step."""
    resets: bool = False
    """Begin every family with the first weights; by default the stream has no resets: what was learned of one stays."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-5)

    def is_due(self, step: int) -> bool:
        """Performance is measured after this step of adaptation."""
        return step % self.every == 0 or step == self.steps

    @property
    def measurements(self) -> int:
        return sum(map(self.is_due, range(1, self.steps + 1)))


class StreamConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream, the order of open and held-out families, and their parameters; sealed ones have their own."""
    rotation: int = Field(0, ge=0, lt=ROTATIONS)
    """Which of three divisions of the kinds of families; over them each family is open, held out and sealed once."""
    release: bool = False
    """Meet the sealed families too: a look that is recorded, and that no later run can call its first."""
    looks: int = Field(1, ge=1)
    """Looks at these sealed families that the model, and what it came from, may have had, this one included."""
    samples: int = Field(1, ge=1)
    """Completions per prompt."""
    limit: int = Field(16, ge=1)
    """Prompts of each source at most; each is asked as it is, and once in each family's dress."""
    margin: float = Field(0.1, ge=0, lt=1)
    """A family is survived where no kind of problem scores lower than as it is by more than this."""
    model: ModelConfig = ModelConfig()
    sources: SourcesConfig = SourcesConfig()
    adapt: AdaptConfig = AdaptConfig()
    novelty: NoveltyConfig = NoveltyConfig()
    sampling: SamplingConfig = SamplingConfig()
    grading: GradingConfig = GradingConfig()

    only_with = (
        OnlyWith("release = true", lambda c: c.release, "looks"),
        OnlyWith(
            "adapt.steps above 0", lambda c: c.adapt.steps > 0,
            "adapt.every", "adapt.demonstrations", "adapt.demonstrations_per_step", "adapt.resets", "adapt.optimizer",
        ),
    )  # fmt: skip

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model.lora_rank and not self.adapt.steps:
            raise ValueError("model.lora_rank: nothing is trained without adapt.steps, so there is nothing to adapt")
        refuse_equal_samples(self.sampling.temperature, self.samples)
        return self


@dataclass(frozen=True)
class _Meeting:
    family: str
    """Empty: the prompts as they are."""
    split: Split | None
    dress: Callable[[Problem], Problem | None]


def run_stream(config: StreamConfig, out: Path, *, progress: Progress | None = None) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder. A finished one writes its figures anew, without sampling.

    Raises:
        InputError: besides what any recipe refuses, no problem to ask, or no look left at the sealed families.
    """
    progress = progress or Progress.silent()
    with Run(out, "stream", config) as run:
        sets, asked = _asked(config, run.warn)
        learned = _demonstrations(config, asked, run.warn)
        training, policy = _loaded(config, run)
        start_digest = training.start_digest if training else weights_digest(policy)
        facts = describe_environment(policy, {chosen.name: chosen.problems for chosen in sets}, start_digest=start_digest)
        run.log_environment(facts)
        check_positions(policy, asked, config.sampling.max_tokens)
        stream, before = _stream(config, run, start_digest)
        novelty = Novelty(policy, _known(config, asked, run.warn), config.novelty.companions, config.model)
        state = State.read(run.checkpoint)
        rubric = make_rubric(RewardsConfig(), None, [], held_out=asked, device=config.model.device)
        progress.begin(run, len(stream))
        for step in run.steps(len(stream), progress.interrupting):
            meeting = stream[step - 1]
            progress.say(f"[{step}/{len(stream)}] {_said(meeting)}")
            prompts = [made for problem in asked if (made := meeting.dress(problem)) is not None]
            if not prompts:
                run.warn(f"{meeting.family}: applies to none of the prompts, so it is not met")
            with progress.phase("evaluation"):
                groups = _ask(config, policy, rubric, prompts)
                told = novelty.signals(groups)
            tell_ungraded(run, step, ungraded(groups), of=meeting.family or "the prompts as they are")
            state.add(groups, meeting.family, meeting.split or "", position=step - 1, adapted=0, signals=told)
            if meeting.split != "sealed" and groups:  # a sealed prompt that is stored could be trained on
                run.log_evaluation(step, groups)
            if training is not None and meeting.family and prompts:
                with progress.phase("training"):
                    _adapt(config, training, meeting, learned, prompts, asked, rubric, state, step, run.warn)
            metrics = evaluation_metrics(groups) if groups else {}
            run.log_step(step, metrics)
            run.save(step, lambda folder: _commit(folder, state, training), _COMMITS)
            progress.step(step, metrics, num_written=sum(r.length for group in groups for r in group.rollouts))
        if not run.interrupted:
            _finish(run, config, state, before, stream, asked, start_digest)
        progress.end(run)
    return run.folder


def describe_stream(config: StreamConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a stream would do, in words; problems are read and checked, no model is loaded and no seal broken."""
    warnings: list[str] = []
    _, asked = _asked(config, warnings.append)
    learned = _demonstrations(config, asked, warnings.append)
    known = _known(config, asked, warnings.append)
    yield from (f"Warning: {warning}" for warning in warnings)
    parts: list[tuple[Split, str]] = [("open", "open"), ("held_out", "held-out"), ("sealed", "sealed")]
    parts = parts if config.release else parts[:2]
    counts = ", ".join(f"{len(names_of(split, config.rotation))} {label}" for split, label in parts)
    number = sum(len(names_of(split, config.rotation)) for split, _ in parts)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in Counter(p.kind for p in asked).items())
    yield f"{number} families ({counts}; rotation {config.rotation}), each met once, by {kinds} prompts, after these as they are."
    again = config.adapt.measurements + 1 if config.adapt.steps else 0  # in the family's dress, and as they are
    count = len(asked) * config.samples * (1 + number * (1 + again))
    yield f"{count:,} completions at most, {count * config.sampling.max_tokens:,} tokens at most."
    if config.adapt.steps:
        began = "from the first weights each time" if config.adapt.resets else "without resets"
        yield (
            f"After each first contact {config.adapt.steps} steps on {config.adapt.demonstrations_per_step} of {len(learned):,} "
            f"demonstrations in the family's dress, {began}; "
            f"performance is measured every {config.adapt.every} steps."
        )
    if known or config.novelty.companions:
        models = f", and the agreement of {len(config.novelty.companions)} more models" if config.novelty.companions else ""
        yield f"Novelty is measured from {len(known):,} further prompts{models}; what to abstain by is chosen on families apart."
    if config.release:
        yield f"This is a look at sealed families: it is written down, and at most {config.looks} may have been had."
    else:
        yield "Sealed families stay sealed (release = false)."


def _asked(config: StreamConfig, on_warning: Callable[[str], None]) -> tuple[list[ProblemSet], list[Problem]]:
    """What is asked, but for what the model was trained on."""
    sets = _sets(config, config.limit, on_warning)
    return sets, [problem for chosen in sets for problem in chosen.problems]


def _sets(config: StreamConfig, limit: int, on_warning: Callable[[str], None]) -> list[ProblemSet]:
    sources = config.sources.or_world(config.model.name, "reasoning", "safety", "general")
    trained = trained_on(history(config.model.name))
    return problem_sets(
        sources, (), limit=limit, seed=config.seed, twins=False, trained=trained, on_warning=on_warning
    )


def _known(config: StreamConfig, asked: Sequence[Problem], on_warning: Callable[[str], None]) -> list[Problem]:
    """Further prompts of the same sources, none of them asked, that novelty is measured from.

    Raises:
        InputError: a source has none left.
    """
    number = config.novelty.known
    if not number:
        return []
    taken = {words_of(problem) for problem in asked}
    found: list[Problem] = []
    for chosen in _sets(config, len(asked) + number, on_warning):
        further = [problem for problem in chosen.problems if words_of(problem) not in taken][:number]
        if not further:
            raise InputError(f"novelty.known = {number}: {chosen.name} has no prompt that is not asked; limit leaves some")
        if len(further) < number:
            on_warning(f"novelty.known = {number}: {chosen.name} has {len(further)} prompts that are not asked")
        found += further
    return found


def _demonstrations(config: StreamConfig, asked: Sequence[Problem], on_warning: Callable[[str], None]) -> list[Problem]:
    """What is learned from where adaptation is allowed; none of it is asked."""
    if not config.adapt.steps:
        return []
    taken = {words_of(problem) for problem in asked}
    loaded = load_source(config.adapt.demonstrations, config.seed, on_warning)
    found = [p for p in loaded if demonstration(p) is not None and words_of(p) not in taken]
    if len(found) < config.adapt.demonstrations_per_step:
        raise InputError(
            f"adapt.demonstrations: {len(found)} problems with worked answers that are not asked; expected at least "
            f"adapt.demonstrations_per_step = {config.adapt.demonstrations_per_step}"
        )
    return found


def _loaded(config: StreamConfig, run: Run) -> tuple[TrainingState[TextPolicy] | None, TextPolicy]:
    if not config.adapt.steps:
        return None, load_policy(config.model, for_training=False)
    training = start_or_resume(run, config.model, config.adapt.optimizer, keep_reference=config.adapt.resets, load=load_policy)
    return training, training.policy


def _stream(config: StreamConfig, run: Run, weights: str) -> tuple[list[_Meeting], list[Look]]:
    """What is met, in order; and the looks that came before this one, which is recorded here."""
    meetings = [_Meeting("", None, lambda problem: problem)]
    parts: tuple[Split, ...] = ("open", "held_out")
    for split in parts:
        names = list(names_of(split, config.rotation))
        generator("stream", config.seed, split).shuffle(names)
        for name in names:
            family = FAMILIES[name]
            meetings.append(_Meeting(name, split, lambda problem, family=family: dressed(problem, family, seed=config.seed)))
    before: list[Look] = []
    if config.release:

        def record(names: Sequence[str]) -> None:
            same = run.settings | {"looks": 1}  # of the budget nothing depends that is seen
            settings = hashlib.sha256(tomli_w.dumps(same).encode()).hexdigest()[:16]
            before.extend(record_look(config.model.name, weights, names, run.folder, most=config.looks, settings=settings))
            run.saw(names)
            run.event("look", families=list(names), weights=weights, before=len(before))

        sealed = SealedFamilies(config.rotation, record)
        for name in sealed_order(sealed.names):
            meetings.append(_Meeting(name, "sealed", lambda problem, name=name: sealed.dressed(problem, name)))
    return meetings, before


def _ask(
    config: StreamConfig, policy: TextPolicy, rubric: Rubric, problems: Sequence[Problem], *stream: int
) -> list[Group[Graded]]:
    """Graded groups; completions depend on weights, seed and prompt alone."""
    if not problems:
        return []
    check_positions(policy, problems, config.sampling.max_tokens)
    groups, _ = rollout(
        policy, problems, rubric, rollouts_per_prompt=config.samples, seed=(config.seed, "stream", *stream), policy_version=0,
        sampling=config.sampling, grading=config.grading,
    )  # fmt: skip
    return groups


def _adapt(
    config: StreamConfig,
    training: TrainingState[TextPolicy],
    meeting: _Meeting,
    learned: Sequence[Problem],
    prompts: Sequence[Problem],
    asked: Sequence[Problem],
    rubric: Rubric,
    state: State,
    step: int,
    on_warning: Callable[[str], None],
) -> None:
    """Learn the family from demonstrations in its dress, with its performance on the way and that of the plain prompts after."""
    adapt, policy = config.adapt, training.policy
    tags = config.grading.thought_tags
    made = [p for problem in learned if (p := meeting.dress(problem)) is not None and demonstration(p) is not None]
    shown = [(*render_demonstration(policy.tokenizer, p, tags, carries_images=True), p.images) for p in made]
    if not shown:
        on_warning(f"{meeting.family}: no demonstration can be put in its dress, so it is not adapted to")
        return
    if adapt.resets:
        if training.reference is not None:
            policy.load_weights(training.reference)
        training.optimizer = make_optimizer(policy, adapt.optimizer)
    per_step = min(adapt.demonstrations_per_step, len(shown))
    for k in range(1, adapt.steps + 1):
        batch = pack(draw(shown, per_step, seed=config.seed, step=k))
        optimizer_step(
            policy, training.optimizer, batch.with_streams({"sft": batch.mask_BT.float()}), {"sft": sft_component()},
            lr=learning_rate(adapt.optimizer, k, adapt.steps), temperature=1.0, config=adapt.optimizer,
        )  # fmt: skip
        if adapt.is_due(k):
            groups = _ask(config, policy, rubric, prompts, k)
            state.add(groups, meeting.family, meeting.split or "", position=step - 1, adapted=k)
    state.add(_ask(config, policy, rubric, asked), "", "", position=step - 1, adapted=adapt.steps)
    if adapt.resets and training.reference is not None:
        policy.load_weights(training.reference)


def _commit(folder: Path, state: State, training: TrainingState[TextPolicy] | None) -> None:
    if training is not None:
        training.save(folder)
    state.write(folder)


def _finish(
    run: Run, config: StreamConfig, state: State, before: Sequence[Look], stream: Sequence[_Meeting], asked: Sequence[Problem],
    weights: str,
) -> None:
    found: dict[str, Any] = {
        "model": config.model.name, "seed": config.seed, "rotation": config.rotation, "release": config.release,
        "samples": config.samples, "prompts": dict(Counter(p.kind for p in asked)),
    }  # fmt: skip
    if config.release:
        sealed = [meeting for meeting in stream if meeting.split == "sealed"]
        words = {words_of(made) for m in sealed for problem in asked if (made := m.dress(problem)) is not None}
        met = met_before(config.model.name, weights, {m.family for m in sealed}, run.folder)
        found["first_contact"] = _claim(config, {m.family for m in sealed}, words, before, met)
    found |= figures(state, margin=config.margin)
    with storing(run.folder / STREAM):
        write_whole(run.folder / STREAM, json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _claim(
    config: StreamConfig, sealed: set[str], prompts: set[tuple[str, ...]], before: Sequence[Look], met: Sequence[str]
) -> dict[str, Any]:
    """Whether this was the model's first contact with the sealed families, as far as files tell, and why not."""
    found = touches(config.model.name, sealed, prompts)
    reasons = [f"{look.stream} had looked at {look.time}" for look in before] + [*met, *found.found]
    reasons += [f"{name} had a part and cannot be read" for name in found.unread]
    steps = history(config.model.name)
    notes = [f"what {steps[0].name} was trained on before is not known here"] if steps[0].recipe is None else []
    notes += [f"{name} was not looked into" for name in found.elsewhere]
    return {"claimed": not reasons, "reasons": reasons, "notes": notes, "looks_before": len(before)}


def _said(meeting: _Meeting) -> str:
    if not meeting.family:
        return "the prompts as they are"
    return f"{meeting.family} ({FAMILIES[meeting.family].kind}, {str(meeting.split).replace('_', ' ')})"
