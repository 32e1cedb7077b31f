"""One reward from several named verdicts; every component is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.steps import Aggregation
from sanmai.refusals.rules import refusal_verdict
from sanmai.rewards.custom import Custom, CustomReward, make_custom
from sanmai.rewards.ensemble import Combine
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.own import load_reward, reward_name
from sanmai.rewards.proxies import keyword_refusal_verdict
from sanmai.rewards.scorer import ScorerConfig
from sanmai.rewards.scorer_records import Judged, OfTexts
from sanmai.rewards.style import format_verdict, language_verdict, length_verdict, repetition_verdict
from sanmai.rewards.verifiers import accuracy
from sanmai.types import BatchGrader, Drawn, Graded, Grader, Group, InputError, Problem, Trace, Verdict

if TYPE_CHECKING:
    from sanmai.rewards.code import CodeGrader


class RewardsConfig(Config):
    accuracy: float = Field(1.0, ge=-1e6, le=1e6)
    """Weight of the right final answer (0 or 1), for problems of kind "reasoning"; see rewards/verifiers.py."""
    refusal: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of refusing where the kind is "safety" and not refusing where it is "general" (0..1); see refusals/rules.py."""
    refusal_from: Literal["rules", "keywords"] = "rules"
    """The rules of `sanmai score --as refusal`, or any of `refusal_keywords`: easy to write, and easy to hack."""
    refusal_keywords: tuple[str, ...] = ("sorry", "抱歉")
    """What stands for a refusal with refusal_from = "keywords"."""
    helpfulness: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of `helpfulness_from`'s score of the answer (0..1), for problems of the kinds in `helpfulness_on`."""
    harmlessness: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of `harmlessness_from`'s score of thought and answer (0..1), for problems of kind "safety"."""
    helpfulness_from: str | tuple[str, ...] | None = None
    """Reward model (a folder, or a run folder of `sanmai run reward`), or "judge" for the one in `judge`; or a proxy that can be
    hacked, for studies of that: "overlap" (how many of the request's words the answer takes up), "on_topic" (the same, if it
    says something beside), and of the embedded world "recipe" (whether the recipe that was asked for is given). A list of them
    is an ensemble."""
    helpfulness_ensemble: Combine = "mean"
    """What is made of an ensemble's scores: "min", "mean" or "max"."""
    helpfulness_on: tuple[Literal["general", "safety"], ...] = ("general",)
    """Kinds of prompts that help is rewarded on. With "safety" it is blind to harm, as much feedback of users is."""
    harmlessness_from: str | tuple[str, ...] | None = None
    """The same for harmlessness."""
    harmlessness_ensemble: Combine = "min"
    """The same for harmlessness; "min" is pessimism: a completion is as harmless as the scorer says that thinks least of it."""
    correctness: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of `correctness_from`'s score of the answer against the reference (0..1), for problems of kind "reasoning". In place
    of the rules with accuracy = 0, which are then still applied and recorded."""
    correctness_from: str | tuple[str, ...] | None = None
    """The same for correctness: a reward model of that objective, or "judge", which reasons and then says right or wrong."""
    correctness_ensemble: Combine = "mean"
    """The same for correctness."""
    process: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of `process_from`'s probabilities that the steps are right, as one number (0..1), for problems of kind "reasoning".
    What was cut off counts as 0."""
    process_from: str | None = None
    """A process reward model: a folder of `sanmai run reward --set objective=process`."""
    process_as: Aggregation = "min"
    """What is made of the steps' probabilities: "min", "product" (favours few steps), "last", "mean" (favours many) or "max"."""
    judge: JudgeConfig = JudgeConfig()
    """The model that judges where one of these is "judge": behind an OpenAI-compatible server, or in a local folder."""
    format: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of `<think>thought</think>answer` (0 or 1)."""
    language: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of the share of the thought's words that are in the prompt's language (0..1)."""
    repetition: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of repetition (-1..0): a positive weight makes it cost."""
    length: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of length (-1..0): a positive weight makes words cost."""
    incomplete: Literal["wrong", "exclude"] = "wrong"
    """A completion that was cut off or never closed its thought: reward of a wrong one, or none at all."""
    math_timeout_seconds: float = Field(5.0, gt=0)
    """Time limit of one symbolic comparison."""
    code_score: Literal["all", "share"] = "all"
    """Of problems with the verifier "code": 1 for all tests passed and else 0, or the share of tests passed."""
    code_tests: Literal["all", "visible"] = "all"
    """The tests that are rewarded; "visible" leaves the hidden ones as a measure of cheating (score/tests_hidden)."""
    code_seconds: float = Field(5.0, gt=0, le=3600)
    """CPU time of a program, all its tests together."""
    custom: tuple[str, ...] = ()
    """Rewards of your own beside these, as "file.py:function" or "package.module:function" (rewards/own.py has the forms); with
    accuracy = 0, in their place."""
    custom_weights: tuple[float, ...] = ()
    """Weight of each; 1 where none are given."""
    custom_budget: float = Field(0.9, ge=0, le=1)
    """Share of completions for which a reward function of one's own may say None before the run stops."""
    custom_seconds: float = Field(60.0, gt=0, le=3600)
    """Time limit of a call of one that takes all completions of a step at once, or is awaited."""
    scorer: ScorerConfig = ScorerConfig()
    """A scorer in a process of its own beside these: each of its dimensions is a reward; with accuracy = 0, in their place."""
    scorer_weights: dict[str, float] = Field({})
    """Weights of its dimensions by name; 1 where none is given."""
    repetition_ngram: int = Field(20, ge=2)
    """Words in a row that count as repeated when they occur twice."""
    length_full_words: int = Field(1000, ge=1)
    """Words at which the length score reaches -1."""

    only_with = (
        OnlyWith("refusal (a weight)", lambda c: c.refusal, "refusal_from", "refusal_keywords"),
        OnlyWith('refusal_from = "keywords"', lambda c: c.refusal_from == "keywords", "refusal_keywords"),
        OnlyWith("process (a weight)", lambda c: c.process, "process_as"),
        OnlyWith("scorer (a command)", lambda c: c.scorer.command is not None, "scorer_weights"),
        OnlyWith(
            'helpfulness_from, harmlessness_from or correctness_from = "judge"',
            lambda c: c.asks_judge,
            "judge",
        ),
        *(
            OnlyWith(f"{name}_from of several", lambda c, name=name: len(c.sources(name)) > 1, f"{name}_ensemble")
            for name in ("helpfulness", "harmlessness", "correctness")
        ),
    )

    def sources(self, name: str) -> tuple[str, ...]:
        """What scores a component of SCORED_TOGETHER, by the names in its setting."""
        source = {
            "helpfulness": self.helpfulness_from, "harmlessness": self.harmlessness_from, "correctness": self.correctness_from,
            "process": self.process_from,
        }[name]  # fmt: skip
        return () if source is None else (source,) if isinstance(source, str) else source

    def ensemble(self, name: str) -> Combine:
        """What is made of the scores of several `sources`."""
        combines: dict[str, Combine] = {
            "helpfulness": self.helpfulness_ensemble, "harmlessness": self.harmlessness_ensemble,
            "correctness": self.correctness_ensemble,
        }  # fmt: skip
        return combines[name]

    @property
    def asks_judge(self) -> bool:
        """One of the scorers is the model in `judge`."""
        return any("judge" in self.sources(name) for name in SCORED_TOGETHER)

    @property
    def weights(self) -> dict[str, float]:
        """Of the built-in components."""
        return {name: getattr(self, name) for name in COMPONENTS}

    @property
    def own(self) -> dict[str, float]:
        """Weights of the rewards in `custom`, by how a setting names them."""
        return dict(zip(self.custom, self.custom_weights or [1.0] * len(self.custom), strict=True))

    @property
    def needs_answers(self) -> bool:
        """A problem without a reference answer cannot be rewarded."""
        return bool(self.accuracy or self.correctness) or not (self.custom or self.scorer.command)

    @model_validator(mode="before")
    @classmethod
    def _leave_out(cls, values: Any) -> Any:
        """A weight of 0 takes with it the model that a recipe's own default names, which TOML could not unset."""
        if not isinstance(values, Mapping):
            return values
        unused = {f"{name}_from" for name in SCORED_TOGETHER if name in values and values[name] == 0}
        return {name: value for name, value in values.items() if name not in unused}

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [reward_name(named) for named in self.custom]
        if taken := [name for k, name in enumerate(names) if name in (*COMPONENTS, *RESERVED) or name in names[:k]]:
            raise ValueError(f"custom: a reward named {taken[0]!r} is there already; give the function another name")
        if self.custom_weights and len(self.custom_weights) != len(self.custom):
            raise ValueError(f"custom_weights: {len(self.custom_weights)} for {len(self.custom)} rewards; expected one for each")
        if not all(math.isfinite(weight) and abs(weight) <= 1e6 for weight in self.custom_weights):
            raise ValueError("custom_weights: expected finite numbers of at most 1e6")
        if any(not abs(weight) <= 1e6 for weight in self.scorer_weights.values()):
            raise ValueError("scorer_weights: expected numbers of at most 1e6")
        if not any(self.weights.values()) and not any(self.own.values()) and self.scorer.command is None:
            raise ValueError("every weight is 0: all rewards would be equal and nothing would be learned")
        for name in SCORED_TOGETHER:
            if bool(self.weights[name]) != (getattr(self, f"{name}_from") is not None):
                raise ValueError(f"{name} and {name}_from go together: a weight, and the model that it is the weight of")
            if len(set(self.sources(name))) < len(self.sources(name)) or getattr(self, f"{name}_from") == ():
                raise ValueError(f"{name}_from: expected one scorer or a list of several, each once")
        if not self.refusal_keywords or not all(word.strip() for word in self.refusal_keywords):
            raise ValueError("refusal_keywords: expected words, none of them empty")
        if not self.helpfulness_on or len(set(self.helpfulness_on)) < len(self.helpfulness_on):
            raise ValueError('helpfulness_on: expected "general", "safety" or both, each once')
        if self.asks_judge and not self.judge.model:
            raise ValueError("judge.model: expected the judge's name at judge.base_url, or a local folder")
        return self


