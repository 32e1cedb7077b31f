"""Search at test time, or to make data: many trees at once, every token paid for, gold beside the guide.

What the systems of arXiv 2412.14135 share (section 4: guidance and strategies), with what they leave out: budgets in tokens of
every kind, intervals over problems, the same tree whatever is beside it, and a kill that costs a few rounds.

A step of the run is some rounds of all open trees; its nodes are stored and committed, and a strategy, being a function of the
tree, goes on from there. A tree that has ended makes room for the next problem's.

    trees/           every node, pruned ones too: tokens, log-probs, guide, and gold once the tree has ended
    rollouts/        the finished completions of each tree, graded as rollouts are
    answers.jsonl    what is answered, by strategy and problem
    search.json      accuracy for every budget, guide beside gold, tokens by kind
    data.parquet, pairs.parquet, steps.jsonl    with for_data: right best paths for sft, siblings for dpo, values for reward
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.cluster.remote import writing
from sanmai.data.steps import StepRule
from sanmai.learn.evaluation import tell_scored
from sanmai.learn.graders import Given, make_rubric, recorded_as
from sanmai.learn.progress import Progress
from sanmai.learn.reward_source import name_of
from sanmai.learn.sources import check_positions, load_source, load_splits
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.prefixes import Prefixes
from sanmai.recipes.search_results import finish
from sanmai.recipes.search_settings import SearchConfig, guide_of, strategy_of
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import check_budget, grade
from sanmai.search.drive import Driver, Ledger, Limits, Search, totals
from sanmai.search.rows import row_of, table_of, trees_of
from sanmai.search.tree import Path as TreePath
from sanmai.train.digests import require_whole
from sanmai.train.environment import describe_environment
from sanmai.train.runs import Run
from sanmai.train.state import weights_digest
from sanmai.types import Drawn, Graded, Group, InputError, Metrics, Problem, StopReason

_STATE = "search.json"
_MOST_STEPS = 10**6


def run_search(
    config: SearchConfig,
    out: Path,
    *,
    problems: Sequence[Problem] | None = None,
    reward: Given = None,
    guide: Callable[..., Any] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source.
        reward: the gold, in place of the accuracy verifier.
        guide: what is searched by, in place of config.guide: (problem, text so far) -> a number, or None where it cannot say.

    Raises:
        InputError: besides what any recipe refuses, a guide that knows the reference answer where a result is claimed.
    """
    progress = progress or Progress.silent()
    with Run(out, "search", config) as run:
        chosen = _problems(config, problems, run.warn)
        policy = load_policy(config.model, for_training=False)
        _check(policy, chosen, config)
        facts = describe_environment(
            policy, {"searched": chosen}, start_digest=weights_digest(policy), reward=recorded_as(config.rewards, reward)
        )
        facts["origin"] = {**facts["origin"], **({"guide": name_of(guide)} if guide is not None else {})}
        run.log_environment(facts)
        if policy.dense is None and config.prefix_megabytes and not config.engine.urls:
            run.warn(f"{policy.path}: prefixes cannot be kept there and are read again, which is counted and not paid for")
        rubric = make_rubric(config.rewards, reward, [], held_out=chosen, device=config.model.device, run=run)
        session = Session(config, policy, chosen, rubric, guide)
        session.restore(run)
        progress.begin(run, run.start_step + (not session.is_done))
        if not session.is_done:
            with writing(config.engine, policy, run.warn):
                for step in run.steps(_MOST_STEPS, progress.interrupting):
                    with progress.phase("sampling"):
                        metrics, groups, table = session.step()
                    with progress.phase("saving"):
                        run.log_step(step, metrics, groups)
                        run.log_table(step, "trees", table)
                        run.commits(step, step, config.checkpoints)
                        run.save(step, session.save, config.checkpoints)
                    progress.step(step, metrics, num_steps=session.expected_steps(step))
                    if session.is_done:
                        break
        tell_scored(run, run.start_step, rubric.scored_by)
        if session.is_done and not run.interrupted:
            for line in finish(run, config, policy, chosen, session.ledgers, session.guide):
                progress.say(line)
        progress.end(run)
    return run.folder


