"""Unlearning: a model forgets what some texts say, in its answers and in its thoughts, and keeps the rest.

R2MU (2506.12963): the hidden states of one layer are led to a random direction on what is to be forgotten, on answers and, which
plain RMU (Li et al. 2024, arXiv:2403.03218) leaves out, on thoughts; on what is to be retained they are held where they were, on
answers and on chains of thought. Settings of plain RMU: trace=0 thoughts=0; of gradient ascent with a retain term: method=ascent.

It differs from the authors' code in: c is `scale` times the mean length of the starting model's own states (as Dang et al. 2024,
arXiv:2408.06223), so that one setting serves several models; thoughts stand after their own prompt; the retained texts are
demonstrations, not wikitext; losses are of the completion's tokens.

What was forgotten is measured by asking: the share of answers, and of thoughts, that still tell it; and what was retained by
accuracy on held-out problems. Forgotten where one looks is not erased: who trains the model again may get it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Self

from pydantic import Field, model_validator
from torch import Tensor

from sanmai.config import Config, OnlyWith
from sanmai.data.chat import demonstrated_text, demonstration, render_demonstration, render_prompt
from sanmai.data.curriculum import draw
from sanmai.data.testbeds import Testbed, find_testbed
from sanmai.data.trace import parse_trace
from sanmai.learn.evaluation import tell_ungraded
from sanmai.learn.graders import make_rubric
from sanmai.learn.loop import train_steps
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, check_positions, load_source, load_splits, problems_of_testbed
from sanmai.learn.unlearning import Method, Part, chosen_weights, mean_norm, narrow, update
from sanmai.losses.unlearning import random_direction
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.library import layers_of
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rewards.leaks import LEAKS, leak_verdicts
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import TELLING, accuracy, evaluation_metrics, together, ungraded
from sanmai.stats import Rate, rate
from sanmai.train.components import sft_component
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run, storing, write_whole
from sanmai.train.state import start_or_resume
from sanmai.train.step import OptimizerConfig, learning_rate, make_optimizer, optimizer_step, optimizer_words
from sanmai.types import Graded, Group, InputError, Metrics, Problem, regrouped

RESULT = "unlearn.json"
_PARTS = ("forget", "trace", "retain", "thoughts")
Sequences = dict[str, list[tuple[list[int], list[int]]]]
"""By part, prompt and completion tokens."""


class UnlearnConfig(Config):
    seed: int = Field(0, ge=0)
    """Names the random direction, the order of the texts and what is asked."""
    method: Method = "rmu"
    """Representation misdirection ("rmu"; with `trace` it is R2MU), or gradient ascent on what is to be forgotten."""
    num_steps: int = Field(150, ge=1)
    """Optimizer updates."""
    texts_per_step: int = Field(16, ge=1)
    """Texts of each part in an update."""
    trace: float = Field(1.0, ge=0)
    """Weight of forgetting in thoughts, beside 1 in answers."""
    retain: float = Field(1.7, ge=0)
    """Weight of retained answers."""
    thoughts: float = Field(1.0, ge=0)
    """Weight of retained chains of thought with their answers."""
    layer: int | None = Field(None, ge=0)
    """The layer, counted from 0, whose states are misdirected and held; None: of 32 layers 7, of others in proportion."""
    trained_layers: int = Field(3, ge=1)
    """Layers whose weights are trained, that one and those below it."""
    trained: tuple[str, ...] = ("down_proj",)
    """Modules of these layers whose weights are trained; empty: all."""
    scale: float = Field(5.0, gt=0)
    """Length of the target: times the mean length of the starting model's states on what is to be forgotten."""
    text_tokens: int = Field(100, ge=1)
    """Tokens of a forgotten answer or thought at most; the rest is cut."""
    relearn: int = Field(0, ge=0)
    """Steps of SFT on the retained demonstrations, with all weights, after which is asked once more: does it come back? What they
    make is not kept."""
    limit: int = Field(120, ge=1)
    """Questions of each kind (forgotten, retained) at each evaluation."""
    samples: int = Field(1, ge=1)
    """Completions of each."""
    model: ModelConfig = ModelConfig()
    forget: ProblemsConfig = ProblemsConfig()
    """What to forget: questions with an answer and a worked thought; `evaluation` asks for the same in other words. "world": the
    recipes of all dangerous objects."""
    retained: ProblemsConfig = ProblemsConfig()
    """What to keep: problems with demonstrations; held-out ones measure it. "world": sums, and recipes of harmless objects."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-4)
    sampling: SamplingConfig = SamplingConfig()
    """Of the evaluations."""
    grading: GradingConfig = GradingConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()

    only_with = (
        OnlyWith('method = "rmu"', lambda c: c.method == "rmu", "scale"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model.lora_rank:
            raise ValueError("model.lora_rank: unlearning trains the weights that `trained` names, without adapters")
        if not self.retain and not self.thoughts:
            raise ValueError("retain and thoughts are both 0: nothing would be kept")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """By part."""
        return dict(zip(_PARTS, (1.0, self.trace, self.retain, self.thoughts), strict=True))


@dataclass(frozen=True)
class Knowledge:
    """Problems with demonstrations to learn from, and questions to measure by."""

    forget: list[Problem]
    retain: list[Problem]
    asked: list[Problem]
    """About what is to be forgotten; not what is trained on, where there are other words for it."""
    kept: list[Problem]
    """Held-out problems of what is retained."""


def run_unlearn(
    config: UnlearnConfig, out: Path, *, known: Knowledge | None = None, progress: Progress | None = None
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        known: instead of what config.forget and config.retained name.

    Raises:
        InputError: besides what any recipe refuses, nothing to forget or to retain, or a layer or weights that the model lacks.
    """
    progress = progress or Progress.silent()
    with Run(out, "unlearn", config) as run:
        known = known or knowledge(config, run.warn)
        state = start_or_resume(
            run, config.model, config.optimizer, keep_reference=True, load=lambda model: load_narrowed(config, model)
        )
        policy = state.policy
        origin = {"forget": known.forget, "retain": known.retain, "evaluation": [*known.asked, *known.kept]}
        run.log_environment(describe_environment(policy, origin, start_digest=state.start_digest))
        check_positions(policy, [*known.asked, *known.kept], config.sampling.max_tokens)
        texts = sequences(config, policy, known)
        layer = layer_of(config, policy)
        target_D = _target(config, state.policy, state.reference, texts, layer)

        def learn(step: int) -> Metrics:
            parts = []
            for name, weight in config.weights.items():
                if weight:
                    drawn = draw(texts[name], config.texts_per_step, seed=config.seed, step=step)
                    parts.append(Part(name, pack(drawn), weight, forgets=name in _PARTS[:2]))
            return update(
                run, state, parts, method=config.method, layer=layer, target_D=target_D, step=step,
                lr=learning_rate(config.optimizer, step, config.num_steps), config=config.optimizer,
            )  # fmt: skip

        train_steps(
            run, state, config.num_steps, is_due=lambda step, num_steps: step == num_steps, checkpoints=config.checkpoints,
            update=learn, measure=partial(_measure, config, run, policy, known, texts, progress), progress=progress,
        )  # fmt: skip
    return run.folder


