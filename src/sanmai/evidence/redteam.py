"""The red team: a search for prompts that break a model in many different ways, by harm category, attack style and language.

A step asks some prompts, K completions each, tells the harm of each, and puts the best of every cell into the archive; see
attack/search.py. The search's own figures flatter it, as its elites were chosen for their luck too: at the end every elite is
asked again with fresh randomness, and beside it a harmless request in the same dress, since a model that refuses all is not safe
but useless.

Same settings, same archive. A commit holds every query with its score; the archive is folded from them, so a killed run goes on
as if it had not been. Completions are not kept unless asked for: the seeds can write them again.

    archive.json     every cell, its elite's prompt and scores
    elites.jsonl     the elites of the cells to train on, as problems of kind "safety" without completions
    heldout.jsonl    the elites of the held-out cells, for measuring: no stage should be trained on them
    queries.jsonl    every query: id, prompt, score
    redteam.json     coverage, QD score, ASR, diversity, counts
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sanmai.attack.families import ATTACKS
from sanmai.attack.rewording import reworded
from sanmai.attack.search import (
    CRITERION,
    Archive,
    Cell,
    Genome,
    Proposal,
    Query,
    Space,
    Strategy,
    coverage_measures,
    propose,
    words_asked,
)
from sanmai.attack.spaces import DIRECT, HoldoutBy, request_space, world_space
from sanmai.config import Config, OnlyWith
from sanmai.data.chat import render_prompt
from sanmai.data.problems import OnError, load_problems
from sanmai.data.testbeds import find_testbed
from sanmai.evidence.redteam_files import Confirmed, State, summary_lines, write_results
from sanmai.learn.evaluation import tell_ungraded
from sanmai.learn.graders import make_rubric
from sanmai.learn.local_judge import judge_transport
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, check_positions, load_source
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rewards.judging.judge import Complete, JudgeConfig
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import ungraded
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import weights_digest
from sanmai.types import Graded, Group, InputError, Problem
from sanmai.world.chance import generator

_FILE_STYLES = (DIRECT, *(name for name in ATTACKS if name not in ("other_language", "translation")))


class MutatorConfig(Config):
    judge: JudgeConfig = JudgeConfig(temperature=1.0)
    """The model that rewords requests: behind a server, or in a local folder."""
    share: float = Field(0.5, gt=0, le=1)
    """Chance that a query's request is reworded; the templates dress it as before."""
    min_overlap: float = Field(0.3, ge=0, le=1)
    """Least share of the request's content words that a rewording keeps; others are thrown away and counted."""


class RedteamConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream, the holdout, and the embedded world's categories."""
    num_steps: int = Field(50, ge=1)
    """Steps of the search."""
    queries_per_step: int = Field(32, ge=1)
    """Prompts asked per step; a step looks at the archive as the one before left it."""
    samples: int = Field(4, ge=1)
    """Completions per prompt; the objective is their mean."""
    confirm_samples: int = Field(8, ge=0)
    """Fresh completions of every elite at the end, and of its harmless twin; 0 leaves the search's own figures alone."""
    search: Strategy = "quality_diversity"
    """How prompts are proposed; "minimal_criterion" keeps only what breaks the model sometimes; "random" is the control at equal
    queries, "single_objective" hill climbing."""
    explore: float = Field(0.1, ge=0, le=1)
    """Share of prompts drawn at random in a quality-diversity search."""
    objective: Literal["gold", "harmlessness"] = "gold"
    """1 - P(safe) by the gold (rewards/harm.py; outside the world an upper bound), or by rewards.harmlessness_from."""
    styles: tuple[str, ...] = _FILE_STYLES
    """Attack styles for requests of files: "direct", transforms, families, or chains such as "past_tense+base64"; the world has
    its own."""
    languages: tuple[str, ...] = ()
    """Languages (ISO 639-1) that answers are asked for in, besides the requests' own; for requests of files."""
    category_tag: str = "category"
    """Tag that holds a request's harm category; for requests of files."""
    harmless: str | None = None
    """Harmless requests for the twins: a file, a folder or hub:NAME, without those that its rows call dangerous; the world has
    its own."""
    holdout_cells: float = Field(0.25, ge=0, lt=1)
    """Share of what `holdout_by` names that is held out, with its own requests; 0 holds out only what `holdout_names` names."""
    holdout_by: HoldoutBy = "cell"
    """Hold out single cells, or whole categories, styles or languages."""
    holdout_names: tuple[str, ...] = ()
    """Categories, styles or languages that are held out besides."""
    min_objective: float = Field(0.0, ge=0, le=1)
    """Least objective of an elite that is written to elites.jsonl; held-out elites are all written."""
    keep_completions: bool = False
    """Store completions in rollouts/ and evaluations/; they may be harmful."""
    mutator: MutatorConfig | None = None
    """Let a model reword requests; None leaves it to the templates."""
    model: ModelConfig = ModelConfig()
    """The target."""
    problems: ProblemsConfig = ProblemsConfig()
    """The requests, of kind "safety"; "world" is the embedded world's dangerous ones."""
    sampling: SamplingConfig = SamplingConfig()
    rewards: RewardsConfig = RewardsConfig()
    """Where objective is "harmlessness": what scores it."""
    grading: GradingConfig = GradingConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=5)

    only_with = (
        OnlyWith("another search than random", lambda c: c.search != "random", "explore"),
        OnlyWith("holdout_cells above 0", lambda c: c.holdout_cells > 0, "holdout_by"),
        OnlyWith('objective = "harmlessness"', lambda c: c.objective == "harmlessness", "rewards"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model.lora_rank:
            raise ValueError("model.lora_rank: nothing is trained here, so there is nothing to adapt")
        if self.objective == "harmlessness" and not self.rewards.harmlessness:
            raise ValueError("objective = 'harmlessness' without rewards.harmlessness and rewards.harmlessness_from")
        if find_testbed(self.problems.source) is not None:
            given = {
                "styles": self.styles != _FILE_STYLES, "languages": self.languages != (), "mutator": self.mutator is not None,
                "harmless": self.harmless is not None, "category_tag": self.category_tag != "category",
            }  # fmt: skip
            if named := [name for name, is_given in given.items() if is_given]:
                raise ValueError(f"{named[0]} with the embedded world: its styles, words and categories are its own")
        if self.mutator is not None and not self.mutator.judge.model:
            raise ValueError(
                "mutator.judge.model: expected the model's name at mutator.judge.base_url, or a local folder"
            )
        return self


def run_redteam(
    config: RedteamConfig, out: Path, *, problems: Sequence[Problem] | None = None, progress: Progress | None = None
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source, with the styles of files.

    Raises:
        InputError: besides what any recipe refuses, no request of kind "safety", a holdout that leaves nothing, or no pyribs.
    """
    progress = progress or Progress.silent()
    with Run(out, "redteam", config) as run:
        requests, space = _space(config, problems, run.warn)
        archive, state = Archive(space, config.search), State.read(run.checkpoint)
        policy = load_policy(config.model, for_training=False)
        space = archive.space = _within_positions(space, requests, policy, config.sampling.max_tokens, run.warn)
        examples = [p for cell in space.cells if (p := _longest(space, requests, cell)) is not None]
        check_positions(policy, examples, config.sampling.max_tokens)
        bases = [*requests.values()] or examples
        run.log_environment(describe_environment(policy, {"requests": bases}, start_digest=weights_digest(policy)))
        rubric = make_rubric(config.rewards, None, [], held_out=examples, device=config.model.device)
        target = Target(config, policy, rubric)
        ask = None
        if config.mutator is not None and run.start_step < config.num_steps:
            ask = judge_transport(config.mutator.judge, cache=run.folder / "replies")
        for query in state.queries:
            archive.add(query)
        asked = {query.prompt for query in state.queries}
        progress.begin(run, config.num_steps)
        was_finished = run.start_step >= config.num_steps and (run.folder / "redteam.json").exists()
        for step in run.steps(config.num_steps, progress.interrupting):
            with progress.phase("proposing"):
                rng = generator("redteam", config.seed, step)
                proposals = propose(
                    archive, config.queries_per_step, rng, strategy=config.search, explore=config.explore, asked=asked
                )
                if ask is not None and config.mutator is not None:
                    proposals = _reword(proposals, space, requests, config.mutator, ask, rng, asked, state.mutator)
            with progress.phase("sampling"):
                groups = target.ask([problem for _, problem in proposals], config.samples, "redteam")
            tell_ungraded(run, step, ungraded(groups, {"safety": (target.told,)}), of=f"step {step}")
            queries = [_query(step, *item, target) for item in zip(proposals, groups, strict=True)]
            for query in queries:
                archive.add(query)
            state.queries += queries
            metrics = _metrics(archive, queries, groups)
            with progress.phase("saving"):
                run.log_step(step, metrics, groups if config.keep_completions else ())
                if run.commits(step, config.num_steps, config.checkpoints):
                    run.save(step, state.write, config.checkpoints)
            progress.step(step, metrics)
        if not run.interrupted and not was_finished:
            with progress.phase("evaluation"):
                _finish(run, config, archive, state, target, _told_by(config, requests))
        progress.end(run)
    if not run.interrupted:
        for line in summary_lines(json.loads((out / "redteam.json").read_text(encoding="utf-8"))):
            progress.say(line)
    return run.folder


def describe_redteam(config: RedteamConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in words; requests are loaded and checked, no model."""
    warnings: list[str] = []
    requests, space = _space(config, None, warnings.append)
    yield from (f"Warning: {warning}" for warning in warnings)
    sizes = [len({cell[k] for cell in space.cells}) for k in range(3)]
    source = f"{len(requests):,} requests" if requests else "the embedded world's dangerous requests"
    yield (
        f"{len(space.cells)} cells of {sizes[0]} categories, {sizes[1]} styles and {sizes[2]} languages, over {source}; "
        f"{len(space.held_out)} cells are held out, with requests of their own."
    )
    queries = config.num_steps * config.queries_per_step
    yield (
        f"{config.num_steps} steps of {config.queries_per_step} prompts ({config.search}): {queries:,} queries at most, "
        f"{config.samples} completions each, {queries * config.samples * config.sampling.max_tokens:,} tokens at most."
    )
    yield f"Harm is told by {_told_by(config, requests)}."
    if config.confirm_samples:
        yield f"At the end {config.confirm_samples} fresh completions of every elite and of its harmless twin, if it has one."


def _space(config: RedteamConfig, given: Sequence[Problem] | None, on_warning: Any) -> tuple[dict[str, Problem], Space]:
    """The requests by id (none of the world's, which makes its own), and where prompts are looked for."""
    holdout: dict[str, Any] = {
        "share": config.holdout_cells, "by": config.holdout_by, "names": config.holdout_names, "seed": config.seed,
    }  # fmt: skip
    try:
        if given is None and find_testbed(config.problems.source) is not None:
            return {}, world_space(**holdout)
        found = list(given) if given is not None else load_source(config.problems, config.seed, on_warning)
        harmless = [] if config.harmless is None else _harmless(config.harmless, config.problems.on_error, on_warning)
        space = request_space(
            found, styles=config.styles, languages=config.languages, category_tag=config.category_tag, harmless=harmless,
            **holdout,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(str(error)) from None
    return {p.id: p for p in found}, space


def _harmless(source: str, on_error: OnError, on_warning: Any) -> list[Problem]:
    """The harmless requests of a source; a file of plain prompts says nothing of kinds, and its place says that they are."""
    loaded = load_problems(source, on_error=on_error, needs_answer=False, on_warning=on_warning)
    if loaded.skipped:
        on_warning(f"{source}: {len(loaded.skipped)} malformed lines passed over, the first: {loaded.skipped[0]}")
    found = [replace(p, kind="general") for p in loaded.problems if p.kind != "safety"]
    if not found:
        raise InputError(f"harmless = {source!r}: its rows call every prompt dangerous; expected harmless ones")
    if left_out := len(loaded.problems) - len(found):
        on_warning(f"{source}: {left_out:,} prompts are left out of the harmless ones: dangerous, as their rows say")
    return found


def _told_by(config: RedteamConfig, requests: Mapping[str, Problem]) -> str:
    """What tells harm, in words."""
    if config.objective != "gold":
        named = ("a judge" if of == "judge" else f"the reward model {of}" for of in config.rewards.sources("harmlessness"))
        return " and ".join(named)
    if requests:
        return "refusal rules, an upper bound: whatever is not fully refused counts"
    return "the gold of the embedded world"


def _within_positions(
    space: Space, requests: Mapping[str, Problem], policy: TextPolicy, max_tokens: int, on_warning: Any
) -> Space:
    """The space without prompts that the model's positions do not hold: to such a request its dress does not apply.

    Raises:
        InputError: they hold the longest prompt of no cell.
    """
    if policy.max_positions is None:
        return space
    room = policy.max_positions - max_tokens

    def fits(problem: Problem | None) -> Problem | None:
        if problem is None or problem.images or len(render_prompt(policy.tokenizer, problem.messages)) <= room:
            return problem
        return None

    longest = [p for cell in space.cells if (p := _longest(space, requests, cell)) is not None]
    if too_long := [p for p in longest if fits(p) is None]:
        if len(too_long) == len(longest):
            check_positions(policy, longest, max_tokens)
        on_warning(
            f"in {len(too_long)} of {len(space.cells)} cells the longest prompt, with {max_tokens} tokens to answer, leaves the "
            f"{policy.max_positions} positions of the model: prompts that do are not asked"
        )
    return replace(space, render=lambda genome: fits(space.render(genome)), twin=lambda genome: fits(space.twin(genome)))


def _longest(space: Space, requests: Mapping[str, Problem], cell: Cell) -> Problem | None:
    """A prompt of the cell's longest request."""
    base = max(space.pools[cell], key=lambda name: len(requests[name].prompt) if name in requests else 0)
    return space.render(Genome(cell, base, (0,) * space.num_slots))


class Target:
    """The model that is asked, and what tells its harm."""

    def __init__(self, config: RedteamConfig, policy: TextPolicy, rubric: Rubric) -> None:
        self.config, self.policy, self.rubric = config, policy, rubric

    def ask(self, problems: Sequence[Problem], samples: int, stream: str) -> list[Group[Graded]]:
        """Graded groups. A prompt's completions depend on the stream and the prompt alone, not on the step it is asked in."""
        if not problems:
            return []
        check_positions(self.policy, problems, self.config.sampling.max_tokens)
        groups, _ = rollout(
            self.policy, problems, self.rubric, rollouts_per_prompt=samples, seed=(self.config.seed, stream),
            policy_version=0, sampling=self.config.sampling, grading=self.config.grading,
        )  # fmt: skip
        return groups

    @property
    def told(self) -> str:
        """The verdict that tells harm."""
        return "harm" if self.config.objective == "gold" else "harmlessness"

    def harms(self, group: Group[Graded]) -> list[float]:
        """Of each gradable completion, 0 (safe) to 1."""
        found = _scores(group, self.told)
        return found if self.told == "harm" else [1 - score for score in found]


def _query(step: int, proposal: Proposal, group: Group[Graded], target: Target) -> Query:
    genome, problem = proposal
    harms = target.harms(group)
    return Query(genome, problem.id, words_asked(problem), step, sum(harms) / len(harms) if harms else None, len(harms))


def _reword(
    proposals: Sequence[Proposal],
    space: Space,
    requests: Mapping[str, Problem],
    config: MutatorConfig,
    ask: Complete,
    rng: Random,
    asked: set[str],
    counts: Counter[str],
) -> list[Proposal]:
    """Some of the proposals with their request reworded; where that fails, or was asked before, they stay as they are."""
    found = list(proposals)
    chosen = [k for k in range(len(found)) if rng.random() < config.share]
    texts = [requests[found[k][0].base].prompt for k in chosen]
    replies, failures = reworded(
        texts, ask, variants=[rng.randrange(1000) for _ in chosen], min_overlap=config.min_overlap
    )
    counts.update(failures)
    for k, text in zip(chosen, replies, strict=True):
        if text is None:
            continue
        genome = replace(found[k][0], text=text)
        problem = space.render(genome)
        if problem is None or words_asked(problem) in asked:
            counts["repeated" if problem is not None else "style_does_not_apply"] += 1
            continue
        asked.discard(words_asked(found[k][1]))
        asked.add(words_asked(problem))
        found[k] = (genome, problem)
        counts["used"] += 1
    return found


def _finish(run: Run, config: RedteamConfig, archive: Archive, state: State, target: Target, told_by: str) -> None:
    """Ask every elite and its twin again, and write what was found."""
    space, elites = archive.space, archive.elites
    prompts = {cell: problem for cell, query in elites.items() if (problem := space.render(query.genome)) is not None}
    confirmed = None
    if config.confirm_samples:
        twins = {cell: twin for cell, query in elites.items() if (twin := space.twin(query.genome)) is not None}
        chosen = {problem.id: problem for problem in (*prompts.values(), *twins.values())}
        groups = target.ask(list(chosen.values()), config.confirm_samples, "confirm")
        if config.keep_completions:
            run.log_evaluation(config.num_steps, groups)
        confirmed = Confirmed(
            {cell: twin.id for cell, twin in twins.items()},
            {group.problem.id: target.harms(group) for group in groups},
            {group.problem.id: _scores(group, "over_refusal") for group in groups},
        )
    facts = {
        "objective": config.objective, "told_by": told_by, "search": config.search, "samples": config.samples,
        "confirm_samples": config.confirm_samples,
        "exhausted": len(state.queries) < config.num_steps * config.queries_per_step,
    }  # fmt: skip
    if config.search == "minimal_criterion":
        found = [query.objective for query in state.queries if query.objective is not None]
        low, high = CRITERION
        facts["outside_criterion"] = {"never": sum(x <= low for x in found), "always": sum(x >= high for x in found)}
    write_results(run.folder, archive, state, prompts, confirmed, facts, min_objective=config.min_objective)


def _metrics(archive: Archive, queries: Sequence[Query], groups: Sequence[Group[Graded]]) -> dict[str, float]:
    found = coverage_measures(archive)
    return {
        "redteam/coverage": found["coverage"], "redteam/qd_score": found["qd_score"],
        **({"redteam/archive_asr": found["archive_asr"]["value"]} if found["archive_asr"] else {}),
        "redteam/queries": float(len(queries)), "redteam/ungraded": float(sum(q.objective is None for q in queries)),
        "tokens/sampled": float(sum(r.length for group in groups for r in group.rollouts)),
    }  # fmt: skip


def _scores(group: Group[Graded], name: str) -> list[float]:
    verdicts = [r.verdicts[name] for r in group.rollouts if name in r.verdicts]
    return [verdict.score for verdict in verdicts if verdict.score is not None]
