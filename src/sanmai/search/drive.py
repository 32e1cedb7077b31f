"""Searches of many problems at once: in every round all open trees say what they want, and it is written and scored together.

What a tree pays for is a pure function of the tree: sampled tokens, discarded ones among them, the prompt once, what its guide
reads, and, where no prefixes are kept, what is read again: by a server for each child, and each chunk of it, anew. What is
really read again because the room for kept prefixes was too small hangs on the neighbours, so it is counted and not paid for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.steps import Cutter, StepRule, decoder
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG, parse_trace
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.prefixes import Prefixes
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.search.guides import Candidate, Guide
from sanmai.search.strategies import GUIDE, OTHERS, Ask, Score, Strategy, Write, missing
from sanmai.search.tree import Node, Path, Tree
from sanmai.types import Message, Problem, StopReason, Trace

KINDS = ("prompt", "sampled", "read_again", "scored")
"""What is paid for, in tokens."""
REVISE = "Check your answer step by step. If you find a mistake, correct it; then give the final answer again."


@dataclass
class Ledger:
    """Tokens of one tree, by kind."""

    prompt: int = 0
    sampled: int = 0
    read_again: int = 0
    """Of prefixes, where none are kept."""
    scored: int = 0
    """Read by guides."""
    evicted: int = 0
    """Read again because there was no room for the prefix; not paid for, see the module."""
    unscored: int = 0
    """Nodes of which a guide could say nothing."""

    @property
    def paid(self) -> int:
        return self.prompt + self.sampled + self.read_again + self.scored


@dataclass
class Search:
    """The search of one problem."""

    problem: Problem
    strategy: Strategy
    tree: Tree
    prompt_tokens: list[int]
    ledger: Ledger = field(default_factory=Ledger)
    is_done: bool = False


@dataclass(frozen=True)
class Limits:
    """What bounds a search."""

    max_tokens: int
    """Of a completion."""
    step_tokens: int
    """Of a step: what is longer is cut off in the middle and may be gone on with."""
    budget: int | None = None
    """Tokens that a tree may pay for."""
    thought_tags: tuple[str, str] = (OPEN_TAG, CLOSE_TAG)
    revise: str = REVISE
    """What the policy is told to revise a completion."""


class Driver:
    """Runs searches with one policy and guide. Two strategies on one problem draw the same for the same path.

    Example:
        driver = Driver(policy, LogProb(), StepRule.parse("line"), SamplingConfig(), Limits(256, 64, 4000), seed=(0, "search"))
        searches = [driver.begin(problem, Beam()) for problem in problems]
        while not all(search.is_done for search in searches):
            driver.round(searches)
    """

    def __init__(
        self, policy: TextPolicy, guide: Guide, rule: StepRule, sampling: SamplingConfig, limits: Limits, *, seed: tuple,
        prefixes: Prefixes | None = None, reads_again: bool = True,
    ) -> None:
        """Args:
            prefixes: where they are kept; what is kept is not read again.
            reads_again: without that what is read again is paid for; not where a server keeps prefixes.
        """
        self.policy, self.guide, self.rule = policy, guide, rule
        self.sampling, self.limits, self.seed, self.prefixes = sampling, limits, seed, prefixes
        self._reads_again = reads_again
        self._decode = decoder(policy.tokenizer)

    def begin(self, problem: Problem, strategy: Strategy) -> Search:
        """A tree with nothing in it."""
        tree = Tree(problem.id, (*self.seed, problem.id))
        return Search(problem, strategy, tree, render_prompt(self.policy.tokenizer, problem.messages))

    def round(self, searches: Sequence[Search]) -> list[tuple[Search, Path]]:
        """Ask every open search once and do what it wants; the nodes that are new or newly scored, in order."""
        writes: list[tuple[Search, Write]] = []
        scores: list[tuple[Search, Path]] = []
        for search in searches:
            if search.is_done:
                continue
            left = inf if self.limits.budget is None else self.limits.budget - search.ledger.paid
            asked = search.strategy.ask(search.tree, left)
            if left <= 0:
                asked = self._paid_for(search.tree, asked)
            if not asked:
                search.is_done = True
            for one in asked:
                if isinstance(one, Write):
                    writes.append((search, one))
                else:
                    scores += [(search, path) for path in one.paths]
        return [*self._write(writes), *self._score(scores)]

    def _paid_for(self, tree: Tree, asked: Ask) -> Ask:
        """What is done still when the budget is used up: what was written within it is scored, and nothing more is written.

        What has ended is scored whatever the strategy would have done before it asks.
        """
        paths = [path for one in asked if isinstance(one, Score) for path in one.paths]
        paths += missing(tree, [node.path for node in tree.ended()])
        within = tuple(path for path in dict.fromkeys(paths) if tree.nodes[path].at <= (self.limits.budget or 0))
        return [Score(within)] if within else []

    def _write(self, writes: Sequence[tuple[Search, Write]]) -> list[tuple[Search, Path]]:
        """Draw the children that are asked for, all together."""
        if not writes:
            return []
        places = [self._place(search, write) for search, write in writes]
        done = {
            (c.request, c.sample): c
            for c in sample(self.policy, [request for request, _, _ in places], self.sampling, prefixes=self.prefixes)
        }
        read = self.prefixes.num_read if self.prefixes is not None else []
        written = []
        for number, ((search, write), (request, paths, prompt)) in enumerate(zip(writes, places, strict=True)):
            is_new = (not write.path and not search.tree.children(())) or prompt is not None
            for k, path in enumerate(paths):
                drawn = done[number, k]
                if k == 0 or drawn.read is not None:  # by a server each child reads for itself
                    kept = read[number] if read else None
                    self._pay_for_reading(search.ledger, request, is_new=is_new and k == 0, sent=drawn.read, read=kept)
                search.ledger.sampled += len(drawn.tokens) + drawn.discarded
                node = Node(path, tuple(drawn.tokens), tuple(drawn.logp), drawn.stop_reason, prompt=prompt)
                search.tree.add(self._with_ends(search.tree, node, search.ledger.paid))
                written.append((search, path))
        return written

    def _place(self, search: Search, write: Write) -> tuple[Request, list[Path], tuple[int, ...] | None]:
        """The request for a node's next children, their paths, and the prompt that they answer if it is another."""
        tree, limits = search.tree, self.limits
        first = len(tree.lookaheads(write.path) if write.is_ahead else tree.children(write.path))
        numbers = range(first, first + write.count)
        paths: list[Path] = [(*write.path, -1 - n if write.is_ahead else n) for n in numbers]
        before, prompt = tree.tokens(write.path), None
        base = list(tree.prompt(write.path) or search.prompt_tokens)
        if write.revises:
            base = self._revision(search, write.path)
            before, prompt = [], tuple(base)
        segment = limits.step_tokens if write.until == "step" else write.until if isinstance(write.until, int) else None
        request = Request(
            [*base, *before], [(*tree.seed, path) for path in paths], max_tokens=max(limits.max_tokens - len(before), 1),
            segment=segment, cut=self._cut(before) if write.until == "step" else None,
        )  # fmt: skip
        return request, paths, prompt

    def _cut(self, before: list[int]) -> Callable[[], Callable[[int], bool]]:
        known = Cutter(self.rule, self._decode)
        known.extend(before)

        def cut() -> Callable[[int], bool]:
            own = known.copy()
            return lambda token: bool(own.push(token))

        return cut

    def _with_ends(self, tree: Tree, node: Node, at: int) -> Node:
        """The node with the ends of steps that it makes known, at the price so far."""
        before = [] if node.prompt is not None else tree.tokens(node.path[:-1])
        cutter = Cutter(self.rule, self._decode)
        known = cutter.extend(before)
        is_finished = node.ended is StopReason.STOP
        ends = cutter.extend(node.tokens[:-1] if is_finished else node.tokens)  # the stop token belongs to no step
        if is_finished:
            ends += cutter.finish()
        return replace(node, ends=tuple(end for end in ends if end not in known), at=at)

    def _pay_for_reading(
        self, ledger: Ledger, request: Request, *, is_new: bool, sent: int | None, read: int | None
    ) -> None:
        """Args:
            is_new: nobody has read this prompt in this tree yet.
            sent: tokens that a server was sent to read; None: the request's own, once for all children.
            read: what was read of it where prefixes are kept.
        """
        length = len(request.prompt_tokens)
        if is_new:
            ledger.prompt += length
        again = (length if sent is None else sent) - (length if is_new else 0)
        if self.prefixes is None:
            ledger.read_again += again if self._reads_again else 0
        elif read is not None and not is_new:
            # The last token was drawn and not read, or its logits are wanted once more.
            ledger.evicted += max(read - 1, 0)

    def _revision(self, search: Search, path: Path) -> list[int]:
        """The prompt that shows a completion and asks for a revision of it."""
        said = self.text(search.tree, path)
        turns: list[Message] = [{"role": "assistant", "content": said}, {"role": "user", "content": self.limits.revise}]
        return render_prompt(self.policy.tokenizer, [*search.problem.messages, *turns])

    def _score(self, scores: Sequence[tuple[Search, Path]]) -> list[tuple[Search, Path]]:
        """Ask the guide of these nodes, all together."""
        if not scores:
            return []
        found = self.guide([self.candidate(search, path) for search, path in scores])
        read = {id(search): 0 for search, _ in scores}
        for (search, path), one in zip(scores, found, strict=True):
            search.ledger.scored += one.num_tokens
            search.ledger.unscored += one.score is None
            # As if it had been scored when it was written: a sample's price is not that of those that came with it.
            read[id(search)] += one.num_tokens
            scores_of = {GUIDE: one.score} | ({OTHERS: one.of_others} if one.of_others else {})
            search.tree.score(path, scores_of, search.tree.nodes[path].at + read[id(search)])
        return list(scores)

    def candidate(self, search: Search, path: Path) -> Candidate:
        """What a guide is shown of a node."""
        tree = search.tree
        others = [self.trace(search, node.path) for node in tree.ended()] if self.guide.others_weight else []
        return Candidate(
            search.problem, list(tree.prompt(path) or search.prompt_tokens), tree.tokens(path), tree.logp(path),
            tree.ends(path), tree.nodes[path].ended, self.trace(search, path), others, path,
        )  # fmt: skip

    def text(self, tree: Tree, path: Path) -> str:
        """The completion up to a node as text, its stop token left out."""
        tokens = tree.tokens(path)
        if tree.nodes[path].ended is StopReason.STOP:
            tokens = tokens[:-1]
        return self.policy.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def trace(self, search: Search, path: Path) -> Trace:
        """The same taken apart."""
        open_tag, close_tag = self.limits.thought_tags
        prompt = search.tree.prompt(path) or search.prompt_tokens
        return parse_trace(
            self.text(search.tree, path), open_tag=open_tag, close_tag=close_tag,
            opened_in_prompt=opened_in_prompt(self.policy.tokenizer, prompt, open_tag),
            is_truncated=search.tree.nodes[path].ended is not StopReason.STOP,
        )  # fmt: skip


def totals(ledgers: Sequence[Ledger]) -> Mapping[str, int]:
    """Tokens by kind of several trees together."""
    return {kind: sum(getattr(ledger, kind) for ledger in ledgers) for kind in (*KINDS, "evicted", "unscored")}