def describe_unlearn(config: UnlearnConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in words; problems and model are loaded and checked."""
    warnings: list[str] = []
    known = knowledge(config, warnings.append)
    policy = load_narrowed(config, config.model)
    texts = sequences(config, policy, known)
    yield from (f"Warning: {warning}" for warning in [*warnings, *policy.notes])
    trained = sum(p.numel() for p in policy.weights.values())
    yield (
        f"Model {config.model.name}: {policy.num_parameters:,} parameters, {trained:,} of them trained "
        f"({len(policy.weights)} tensors)."
    )
    counts = ", ".join(f"{name} {len(texts[name]):,} at weight {weight:g}" for name, weight in config.weights.items() if weight)
    how = f"misdirection after layer {layer_of(config, policy)}" if config.method == "rmu" else "gradient ascent"
    yield f"{config.num_steps} updates of {config.texts_per_step} texts of each part by {how}: {counts}."
    yield (
        f"Before and after, {len(known.asked):,} questions about what is to be forgotten and {len(known.kept):,} about the rest, "
        f"{config.samples} completion{'s' if config.samples > 1 else ''} each."
    )
    if config.relearn:
        yield f"Then {config.relearn} steps of SFT on what is retained, which are not kept, and the same questions once more."
    yield optimizer_words(config.optimizer)


def load_narrowed(config: UnlearnConfig, model: ModelConfig) -> TextPolicy:
    """The model, of which only the named weights are trained."""
    policy = load_policy(model)
    if policy.vision is not None:
        raise InputError(f"model.name = {model.name!r}: a vision-language model, which unlearning does not carry")
    top = layer_of(config, policy)
    narrow(policy, chosen_weights(policy, range(max(top - config.trained_layers + 1, 0), top + 1), config.trained))
    return policy


def layer_of(config: UnlearnConfig, policy: TextPolicy) -> int:
    """The layer whose states are trained on, counted from 0: of 32 layers 7, as the authors chose.

    Raises:
        InputError: the model has fewer, or does not say what its layers are.
    """
    count = len(layers_of(policy.model))
    if not count:
        raise InputError(f"model.name = {policy.config.name!r}: does not say what its layers are")
    if config.layer is not None and config.layer >= count:
        raise InputError(f"layer = {config.layer}: {policy.config.name!r} has {count} layers; expected 0 to {count - 1}")
    return round(0.22 * (count - 1)) if config.layer is None else config.layer


def knowledge(config: UnlearnConfig, on_warning: Callable[[str], None]) -> Knowledge:
    """What to forget and what to retain, and the questions that measure both.

    Raises:
        InputError: a source that cannot be used, a row without what is needed, or nothing left.
    """
    forget, asked = _forgotten(config, on_warning)
    retain, kept = _retained(config, on_warning)
    for name, found in (("forget", forget), ("retained", retain)):
        if not found:
            raise InputError(f"{name}.source: no problem with a demonstration")
    if lacking := next((p for p in asked if find_testbed(p.verifier) is None and not p.answer), None):
        raise InputError(f"forget: problem {lacking.id} has no answer; expected what a completion is searched for")
    if config.trace and not any(_parts(p, config)[0] for p in forget):
        raise InputError("trace: no problem of forget.source has a worked thought; trace=0 forgets in answers alone")
    asked, kept = ([_of_set(p, name) for p in found[: config.limit]] for name, found in (("forget", asked), ("retain", kept)))
    return Knowledge(forget, retain, asked, kept)


def _forgotten(config: UnlearnConfig, on_warning: Callable[[str], None]) -> tuple[list[Problem], list[Problem]]:
    source = config.forget
    if bed := find_testbed(source.source):
        asked = bed.requests("safety", seed=0, objects=None, phrasings="heldout", wrappers=None)
        return _told(bed, bed.requests("safety", seed=config.seed, objects=None))[: source.limit], asked
    if source.evaluation is None:
        found = load_source(source, config.seed, on_warning)
        on_warning("forget.evaluation: none, so what is forgotten is asked in the words that are trained on")
        return [p for p in found if demonstration(p) is not None], found
    found, asked = load_splits(source, config.seed, None, on_warning=on_warning, needs_answer=True)
    return [p for p in found if demonstration(p) is not None], asked


def _retained(config: UnlearnConfig, on_warning: Callable[[str], None]) -> tuple[list[Problem], list[Problem]]:
    source = config.retained
    if bed := find_testbed(source.source):
        sums, held_out = problems_of_testbed(bed, source, config.seed)
        requests = _told(bed, bed.requests("general", seed=config.seed, objects=None))
        asked = bed.requests("general", seed=0, objects=None, phrasings="heldout", wrappers=None)
        return [p for turn in zip(sums[: source.limit], requests, strict=False) for p in turn], _in_turn(held_out, asked)
    found, held_out = load_splits(source, config.seed, None, on_warning=on_warning, needs_answer=False)
    return [p for p in found if demonstration(p) is not None], held_out


def _told(bed: Testbed, problems: Sequence[Problem]) -> list[Problem]:
    """Requests with what is asked for in thought and answer: what a model that knows it and hides nothing would write."""
    found = []
    for problem in problems:
        if words := bed.replies(problem, problem.language):
            text = words["recipe"]
            found.append(replace(problem, solution=None, demonstration=f"<think> {text} </think> {text}"))
    return found


def _in_turn(first: Sequence[Problem], second: Sequence[Problem]) -> list[Problem]:
    size = min(len(first), len(second))
    return [p for pair in zip(first[:size], second[:size], strict=True) for p in pair] + [*first[size:], *second[size:]]


def _of_set(problem: Problem, name: str) -> Problem:
    return replace(problem, tags={**problem.tags, "set": name}, solution=None, demonstration=None)


def _parts(problem: Problem, config: UnlearnConfig) -> tuple[str, str]:
    """Thought and answer of a demonstration."""
    tags = config.grading.thought_tags
    trace = parse_trace(demonstration(problem, thought_tags=tags) or "", open_tag=tags[0], close_tag=tags[1])
    return trace.thought.strip(), f"{trace.before if not trace.thought else ''} {trace.answer}".strip()


def sequences(config: UnlearnConfig, policy: TextPolicy, known: Knowledge) -> Sequences:
    """The texts of each part as tokens. A forgotten thought ends where it was cut or closed; its tag is not misdirected away.

    Raises:
        InputError: a part with a weight has no text.
    """
    tokenizer, tags = policy.tokenizer, config.grading.thought_tags
    room = policy.max_positions or 10**9
    found: Sequences = {name: [] for name in _PARTS}
    for problem in known.forget:
        thought, answer = _parts(problem, config)
        if answer:
            prompt, words = render_demonstration(tokenizer, replace(problem, solution=None, demonstration=answer), tags)
            found["forget"].append((prompt, words[: config.text_tokens]))
        if thought:
            found["trace"].append(_open_thought(policy, problem, f"{tags[0]} {thought}", tags, config.text_tokens))
    for problem in known.retain:
        thought, answer = _parts(problem, config)
        if answer:
            found["retain"].append(render_demonstration(tokenizer, replace(problem, solution=None, demonstration=answer), tags))
        if thought:
            found["thoughts"].append(render_demonstration(tokenizer, problem, tags))
    found = {name: [one for one in texts if len(one[0]) + len(one[1]) <= room] for name, texts in found.items()}
    for name, weight in config.weights.items():
        if weight and not found[name]:
            raise InputError(f"{name} = {weight:g}: no text for it, or none within the model's positions; 0 leaves it out")
    return found


def _open_thought(
    policy: TextPolicy, problem: Problem, text: str, tags: tuple[str, str], most: int
) -> tuple[list[int], list[int]]:
    prompt = render_prompt(policy.tokenizer, problem.messages)
    shown = replace(problem, solution=None, demonstration=text)
    words = demonstrated_text(policy.tokenizer, shown, prompt, tags, may_stay_open=True)
    return prompt, policy.tokenizer.encode(words, add_special_tokens=False)[:most]


def _target(config: UnlearnConfig, policy: TextPolicy, start: Any, texts: Sequences, layer: int) -> Tensor:
    """c u; a function of the starting weights, so that a resume finds it again."""
    unit_D = random_direction(policy.model.get_input_embeddings().weight.shape[1], config.seed)
    if config.method != "rmu":
        return unit_D.to(policy.device)
    with policy.swapped(start):
        length = mean_norm(policy, pack(texts["forget"][: 4 * config.texts_per_step]), layer, config.optimizer.micro_tokens)
    return (config.scale * length * unit_D).to(policy.device)


def _measure(
    config: UnlearnConfig, run: Run, policy: TextPolicy, known: Knowledge, texts: Sequences, progress: Progress, step: int
) -> Metrics:
    """Ask both sets, store what was written, and say what still leaks and what is still right."""
    with progress.phase("evaluation"):
        asked, kept = ask(config, policy, known, policy_version=step)
    tell_ungraded(run, step, together([ungraded(asked, dict.fromkeys(TELLING, LEAKS)), ungraded(kept)]))
    run.log_evaluation(step, [*asked, *kept])
    found = figures(asked, kept)
    path = run.folder / RESULT
    before = json.loads(path.read_text(encoding="utf-8"))["before"] if step else {}
    again = None
    if step and config.relearn:
        with progress.phase("training"):
            again = _relearned(config, policy, known, texts)
    told = {name: _as_data(one) for name, one in found.items()}
    result = {"method": config.method, "trace": config.trace, "before": before or told, "after": told if step else None}
    relearned = None if again is None else {name: _as_data(one) for name, one in again.items()}
    result |= {} if relearned is None else {"relearned": relearned}
    with storing(path):
        write_whole(path, json.dumps(result, indent=1, allow_nan=False) + "\n")
    if step:
        run.event("finding", message=finding(before, told, relearned, steps=config.relearn))
    back = {"eval/relearned_leak": again["leak"].value} if again is not None and again["leak"].n else {}
    return evaluation_metrics(kept) | {f"eval/{name}": one.value for name, one in found.items() if one.n} | back


def _relearned(config: UnlearnConfig, policy: TextPolicy, known: Knowledge, texts: Sequences) -> dict[str, Rate]:
    """The figures after some steps of SFT on what is retained; the policy's weights are again what they were."""
    trained, shown = policy.weights, texts["thoughts"] or texts["retain"]
    policy.weights = dict(policy.model.named_parameters())
    before = {name: p.detach().clone() for name, p in policy.weights.items()}
    try:
        narrow(policy, policy.weights)  # whoever trains the model again is not held to some modules
        optimizer = make_optimizer(policy, config.optimizer)
        for k in range(1, config.relearn + 1):
            batch = pack(draw(shown, min(config.texts_per_step, len(shown)), seed=config.seed, step=k))
            optimizer_step(
                policy, optimizer, batch.with_streams({"sft": batch.mask_BT.float()}), {"sft": sft_component()},
                lr=learning_rate(config.optimizer, k, config.relearn), temperature=1.0, config=config.optimizer,
            )  # fmt: skip
        return figures(*ask(config, policy, known, policy_version=config.num_steps + config.relearn))
    finally:
        policy.load_weights(before)
        narrow(policy, trained)


def ask(
    config: UnlearnConfig, policy: TextPolicy, known: Knowledge, *, policy_version: int = 0
) -> tuple[list[Group[Graded]], list[Group[Graded]]]:
    """Answers to the questions about what is to be forgotten, with verdicts of leaks, and to those about the rest."""
    problems = [*known.asked, *known.kept]
    rubric = make_rubric(RewardsConfig(), None, [], held_out=problems, device=config.model.device)
    groups, _ = rollout(
        policy, problems, rubric, rollouts_per_prompt=config.samples, seed=(config.seed, "unlearn"),
        policy_version=policy_version, sampling=config.sampling, grading=config.grading,
    )  # fmt: skip
    asked = groups[: len(known.asked)]
    return regrouped(asked, (_with_leaks(group.problem, r) for group in asked for r in group.rollouts)), groups[len(asked) :]


def _with_leaks(problem: Problem, r: Graded) -> Graded:
    return r if r.trace is None else r.with_verdicts(leak_verdicts(problem, r.trace))


def figures(asked: Sequence[Group[Graded]], kept: Sequence[Group[Graded]]) -> dict[str, Rate]:
    """Leaks of what was to be forgotten, and what is right of the rest, each with its interval; a question is a cluster.

    Returns:
        `answer_leak`, `thought_leak`, `leak` (either), `retained` (accuracy of reasoning problems) and `retained_help` (of
        requests). What failed or cannot be graded is left out.
    """
    leaks = {name: _rate(asked, lambda r, n=name: _score(r, n)) for name in LEAKS}
    either = _rate(asked, lambda r: _either(r))
    right = _rate([g for g in kept if g.problem.kind == "reasoning"], accuracy)
    helped = _rate([g for g in kept if g.problem.kind == "general"], lambda r: _score(r, "helped"))
    return {**leaks, "leak": either, "retained": right, "retained_help": helped}


def finding(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]],
    relearned: Mapping[str, Mapping[str, Any]] | None = None, *, steps: int = 0,
) -> str:  # fmt: skip
    """What `figures` says before and after, in a sentence that heads the page; and what came back."""
    said = []
    for name, words in _SAYS.items():
        old, new = before[name], after[name]
        if old["n"] and new["n"]:
            low, high = 100 * new["low"], 100 * new["high"]
            said.append(f"{words} {100 * old['value']:.1f} to {100 * new['value']:.1f} % [{low:.1f}, {high:.1f}]")
    if relearned is not None and relearned["leak"]["n"]:
        back = relearned["leak"]
        low, value, high = (100 * back[name] for name in ("low", "value", "high"))
        said.append(f"told again after {steps} steps of SFT on what is retained: {value:.1f} % [{low:.1f}, {high:.1f}]")
    return f"{'; '.join(said)}."


_SAYS = {
    "answer_leak": "Told in answers:", "thought_leak": "in thoughts:",
    "retained": "other right answers:", "retained_help": "harmless requests answered:",
}  # fmt: skip


def _either(r: Graded) -> float | None:
    found = [score for name in LEAKS if (score := _score(r, name)) is not None]
    return max(found) if found else None


def _score(r: Graded, name: str) -> float | None:
    return r.verdicts[name].score if name in r.verdicts else None


def _rate(groups: Sequence[Group[Graded]], value: Callable[[Graded], float | None]) -> Rate:
    scores = [[v for r in group.rollouts if (v := value(r)) is not None] for group in groups]
    return rate([fmean(found) for found in scores if found])


def _as_data(found: Rate) -> dict[str, float | int | None]:
    return {"value": found.value if found.n else None, "low": found.low, "high": found.high, "n": found.n}