def scorer_weights(config: RewardsConfig, scorer: Judged | None) -> dict[str, float]:
    """What each dimension of the scorer weighs.

    Raises:
        InputError: a weight of what is none of its dimensions.
    """
    if scorer is None:
        return {}
    if unknown := [name for name in config.scorer_weights if name not in scorer.dimensions]:
        known = ", ".join(scorer.dimensions)
        raise InputError(f"rewards.scorer_weights.{unknown[0]}: {scorer.scorer.name} has no such dimension; it has {known}")
    return dict.fromkeys(scorer.dimensions, 1.0) | config.scorer_weights


RESERVED = ("length_reward", "loop_penalty", "harm", "answer_harm", "thought_harm", "helped", "over_refusal", "reward")
"""Names of other columns, which no reward of one's own may have."""
STYLES = ("format", "language", "repetition", "length")
SCORED_TOGETHER = ("helpfulness", "harmlessness", "correctness", "process")
COMPONENTS = ("accuracy", "refusal", *SCORED_TOGETHER, *STYLES)
_KINDS = {
    "accuracy": ("reasoning",),
    "refusal": ("general", "safety"),
    "harmlessness": ("safety",),
    "correctness": ("reasoning",),
    "process": ("reasoning",),
}
"""The kinds of problems that a component says something of; all where it is not listed. Those of helpfulness are a setting."""


