"""Answers that are searched for: a request may ask for a strategy, with a budget of its own, instead of one sample.

    {"search": {"strategy": "best_of_n", "n": 8, "tokens": 2000, "guide": "runs/prm"}}

Guides are loaded when the server starts, and a request names one of them or one of the policy's own (logp, entropy, agreement).
The usage counts every token that was paid for: prompt tokens are what policy and guide read, completion tokens all that was
sampled, discarded ones too. One search runs at a time, beside the completions of other requests.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sanmai.data.steps import StepRule
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.prefixes import Prefixes
from sanmai.recipes.search_settings import SearchConfig, check_guide, guide_of, strategy_of
from sanmai.search.answer_keys import answer_key
from sanmai.search.drive import Driver, Ledger, Limits, Search
from sanmai.search.guides import Guide
from sanmai.search.results import choose, leaves_of
from sanmai.serve.protocol import ChatAsked, RequestError, SearchAsked
from sanmai.types import InputError, Problem, RunError, StopReason

OWN = ("logp", "entropy", "agreement")
"""Guides that need no model beside the policy."""
MOST_WAITING = 16
"""Searches that may wait for their turn; further ones get HTTP 429."""


@dataclass(frozen=True)
class SearchDefaults:
    """What the server does with requests.

    Example:
        SearchDefaults(guides=("runs/prm",), strategy="best_of_n", n=8)
    """

    guides: tuple[str, ...] = ()
    """Folders of reward models or FILE.py:FUNCTION that requests may name; the first is the default guide."""
    strategy: str | None = None
    """For requests that name none; None: they are sampled."""
    n: int = 8
    tokens: int = 4000
    """Budget of a request that names none, and the most that one may name."""
    settings: Mapping[str, Any] | None = None
    """Further settings of `sanmai search`, such as steps."""


@dataclass(frozen=True)
class Answer:
    """What a search came to."""

    text: str
    is_finished: bool
    tokens: list[int]
    is_opened: bool
    """The prompt has opened the thought."""
    ledger: Ledger
    facts: dict[str, Any]
    """For the client: strategy, guide, score, how many were finished, tokens by kind."""


class Searcher:
    """Searches for answers of one policy.

    Args:
        max_tokens: of a completion.

    Raises:
        InputError: a guide cannot be loaded, is shown the reference answer, or the defaults cannot work.
    """

    def __init__(self, policy: TextPolicy, defaults: SearchDefaults, *, max_tokens: int) -> None:
        self.policy, self.defaults, self.max_tokens = policy, defaults, max_tokens
        self.guides: dict[str, Guide] = {}
        for name in (*defaults.guides, *OWN):
            self.guides[name] = guide_of(SearchConfig.read({"guide": name, **self._model()}, source="serve"), policy)
        self._turn = asyncio.Lock()
        self._waiting = 0
        if defaults.strategy is not None:
            try:
                self._config(SearchAsked(), max_tokens, 1.0)
            except RequestError as error:
                raise InputError(f"serve: {error}") from None

    def lines(self) -> list[str]:
        """What the first lines of the server say of it."""
        default = f"by {self.defaults.strategy} where a request names nothing" if self.defaults.strategy else "where asked for"
        return [f"Searches {default}, with guide {', '.join(self.guides)}; at most {self.defaults.tokens} tokens a request"]

    def wanted(self, asked: ChatAsked) -> SearchAsked | None:
        """What a request asks to be searched by; None where it is to be sampled."""
        if asked.search is None:
            return SearchAsked() if self.defaults.strategy is not None else None
        return None if asked.search.strategy == "none" else asked.search

    async def answer(self, asked: ChatAsked, search: SearchAsked, budget: int) -> Answer:
        """Search for an answer; cancelling ends the search after its round.

        Args:
            budget: tokens of a completion.

        Raises:
            RequestError: it asks for what a search cannot do, or too many wait.
        """
        refuse(asked)
        config = self._config(search, budget, 1.0 if asked.temperature is None else asked.temperature)
        guide = self.guides[config.guide[0]]
        if self._waiting >= MOST_WAITING:
            said = f"{MOST_WAITING} searches wait already; try again later"
            raise RequestError(429, said, kind="rate_limit_error", code="queue_full", retry_after=1)
        self._waiting += 1
        stop = threading.Event()
        try:
            async with self._turn:
                work = asyncio.create_task(asyncio.to_thread(self._search, asked, config, guide, stop))
                try:
                    return await asyncio.shield(work)
                except asyncio.CancelledError:
                    stop.set()
                    await asyncio.gather(work, return_exceptions=True)
                    raise
        finally:
            self._waiting -= 1

    def _config(self, search: SearchAsked, budget: int, temperature: float) -> SearchConfig:
        """The settings of `sanmai search` that a request comes to; RequestError names what cannot be met."""
        defaults, strategy = self.defaults, search.strategy or self.defaults.strategy
        if strategy is None:
            raise RequestError(400, "search.strategy: expected one, such as best_of_n", param="search")
        guide = search.guide or next(iter(self.guides))
        if guide not in self.guides:
            known = ", ".join(self.guides)
            raise RequestError(400, f"search.guide = {guide[:200]!r}: not loaded here; expected {known}", param="search")
        if search.tokens is not None and search.tokens > defaults.tokens:
            said = f"search.tokens = {search.tokens}: this server spends at most {defaults.tokens} a request"
            raise RequestError(400, said, param="search")
        n = search.n or (defaults.n if search.tokens is None else None)
        tokens = search.tokens or defaults.tokens
        if strategy == "best_of_n" and n is not None:  # exactly n, and together no more than the server's budget
            budget, tokens = min(budget, defaults.tokens // n), None
        values: dict[str, Any] = {
            "strategy": strategy, "guide": guide, "tokens": tokens,
            "sampling": {"max_tokens": budget, "temperature": temperature}, **(defaults.settings or {}), **self._model(),
        }  # fmt: skip
        values |= {name: one for name, one in search.model_dump(exclude_none=True).items() if name in _PASSED}
        if n is not None and strategy in ("rebase", "particles", "revise", "best_of_n"):
            values["width"] = n
        if budget < 1:
            raise RequestError(400, f"search.n = {n}: more than this server's {defaults.tokens} tokens", param="search")
        try:
            config = SearchConfig.read(values, source="search")
            check_guide(self.guides[guide], config)
        except InputError as error:
            raise RequestError(400, str(error), param="search") from None
        return config

    def _model(self) -> dict[str, Any]:
        return {"model": {"device": str(self.policy.device).split(":")[0]}}

    def _search(self, asked: ChatAsked, config: SearchConfig, guide: Guide, stop: threading.Event) -> Answer:
        """The search itself, in a thread of its own."""
        seed = secrets.randbits(48) if asked.seed is None else asked.seed
        limits = Limits(config.sampling.max_tokens, config.step_tokens, config.tokens, config.grading.thought_tags, config.revise)
        driver = Driver(
            self.policy, guide, StepRule.parse(config.steps), config.sampling, limits, seed=(seed, "serve", "search"),
            prefixes=Prefixes(config.prefix_megabytes * 2**20) if config.prefix_megabytes else None,
        )  # fmt: skip
        problem = Problem("request", tuple(asked.conversation), kind="general")
        search = driver.begin(problem, strategy_of(config, config.strategy[0]))
        while not search.is_done and not stop.is_set():
            driver.round([search])
        return self._chosen(driver, search, config, guide)

    def _chosen(self, driver: Driver, search: Search, config: SearchConfig, guide: Guide) -> Answer:
        """What is answered: the choice among what was finished within the budget, else the longest beginning, cut off."""
        tree = search.tree if config.tokens is None else search.tree.within(config.tokens)
        finals = search.strategy.finals(tree)
        answers = {node.path: answer_key(search.problem, driver.trace(search, node.path)) for node in tree.ended()}
        leaves = leaves_of(tree, {}, answers, finals, guide.others_weight)
        try:
            chosen = choose(leaves, config.choose)
        except RunError as error:
            raise RequestError(400, str(error), param="search") from None
        if chosen is not None:
            path, score = chosen.leaf.path, chosen.guide
        elif finals:
            path, score = finals[0], None
        else:
            path, score = max(search.tree.nodes, key=lambda p: (len(search.tree.tokens(p)), p)), None
        is_finished = search.tree.nodes[path].ended is StopReason.STOP
        facts = {
            "strategy": config.strategy[0], "guide": guide.name, "choose": config.choose, "score": score,
            "finished": len(leaves), "tokens": {**asdict(search.ledger), "paid": search.ledger.paid},
        }  # fmt: skip
        tokens = search.tree.tokens(path)
        opened = driver.trace(search, path).opened_in_prompt
        return Answer(driver.text(search.tree, path), is_finished, tokens, opened, search.ledger, facts)


_PASSED = ("branch", "keep", "groups", "revisions", "choose", "lookahead")


def refuse(asked: ChatAsked) -> None:
    """Raise RequestError for what a search cannot do."""
    checks: Sequence[tuple[bool, str, str]] = (
        (bool(asked.logprobs), "logprobs", "an answer that was searched for has no log-probs to show"),
        ((asked.n or 1) > 1, "n", "a search gives one answer; search.n is how many it chooses from"),
        (asked.top_p not in (None, 1, 1.0), "top_p", "a search draws from the whole distribution; leave top_p out"),
        (bool(asked.stops), "stop", "a search chooses among whole completions; leave stop out"),
        (asked.temperature == 0, "temperature", "at temperature 0 all candidates are equal; expected above 0"),
        (asked.messages[-1].role == "assistant", "messages", "a search begins a turn; expected another role at the end"),
    )  # fmt: skip
    for fails, name, said in checks:
        if fails:
            raise RequestError(400, f"{name} with search: {said}", param=name, code="unsupported_with_search")