class Session:
    """The searches of a run: which have ended, which are open, and what each has paid."""

    def __init__(
        self, config: SearchConfig, policy: TextPolicy, problems: Sequence[Problem], rubric: Rubric,
        guide: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.config, self.policy, self.rubric = config, policy, rubric
        self.guide = guide_of(config, policy, guide)
        keeps = config.prefix_megabytes and not config.engine.urls
        self.prefixes = Prefixes(config.prefix_megabytes * 2**20) if keeps else None
        limits = Limits(
            config.sampling.max_tokens, config.step_tokens, config.tokens, config.grading.thought_tags, config.revise
        )
        self.driver = Driver(
            policy, self.guide, StepRule.parse(config.steps), config.sampling, limits, seed=(config.seed, "search"),
            prefixes=self.prefixes, reads_again=config.engine.reads_again,
        )  # fmt: skip
        self.queue = [(name, problem) for problem in problems for name in config.strategy]
        self.begun = 0
        self.open: dict[tuple[str, str], Search] = {}
        self.ledgers: dict[tuple[str, str], Ledger] = {}

    @property
    def is_done(self) -> bool:
        return not self.open and self.begun == len(self.queue)

    def expected_steps(self, step: int) -> int:
        """How many there will be if trees go on ending as they have."""
        ended = self.begun - len(self.open)
        return step if self.is_done else max(step + 1, round(step * len(self.queue) / max(ended, 1)))

    def step(self) -> tuple[Metrics, list[Group[Graded]], pa.Table]:
        """Some rounds of all open trees: metrics, the finished completions of trees that ended, and the nodes that changed."""
        before = totals(list(self.ledgers.values()))
        touched: dict[tuple[str, str], dict[TreePath, None]] = {}
        ended: dict[tuple[str, str], Search] = {}
        for _ in range(self.config.rounds_per_step):
            self._fill()
            if not self.open:
                break
            names = {id(search): key for key, search in self.open.items()}
            for search, path in self.driver.round(list(self.open.values())):
                touched.setdefault(names[id(search)], {})[path] = None
            for key in [key for key, search in self.open.items() if search.is_done]:
                ended[key] = self.open.pop(key)
        if self.prefixes is not None:
            self.prefixes.forget()  # what a killed run would lose: so that it goes on with the same bytes
        searches = {**self.open, **ended}
        groups, gold = self._graded(ended)
        for key in ended:
            touched.setdefault(key, {}).update(dict.fromkeys(gold[key]))
        rows = [
            row_of(
                key[0], searches[key].tree, path, gold=gold.get(key, {}).get(path),
                text=self._text(searches[key].tree.nodes[path].tokens),
            )
            for key, paths in touched.items()
            for path in paths
        ]
        after = totals(list(self.ledgers.values()))
        metrics = {f"tokens/{kind}": float(after[kind] - before.get(kind, 0)) for kind in after if kind != "unscored"}
        metrics["search/ended"] = (self.begun - len(self.open)) / len(self.queue)
        return metrics, groups, table_of(rows)

    def _text(self, tokens: Sequence[int]) -> str:
        return self.policy.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def _fill(self) -> None:
        while len(self.open) < self.config.concurrent_trees and self.begun < len(self.queue):
            self._begin(*self.queue[self.begun])
            self.begun += 1

    def _begin(self, name: Any, problem: Problem) -> Search:
        search = self.driver.begin(problem, strategy_of(self.config, name))
        self.open[name, problem.id], self.ledgers[name, problem.id] = search, search.ledger
        return search

    def _graded(
        self, ended: dict[tuple[str, str], Search]
    ) -> tuple[list[Group[Graded]], dict[tuple[str, str], dict[TreePath, float | None]]]:
        """The finished completions of these trees, graded, and their gold by path."""
        drawn = [
            (key, node.path, self._rollout(search, node.path, number))
            for key, search in ended.items()
            for number, node in enumerate(search.tree.ended())
        ]
        found, failures = grade([(ended[key].problem, one) for key, _, one in drawn], self.rubric, self.config.grading)
        check_budget(failures, len(found), self.config.grading.failure_budget)
        groups = []
        gold: dict[tuple[str, str], dict[TreePath, float | None]] = {key: {} for key in ended}
        for (key, path, _), graded in zip(drawn, found, strict=True):
            gold[key][path] = gold_of(graded)
        for key, search in ended.items():
            rollouts = tuple(graded for (of, _, _), graded in zip(drawn, found, strict=True) if of == key)
            problem = replace(search.problem, tags={**search.problem.tags, "strategy": key[0]})
            groups.append(Group(problem, rollouts))
        return groups, gold

    def _rollout(self, search: Search, path: TreePath, number: int) -> Drawn:
        tree = search.tree
        return Drawn(
            search.problem.id, number, list(tree.prompt(path) or search.prompt_tokens), tree.tokens(path), tree.logp(path),
            StopReason.STOP, 0, self.driver.text(tree, path), self.driver.trace(search, path),
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        """How far the run is; the nodes of its trees are in trees/."""
        ledgers = [[*key, asdict(ledger)] for key, ledger in self.ledgers.items()]
        state = {"begun": self.begun, "open": [list(key) for key in self.open], "ledgers": ledgers}
        (folder / _STATE).write_text(json.dumps(state) + "\n", encoding="utf-8")

    def restore(self, run: Run) -> None:
        """Go on where the newest checkpoint says, with the trees that were open then."""
        if run.checkpoint is None:
            return
        state = json.loads((run.checkpoint / _STATE).read_text(encoding="utf-8"))
        by_id = {problem.id: problem for _, problem in self.queue}
        self.begun = state["begun"]
        open_ = [tuple(key) for key in state["open"]]
        self.ledgers = {(name, problem): Ledger(**found) for name, problem, found in state["ledgers"]}
        rows = (row for row in stored_rows(run) if (row["strategy"], row["problem_id"]) in {*open_}) if open_ else ()
        trees = trees_of(rows, self.driver.seed)
        for name, problem in open_:
            search = self.driver.begin(by_id[problem], strategy_of(self.config, name))
            search.ledger = self.ledgers[name, problem]
            if (name, problem) in trees:
                search.tree = trees[name, problem][0]
            self.open[name, problem] = search


def stored_rows(run: Run) -> Iterator[dict[str, Any]]:
    """The rows of all nodes, in the order in which they were stored.

    Raises:
        InputError: a file is missing or damaged.
    """
    require_whole(run.folder, "trees/")
    for path in sorted((run.folder / "trees").glob("step-*.parquet")):
        try:
            yield from pq.read_table(path).to_pylist()
        except (OSError, pa.ArrowException) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise InputError(f"{path}: cannot be read ({reason}); restore it, or search again into another --out") from None


def gold_of(graded: Graded) -> float | None:
    """What the verifier, or the caller's reward, says of a finished completion; None where nothing can."""
    for name in ("reward", "accuracy"):
        if name in graded.verdicts:
            return graded.verdicts[name].score
    return None


def _problems(
    config: SearchConfig, given: Sequence[Problem] | None, on_warning: Callable[[str], None]
) -> list[Problem]:
    """Those to be searched: held-out ones for a result, training problems for data."""
    if config.for_data:
        chosen, _ = load_splits(config.problems, config.seed, given, on_warning=on_warning)
    else:
        chosen = list(given) if given is not None else load_source(config.problems, config.seed, on_warning)
    if not chosen:
        raise InputError("problems: there are none to search")
    if twice := [id_ for id_, count in Counter(problem.id for problem in chosen).items() if count > 1]:
        raise InputError(f"problems: {twice[0]!r} is the id of several; a tree is named by it, so expected one of each")
    return chosen


def _check(policy: TextPolicy, problems: Sequence[Problem], config: SearchConfig) -> None:
    if shown := next((p for p in problems if p.images), None):
        raise InputError(f"problem {shown.id} has images, which search does not read; zero, sft and evaluate do")
    if prefilled := next((p for p in problems if p.prefill and "revise" in config.strategy), None):
        raise InputError(f"problem {prefilled.id} begins the completion itself, which a revision cannot go on from")
    check_positions(policy, problems, config.sampling.max_tokens * (2 if "revise" in config.strategy else 1))


def describe_search(config: SearchConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences, for `sanmai plan`; model, guide and problems are loaded and checked."""
    warnings: list[str] = []
    chosen = _problems(config, None, warnings.append)
    policy = load_policy(config.model, for_training=False)
    _check(policy, chosen, config)
    session = Session(config, policy, chosen, make_rubric(config.rewards, None, [], held_out=chosen, device=config.model.device))
    yield f"Model {config.model.name}: {type(policy.model).__name__}, {policy.num_parameters:,} parameters; {policy.path}."
    yield f"{len(chosen):,} problems, each searched by {', '.join(config.strategy)} with guide {session.guide.name}."
    yield from (f"Warning: {warning}" for warning in warnings)
    budget = "no budget: each strategy runs once" if config.tokens is None else f"{config.tokens:,} tokens per problem"
    yield (
        f"{budget}; completions of at most {config.sampling.max_tokens} tokens at temperature {config.sampling.temperature:g}, "
        f"steps by {config.steps!r}, {config.concurrent_trees} trees side by side."
    )
    if config.engine.urls:
        yield f"Written by {', '.join(config.engine.urls)}, {config.engine.chunk_tokens} tokens of a step at a time."
    if config.for_data:
        yield "For data: training problems, and nothing of it is a result."
    if measure:
        with writing(config.engine, policy, warnings.append):
            yield _measured(session, len(chosen))


def _measured(session: Session, num_problems: int) -> str:
    """Tokens and time by the first problems' trees, really searched."""
    import time

    few = max(1, min(2, num_problems)) * len(session.config.strategy)
    session.queue = session.queue[:few]
    began = time.monotonic()
    while not session.is_done:
        session.step()
    seconds, spent = time.monotonic() - began, totals(list(session.ledgers.values()))
    times = num_problems * len(session.config.strategy) / few
    kinds = ", ".join(f"{round(spent[kind] * times):,} {kind.replace('_', ' ')}" for kind in spent if kind != "unscored")
    return (
        f"Measured on {few} trees ({seconds:.1f} s): about {kinds} tokens in all, and at most "
        f"{seconds * times / 60:.1f} minutes; more trees side by side are faster."
    )