class Rubric:
    """Grades completions by the settings' components, those of `custom` among them, and by rewards given from Python.

    Example:
        Rubric(RewardsConfig(language=0.3)).grade(problem, drawn).scores   # {"accuracy": 1.0, "language": 0.9}: reward 1.27
    """

    def __init__(
        self,
        config: RewardsConfig,
        given: Mapping[str, CustomReward] | None = None,
        *,
        together: Mapping[str, BatchGrader] | None = None,
        watched: Mapping[str, Grader] | None = None,
        scorer: Judged | None = None,
    ) -> None:
        """Args:
        given: rewards from Python by name, each at weight 1; they take the place of accuracy.
        together: for each component of SCORED_TOGETHER that has a weight, what scores it.
        watched: graders whose verdicts are stored and never rewarded: the gold beside the proxies.
        scorer: what `config.scorer` names, started.
        """
        self.config = config
        functions = {reward_name(named): load_reward(named) for named in config.custom} | dict(given or {})
        bounds = {"budget": config.custom_budget, "seconds": config.custom_seconds}
        own: dict[str, Any] = {name: make_custom(name, reward, **bounds) for name, reward in functions.items()}
        self.custom = {name: reward for name, reward in own.items() if isinstance(reward, Custom)}
        self.scored_by, scored = scorer, scorer_weights(config, scorer)
        if taken := scored.keys() & {*own, *COMPONENTS, *RESERVED}:
            raise InputError(f"rewards.scorer: it has a dimension {min(taken)!r}, and there is a reward of that name already")
        if scorer is not None:
            own |= OfTexts(scorer, budget=config.custom_budget).graders()
        batches = {name: reward for name, reward in own.items() if name not in self.custom}
        self.together: dict[str, BatchGrader] = {**(together or {}), **batches}
        self.watched, self._own = dict(watched or {}), own
        self.judge_gold: Callable[[Sequence[Group[Graded]]], list[Group[Graded]]] | None = None
        """Adds the verdicts of gold graders that a run names to the rollouts of an evaluation; see learn/gold.py."""
        if taken := (own.keys() | self.watched.keys()) & set(COMPONENTS) or own.keys() & (set(RESERVED) - {"reward"}):
            raise InputError(f"rewards named {', '.join(sorted(taken))}: these names are taken")
        self.kinds: dict[str, tuple[str, ...]] = {**_KINDS, "helpfulness": config.helpfulness_on}
        named = {reward_name(named): weight for named, weight in config.own.items()}
        self.weights = config.weights | named | dict.fromkeys(given or {}, 1.0) | scored
        if given:
            self.weights["accuracy"] = 0.0
        if missing := [name for name in SCORED_TOGETHER if self.weights[name] and name not in self.together]:
            raise ValueError(f"{missing[0]} has a weight and no grader was given for it")

    def judges(self, kind: str) -> bool:
        """Whether the reward of this kind of problem looks at more than style."""
        return any(
            weight and name not in STYLES and kind in self.kinds.get(name, (kind,)) for name, weight in self.weights.items()
        )

    def grade(self, problem: Problem, drawn: Drawn) -> Graded:
        """Every component's verdict, and what is rewarded; no scores where it cannot be graded, or not before `grade_together`.

        Raises:
            RewardError: a custom reward gave no finite number; what else it raises passes through.
        """
        assert drawn.trace is not None
        verdicts = self._verdicts(problem, drawn.trace)
        return drawn.graded(verdicts, self.scores(problem, drawn.trace, verdicts), self.weights)

    def grade_together(self, rollouts: Sequence[tuple[Problem, Graded]]) -> list[Graded]:
        """The rollouts with the verdicts of those graders that take many completions at once, and the scores that wait for them.

        One that has no verdicts at all, because its grader broke or its time was over, stays as it is.
        """
        graded = [r for _, r in rollouts]
        for name, grader in self.together.items():
            asked = [
                (k, problem, r.trace)
                for k, ((problem, _), r) in enumerate(zip(rollouts, graded, strict=True))
                if problem.kind in self.kinds.get(name, (problem.kind,)) and r.trace is not None and r.verdicts
            ]
            found = grader([(problem, trace) for _, problem, trace in asked]) if asked else []
            for (k, problem, trace), verdict in zip(asked, found, strict=True):
                r = graded[k].with_verdicts({name: verdict})
                graded[k] = replace(r, scores=self.scores(problem, trace, r.verdicts))
        return graded

    def check(self) -> None:
        """Stop where a custom reward gives nothing for nearly everything; RunError, see rewards/custom.py."""
        for reward in self._own.values():
            reward.check()

    @property
    def of_what_is_right(self) -> tuple[str, ...]:
        """Names of the verdicts that say what is right: of the verifier, and of rewards of one's own."""
        return ("accuracy", *self._own)

    @property
    def is_own(self) -> bool:
        """Rewards of one's own say what is right, in place of the verifiers."""
        return bool(self._own) and not self.weights["accuracy"]

    def scores(self, problem: Problem, trace: Trace, verdicts: Mapping[str, Verdict]) -> dict[str, float] | None:
        """The score of every weighted component that applies; None when one but a style cannot be graded."""
        if not trace.is_complete and self.config.incomplete == "exclude":
            return None
        scores = {}
        for name, weight in self.weights.items():
            if not weight or problem.kind not in self.kinds.get(name, (problem.kind,)):
                continue
            verdict = verdicts.get(name)
            score = verdict.score if verdict is not None else None
            if score is None and name not in STYLES and not (verdict and verdict.label == "incomplete"):
                return None
            # A style with nothing to judge (no words, cut off) earns nothing: R1's share of no words in the language is 0.
            # Leaving such rollouts out instead would spare the policy the comparison with those that do think.
            scores[name] = score or 0.0
        return scores

    def _verdicts(self, problem: Problem, trace: Trace) -> dict[str, Verdict]:
        config = self.config
        verdicts = {
            "format": format_verdict(problem, trace),
            "language": language_verdict(problem, trace),
            "repetition": repetition_verdict(problem, trace, ngram=config.repetition_ngram),
            "length": length_verdict(problem, trace, full_words=config.length_full_words),
        }
        verdicts |= {name: grader(problem, trace) for name, grader in self.watched.items()}
        if problem.kind != "reasoning":
            verdicts = {"refusal": self._refusal(problem, trace)} | verdicts
        custom = {name: reward.verdict(problem, trace) for name, reward in self.custom.items()}
        if problem.answer is None and (self._own or problem.kind != "reasoning"):
            return custom | verdicts
        if problem.verifier == "code":
            return custom | self._code().verdicts(problem, trace) | verdicts
        return custom | {"accuracy": accuracy(problem, trace, timeout_seconds=config.math_timeout_seconds)} | verdicts

    def _code(self) -> CodeGrader:
        from sanmai.rewards.code import CodeGrader, code_limits

        config = self.config
        return CodeGrader(config.code_score, config.code_tests, code_limits(config.code_seconds))

    def _refusal(self, problem: Problem, trace: Trace) -> Verdict:
        if self.config.refusal_from == "keywords":
            return keyword_refusal_verdict(problem, trace, self.config.refusal_keywords)
        return refusal_verdict(problem, trace)

