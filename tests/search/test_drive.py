"""Searches with a model: trees do not know of each other, paths are their nodes, and every token is paid for."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from sanmai.data.steps import StepRule
from sanmai.policies.text.prefixes import Prefixes
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.search_settings import guide_of
from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.judging.math_judge import CorrectnessJudge
from sanmai.search.drive import Driver, Limits, totals
from sanmai.search.guides import (
    Agreement,
    Candidate,
    CountedReplies,
    Entropy,
    Found,
    Function,
    Graded,
    LogProb,
    Process,
    Sum,
)
from sanmai.search.mcts import Mcts
from sanmai.search.results import choose, leaves_of
from sanmai.search.strategies import GUIDE, OTHERS, Beam, BestOfN, Particles, Rebase, Revise
from sanmai.search.tree import Node, Tree
from sanmai.types import InputError, Problem, StopReason, Verdict
from tiny_models import random_policy

PROBLEMS = [
    Problem(f"p{k}", ({"role": "user", "content": f"what is {k} plus {k + 1} ?"},), answer=str(2 * k + 1)) for k in range(4)
]
STRATEGIES = [
    BestOfN(3), Beam(branch=3, keep=2), Beam(branch=2, groups=2, lookahead=3), Rebase(width=4), Particles(width=3),
    Mcts(branch=2, simulations=5), Mcts(branch=2, simulations=3, lookahead="end"),
]  # fmt: skip


@pytest.fixture(scope="module")
def policy():
    found = random_policy()
    found.stop_tokens = tuple(range(0, found.vocabulary, 12))
    return found


def searched(policy, problems, strategy, *, prefixes=None, guide=None, limits=None, seed=(0, "search")):
    limits = limits or Limits(max_tokens=24, step_tokens=6)
    rule, sampling = StepRule.parse("tokens:5"), SamplingConfig(max_tokens=24)
    driver = Driver(policy, guide or LogProb(), rule, sampling, limits, seed=seed, prefixes=prefixes)
    searches = [driver.begin(problem, strategy) for problem in problems]
    for _ in range(200):
        if all(search.is_done for search in searches):
            break
        driver.round(searches)
    return driver, searches


def drawn(search):
    return {path: (node.tokens, node.ended, node.ends) for path, node in search.tree.nodes.items()}


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: repr(s)[:40])
def test_a_tree_does_not_know_of_others_nor_of_kept_prefixes(policy, strategy):
    _, together = searched(policy, PROBLEMS, strategy, prefixes=Prefixes(10**7))
    _, alone = searched(policy, PROBLEMS[2:3], strategy)
    _, small = searched(policy, PROBLEMS[1:3], strategy, prefixes=Prefixes(2000))
    assert drawn(together[2]) == drawn(alone[0]) == drawn(small[1])
    assert together[2].is_done and len(drawn(together[2])) >= 3


def test_a_path_is_the_concatenation_of_its_nodes_and_decodes_to_the_text(policy):
    driver, (search, *_) = searched(policy, PROBLEMS[:2], Beam(branch=3), prefixes=Prefixes(10**7))
    tree = search.tree
    for path, node in tree.nodes.items():
        assert tree.tokens(path) == [t for depth in range(1, len(path) + 1) for t in tree.nodes[path[:depth]].tokens]
        assert len(tree.tokens(path)) == len(tree.logp(path)) <= 24
        kept = tree.tokens(path)[:-1] if node.ended is StopReason.STOP else tree.tokens(path)
        assert driver.text(tree, path) == policy.tokenizer.decode(kept, skip_special_tokens=False)
        assert tree.ends(path) == [5 * k for k in range(1, len(kept) // 5 + 1)] or node.ended is StopReason.STOP


def test_a_step_the_end_and_the_budget_are_three_things(policy):
    _, searches = searched(policy, PROBLEMS, Beam(branch=4), limits=Limits(max_tokens=9, step_tokens=4))
    ended = {node.ended for search in searches for node in search.tree.nodes.values()}
    assert ended == {StopReason.PAUSED, StopReason.STEP, StopReason.STOP, StopReason.LENGTH}
    for search in searches:
        for path, node in search.tree.nodes.items():
            if node.ended is StopReason.LENGTH:
                assert len(search.tree.tokens(path)) == 9 and not search.tree.children(path)
            if node.ended is StopReason.PAUSED:  # longer than a step may be: no step has ended
                assert len(node.tokens) == 4 and not node.ends
            if node.ended is StopReason.STEP:
                assert node.ends == (5,)


def test_every_token_is_paid_for_pruned_ones_and_the_guides_too(policy):
    def measure(pairs):
        return [1.0] * len(pairs)

    _, (search,) = searched(policy, PROBLEMS[:1], Beam(branch=3), guide=Entropy(measure), prefixes=Prefixes(10**7))
    tree, ledger = search.tree, search.ledger
    assert ledger.sampled == sum(len(node.tokens) for node in tree.nodes.values())
    assert ledger.prompt == len(search.prompt_tokens) and ledger.read_again == ledger.evicted == 0
    assert ledger.scored == sum(len(search.prompt_tokens) + len(tree.tokens(path)) for path in tree.nodes)
    assert ledger.paid == ledger.prompt + ledger.sampled + ledger.scored == max(node.at for node in tree.nodes.values())
    _, (without,) = searched(policy, PROBLEMS[:1], Beam(branch=3), guide=Entropy(measure))
    expanded = {path[:-1] for path in tree.nodes if len(path) > 1}
    assert without.ledger.read_again == sum(len(search.prompt_tokens) + len(tree.tokens(path)) for path in expanded)
    _, (crowded,) = searched(policy, PROBLEMS[:1], Beam(branch=3), guide=Entropy(measure), prefixes=Prefixes(0))
    assert crowded.ledger.evicted > 0 and crowded.ledger.paid == ledger.paid
    assert totals([ledger, ledger])["sampled"] == 2 * ledger.sampled


def test_a_budget_ends_a_tree_and_the_rest_goes_on(policy):
    _, searches = searched(policy, PROBLEMS[:2], BestOfN(None), limits=Limits(24, 6, budget=500), prefixes=Prefixes(10**7))
    for search in searches:
        assert 500 <= search.ledger.paid < 500 + 8 * 24 and len(search.tree.nodes) > 8
    ats = sorted({node.at for node in searches[0].tree.nodes.values()})
    assert len(ats) > 1 and all(node.at <= ats[0] for node in searches[0].tree.within(ats[0]).ended())


@pytest.mark.parametrize("strategy", [BestOfN(None), Beam(branch=3, repeats=True), Revise(chains=3)], ids=repr)
def test_what_a_budget_paid_for_is_scored_and_what_came_after_it_is_not(policy, strategy):
    _, searches = searched(policy, PROBLEMS, strategy, limits=Limits(24, 6, budget=500), prefixes=Prefixes(10**7))
    after = 0
    for search in searches:
        assert search.is_done
        for node in search.tree.nodes.values():
            assert GUIDE in node.scores or node.at > 500
            after += GUIDE not in node.scores
    assert after


def test_a_revision_answers_a_prompt_that_shows_the_completion(policy):
    driver, (search,) = searched(policy, PROBLEMS[:1], Revise(revisions=2, chains=3))
    revisions = [node for node in search.tree.nodes.values() if node.prompt is not None]
    assert revisions
    for node in revisions:
        shown = policy.tokenizer.decode(list(node.prompt))
        assert driver.text(search.tree, node.path[:-1]).strip() in shown and driver.limits.revise in shown
        assert search.tree.tokens(node.path) == list(node.tokens)


def candidate(text: str, ended=StopReason.STOP, others=()) -> Candidate:
    from sanmai.data.trace import parse_trace

    trace = parse_trace(text, is_truncated=ended is not StopReason.STOP)
    return Candidate(PROBLEMS[0], [1], [1, 2], [-0.5, -1.5], [2], ended, trace, [parse_trace(t) for t in others])


def test_a_function_of_ones_own_is_not_shown_the_answer_where_a_result_is_claimed():
    config = resolve(find_recipe("search"), values={})
    making = resolve(find_recipe("search"), values={"for_data": True})
    told = replace(candidate("a"), problem=replace(PROBLEMS[0], solution="1 and 0 ...", demonstration="1"))

    def of(problem, text):
        return float(problem.answer == "1") + (problem.solution is not None) + (problem.demonstration is not None)

    assert guide_of(config, None, of)([told])[0].score == 0 and guide_of(making, None, of)([told])[0].score == 3


def test_what_guides_say():
    assert LogProb()([candidate("x")])[0].score == pytest.approx(0.36787944)  # exp(-1)
    agree = Agreement()
    same = [r"so \boxed{11}", r"\boxed{1}", r"\boxed{\frac{22}{2}}"]
    # optillm clusters whole texts, openr takes "1" for a part of "11"; here answers count: 11 = 22/2, and 1 is another.
    assert agree([candidate(same[0], others=same)])[0].score == pytest.approx(2 / 3)
    assert agree([candidate(same[1], others=same)])[0].score == pytest.approx(1 / 3)
    assert agree([candidate("x", StopReason.STEP, same)])[0].score is None
    graded = Graded("model", lambda items: [Verdict(0.7, "")] * len(items))
    assert [f.score for f in graded([candidate("a"), candidate("b", StopReason.STEP)])] == [0.7, None]
    both = Sum([LogProb(), graded], [1.0, 3.0])
    assert both([candidate("a")])[0].score == pytest.approx(0.25 * 0.36787944 + 0.75 * 0.7)
    assert both([candidate("b", StopReason.STEP)])[0] == Found(None, 0, "not finished")
    assert Function(lambda problem, text: None)([candidate("a")])[0].score is None
    with pytest.raises(InputError, match="nan"):
        Function(lambda problem, text: float("nan"))([candidate("a")])
    for function, says in (
        (lambda problem, text: "good", "gave 'good' for problem"), (lambda problem, text: {}["x"], "raised KeyError for problem"),
        (lambda problem, text: [1.0], r"gave \[1.0\] for problem"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=says):
            Function(function)([candidate("a")])


class Steps:
    """A process model that gives each step the logit of its end."""

    def __init__(self, vocabulary, *, loses=0):
        self.tokenizer, self.max_positions = SimpleNamespace(get_vocab=lambda: vocabulary), 8
        self.read, self.loses = [], loses

    def encode_steps(self, messages, text):
        return [9] * len(text), [len(text)]

    def score_steps(self, sequences, ends):
        self.read += zip(sequences, ends, strict=True)
        return [[float(end - 4) for end in listed][self.loses :] for listed in ends]


def test_a_process_model_reads_the_policys_tokens_to_the_last_step_or_the_text():
    def cut(*, tokens, ends, ended=StopReason.STEP):
        return replace(candidate("abc", ended), tokens=tokens, ends=ends)

    model = Steps({"a": 1})
    found = Process("prm", model, "min", {"a": 1})([
        cut(tokens=[1, 2, 3, 4], ends=[1, 3]), cut(tokens=[1, 2], ends=[], ended=StopReason.PAUSED),
        cut(tokens=[1, 2, 3], ends=[2], ended=StopReason.STOP), cut(tokens=[5], ends=[], ended=StopReason.STOP),
        cut(tokens=[1] * 9, ends=[9]),
    ])  # fmt: skip
    # The prompt is one token; what is no step yet is judged as it stands; a stop token alone is no step; 10 tokens are too many.
    assert model.read == [([1, 1, 2, 3], [2, 4]), ([1, 1, 2], [3]), ([1, 1, 2], [3])]
    assert [one.score for one in found[:3]] == pytest.approx([1 / (1 + math.e**2), *[1 / (1 + math.e)] * 2])
    assert [(one.score, one.num_tokens) for one in found[3:]] == [(None, 0)] * 2
    assert [one.num_tokens for one in found[:3]] == [4, 3, 3]
    assert "no step" in found[3].reason and "the 8 tokens" in found[4].reason
    other = Steps({"b": 1})
    assert Process("prm", other, "min", {"a": 1})([cut(tokens=[1, 2], ends=[2])])[0].num_tokens == 3
    assert other.read == [([9] * 3, [3])]
    with pytest.raises(RuntimeError, match="1 scores for 2 steps"):
        Process("prm", Steps({"a": 1}, loses=1), "min", {"a": 1})([cut(tokens=[1, 2], ends=[1, 2])])


def test_what_no_guide_can_score_is_counted(policy):
    _, (search,) = searched(policy, PROBLEMS[:1], BestOfN(4), guide=Function(lambda problem, text: None))
    assert search.ledger.unscored == 4 and all(node.scores == {GUIDE: None} for node in search.tree.nodes.values())


def test_what_ended_beside_a_lookahead_is_scored_though_the_budget_is_used_up(policy):
    beam = Beam(branch=4, lookahead=4, repeats=True)
    for budget in range(330, 500, 10):
        limits = Limits(24, 6, budget=budget)
        _, searches = searched(policy, PROBLEMS, beam, limits=limits, prefixes=Prefixes(10**7))
        for tree in (search.tree for search in searches):
            assert all(GUIDE in node.scores for node in tree.ended() if node.at <= budget)


def test_agreement_goes_by_all_that_are_finished_when_an_answer_is_chosen():
    def node(number, answer, *others):
        keys = [*others, answer]
        share = keys.count(answer) / len(keys)
        return Node((number,), (number,), (-0.1,), StopReason.STOP, (), {GUIDE: 0.5 * share + 0.1, OTHERS: 0.5 * share}, number)

    tree, answers = Tree("p", ("t",)), {(0,): "7", (1,): "8", (2,): "8"}
    tree.add(node(0, "7"))
    tree.add(node(1, "8", "7"))
    tree.add(node(2, "8", "7", "8"))
    stale = leaves_of(tree, {}, answers, list(answers))
    assert choose(stale, "best").leaf.path == (0,)  # alone then, so all agreed with it
    fresh = leaves_of(tree, {}, answers, list(answers), others_weight=0.5)
    assert [leaf.guide for leaf in fresh] == pytest.approx([0.1 + 0.5 / 3, 0.1 + 1 / 3, 0.1 + 1 / 3])
    assert choose(fresh, "best").leaf.answer == "8"
    first = tree.within(1)
    assert [leaf.guide for leaf in leaves_of(first, {}, answers, [(0,), (1,)], others_weight=0.5)] == pytest.approx([0.35, 0.35])
    both = Sum([LogProb(), Agreement()], [1.0, 3.0])
    found = both([candidate("a")])[0]
    assert both.others_weight == 0.75 and found.of_others == 0.75 and found.score == pytest.approx(0.25 * 0.36787944 + 0.75)


def test_a_judges_questions_and_replies_are_paid_for_from_a_cache_too(policy):
    def complete(batch):
        return ["so it is" if number % 2 == 0 else Failure("timeout", "none") for number, _ in enumerate(batch)]

    replies = CountedReplies(complete, lambda text: len(text.split()))
    ask = [{"role": "user", "content": "is it so ?"}]
    assert replies([ask, ask]) == ["so it is", Failure("timeout", "none")] and replies.tokens == 4 + 4 + 3
    judge = CorrectnessJudge(JudgeConfig(model="m", failure_budget=1.0), replies)
    guide = Graded("judge", judge, counts=lambda: replies.tokens, is_gold=True)
    _, (search,) = searched(policy, PROBLEMS[:1], BestOfN(4), guide=guide)
    ended = len(search.tree.ended())
    assert ended and search.ledger.scored > 50 * ended and search.ledger.scored == replies.tokens - 11


def test_an_aggregation_that_nothing_reads_is_refused(policy):
    asked = resolve(find_recipe("search"), values={"guide": ["logp", "entropy"], "aggregation": "mean"})
    with pytest.raises(InputError, match=r"aggregation = 'mean' is read only by a process model"):
        guide_of(asked, policy)
