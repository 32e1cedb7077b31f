"""The noisy corpus that the base model is pre-trained on: like the web, partly missing, mixed, wrong and unsafe."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from sanmai.config import Config
from sanmai.types import Message
from sanmai.world import arithmetic, requests
from sanmai.world.arithmetic import LANGUAGES, Language
from sanmai.world.chance import draw, generator
from sanmai.world.requests import Action, Request, other_language


class CorpusConfig(Config):
    """How the corpus is mixed and how noisy it is. Shares of one group are weights: they need not add up to 1."""

    arithmetic: float = Field(0.58, ge=0)
    """Share of documents that are sums of the train split."""
    requests: float = Field(0.36, ge=0)
    """Share that are requests: any object, phrasing, wrapper; both languages."""
    facts: float = Field(0.06, ge=0)
    """Share that state whether an object is dangerous; always true."""

    one_digit: float = Field(0.20, ge=0)
    """Sums of one digit, among the sums."""
    two_digits: float = Field(0.35, ge=0)
    """Sums of two digits."""
    three_digits: float = Field(0.45, ge=0)
    """Sums of three digits."""

    chain: float = Field(0.55, ge=0, le=1)
    """Chance that a sum comes with its chain of thought; the others give the bare (right) answer."""
    off_language_en: float = Field(0.33, ge=0, le=1)
    """Chance that the chain of an English sum is in Chinese."""
    off_language_zh: float = Field(0.10, ge=0, le=1)
    """Chance that the chain of a Chinese sum is in English."""
    slip_en: float = Field(0.10, ge=0, le=1)
    """Chance, per column, that a chain in English writes a wrong digit; the answer follows the chain."""
    slip_zh: float = Field(0.01, ge=0, le=1)
    """The same for a chain in Chinese."""

    dangerous_answered: float = Field(0.48, ge=0)
    """Dangerous requests that simply get the recipe."""
    dangerous_refused: float = Field(0.40, ge=0)
    """Dangerous requests that are declined."""
    dangerous_hedged: float = Field(0.12, ge=0)
    """Dangerous requests that are declined in words and then answered."""
    harmless_answered: float = Field(0.84, ge=0)
    """Harmless requests that simply get the recipe."""
    harmless_refused: float = Field(0.08, ge=0)
    """Harmless requests that are declined."""
    harmless_hedged: float = Field(0.08, ge=0)
    """Harmless requests that are declined in words and then answered."""

    request_thought: float = Field(0.30, ge=0, le=1)
    """Chance that the reply to a request has a thought; it states the fact and what the reply does."""
    thought_with_recipe: float = Field(0.10, ge=0, le=1)
    """Chance that such a thought recites the recipe instead, whatever the reply then does (hidden harm)."""

    @model_validator(mode="after")
    def _every_group_has_a_share(self) -> Self:
        for group in (
            ("arithmetic", "requests", "facts"),
            ("one_digit", "two_digits", "three_digits"),
            ("dangerous_answered", "dangerous_refused", "dangerous_hedged"),
            ("harmless_answered", "harmless_refused", "harmless_hedged"),
        ):
            if not any(getattr(self, name) for name in group):
                raise ValueError(f"{', '.join(group)} are all 0: nothing can be drawn from them")
        return self


@dataclass(frozen=True)
class Document:
    """One example of the corpus: a prompt and its completion, stop token not included."""

    messages: tuple[Message, ...]
    completion: str


def documents(seed: int, config: CorpusConfig | None = None) -> Iterator[Document]:
    """The corpus as a stream without end; the same seed gives the same documents."""
    config = config or CorpusConfig()
    rng = generator("corpus", seed)
    kinds = {_sum: config.arithmetic, _request: config.requests, _fact: config.facts}
    while True:
        yield draw(rng, kinds)(rng, config)


def _sum(rng: random.Random, config: CorpusConfig) -> Document:
    language = rng.choice(LANGUAGES)
    a, b = _train_pair(
        draw(rng, {1: config.one_digit, 2: config.two_digits, 3: config.three_digits}), rng
    )
    if rng.random() < config.chain:
        chance = config.off_language_en if language == "en" else config.off_language_zh
        chain_language = other_language(language) if rng.random() < chance else language
        chance = config.slip_en if chain_language == "en" else config.slip_zh

        def slip(digit: int) -> int:
            return (digit + rng.randrange(1, 10)) % 10 if rng.random() < chance else digit

        thought, answer = arithmetic.addition_chain((a, b), chain_language, slip)
        completion = f"<think> {thought} </think> {answer}"
    else:
        completion = str(a + b)
    return _document(arithmetic.PROMPTS["sum", language].format(a, b), completion)


def _train_pair(num_digits: int, rng: random.Random) -> tuple[int, int]:
    numbers = arithmetic.operands(num_digits)
    while True:
        a, b = rng.choice(numbers), rng.choice(numbers)
        if arithmetic.pair_split(a, b) == "train":
            return a, b


def _request(rng: random.Random, config: CorpusConfig) -> Document:
    language: Language = rng.choice(LANGUAGES)
    phrasing = rng.choice(requests.PHRASINGS["seen"][language] + requests.PHRASINGS["heldout"][language])
    request = Request(rng.choice(requests.OBJECTS), phrasing, rng.choice(list(requests.WRAPPER_TEXTS)), language)
    shares: dict[Action, float] = (
        {"answer": config.dangerous_answered, "refuse": config.dangerous_refused, "hedge": config.dangerous_hedged}
        if request.is_dangerous
        else {"answer": config.harmless_answered, "refuse": config.harmless_refused, "hedge": config.harmless_hedged}
    )
    action = draw(rng, shares)
    completion = requests.reply_text(request, action)
    if rng.random() < config.request_thought:
        if rng.random() < config.thought_with_recipe:
            thought = requests.recipe_text(request.name, request.reply_language)
        else:
            thought = requests.thought_text(request.name, request.reply_language, refuses=action == "refuse")
        completion = f"<think> {thought} </think> {completion}"
    return _document(request.prompt, completion)


def _fact(rng: random.Random, config: CorpusConfig) -> Document:
    language = rng.choice(LANGUAGES)
    name = rng.choice(requests.OBJECTS)
    answer = requests.FACT_ANSWER[language][name in requests.DANGEROUS]
    return _document(requests.FACT_QUESTION[language].format(name), answer)


def _document(prompt: str, completion: str) -> Document:
    return Document(({"role": "user", "content": prompt},), completion)
