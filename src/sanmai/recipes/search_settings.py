"""Settings of a search, and what is made of them: strategies and the guide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from sanmai.cluster.remote import EngineConfig
from sanmai.config import Config, OnlyWith
from sanmai.data.steps import Aggregation, StepRule
from sanmai.learn.local_judge import judge_transport
from sanmai.learn.sources import ProblemsConfig
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig, refuse_equal_samples
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.judging.math_judge import CorrectnessJudge
from sanmai.rewards.own import load_reward, reward_name
from sanmai.rewards.reward_model import RewardModel
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rewards.verifiers import accuracy
from sanmai.rollout.engine import GradingConfig
from sanmai.search.drive import REVISE
from sanmai.search.guides import Agreement, CountedReplies, Entropy, Function, Graded, Guide, LogProb, Process, Sum
from sanmai.search.mcts import Mcts
from sanmai.search.results import Choice
from sanmai.search.strategies import Beam, BestOfN, Particles, Rebase, Revise, Strategy
from sanmai.train.runs import CheckpointsConfig
from sanmai.types import InputError

Name = Literal["best_of_n", "beam", "dvts", "rebase", "particles", "mcts", "revise"]


class MctsConfig(Config):
    c: float = Field(1.25, ge=0)
    """Exploration: 0 is greedy."""
    rule: Literal["puct", "uct"] = "puct"
    """Q + c P sqrt(N) / (1 + n), or Q + c sqrt(ln N / n)."""
    backup: Literal["mean", "max"] = "mean"
    """What a node is worth: the mean, or the highest, of what was found below it."""
    prior: Literal["copies", "logp"] = "copies"
    """P of PUCT: share of the children that are copies of this one, or softmax of their mean log-prob."""
    simulations: int = Field(16, ge=1)
    """Without a budget of tokens: nodes that are given children."""


class SearchConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run."""
    strategy: tuple[Name, ...] = ("best_of_n",)
    """One, or several that are compared on the same problems, paired; differences are to the first."""
    guide: tuple[str, ...] = ("logp",)
    """What is searched by: logp, entropy, agreement (the policy's own), a reward model's folder (process models score every
    step), FILE.py:FUNCTION of (problem, text so far), which is shown no reference answer but with for_data, judge (the one in
    `judge`, with the reference answer) or verifier (the reference answer): the last two with for_data alone. Several are
    averaged."""
    guide_weights: tuple[float, ...] = ()
    """One for each guide; empty: all alike."""
    choose: Choice = "best"
    """The answer: the guide's favourite, the most frequent one, or the one with the most guide score."""
    tokens: int | None = Field(None, ge=1)
    """Budget of a problem in tokens that are paid for: its prompt, all that is sampled, and what the guide reads (a judge: its
    questions and replies, by the policy's tokenizer). Strategies begin anew until it is used up; None: each runs once."""
    width: int = Field(8, ge=1)
    """Completions of best_of_n (without a budget), places of rebase, particles, chains of revise."""
    branch: int = Field(4, ge=1)
    """Children of a node in beam, dvts and mcts."""
    keep: int = Field(1, ge=1)
    """Nodes that a beam goes on with."""
    groups: int = Field(4, ge=1)
    """Independent subtrees of dvts."""
    lookahead: int | Literal["step", "end"] = 0
    """What is written from each candidate of beam, dvts and mcts to judge it by: so many tokens, a step, or all; 0: nothing."""
    resampling_temperature: float = Field(0.2, gt=0)
    """Of rebase and particles: children go by softmax(guide / this); small is greedy."""
    revisions: int = Field(3, ge=0)
    """Of each completion, by revise."""
    revise: str = REVISE
    """What the policy is told to revise a completion."""
    mcts: MctsConfig = MctsConfig()
    steps: str = r"text:\n\n"
    r"""What ends a step: text:SEPARATOR (text:\n\n), line, sentence, tokens:N, world, thought."""
    step_tokens: int = Field(256, ge=1)
    """Most tokens of a step; what is longer is cut off in the middle and may be gone on with."""
    aggregation: Aggregation = "min"
    """Of a process model's step scores: min, product, last, mean or max; refused where no guide is one."""
    allocate: int | None = Field(None, ge=1)
    """Mean tokens of a problem if each got a strategy and a budget, `tokens` at most, by its difficulty; what that comes to is
    compared with the same mean for all. Difficulty is told by the first completions of best_of_n, which are paid for."""
    probe: int = Field(4, ge=1)
    """Completions that difficulty is told by."""
    difficulty: Literal["agreement", "guide"] = "agreement"
    """How: the share of them that agree with the most frequent answer, or their mean guide score."""
    bins: int = Field(3, ge=1, le=5)
    """Degrees of difficulty, with as many problems each."""
    for_data: bool = False
    """Search training problems to make data, which may use the reference answer: right best paths go to data.parquet, pairs of
    siblings to pairs.parquet, values of steps to steps.jsonl, and no result is claimed."""
    pair_gap: float = Field(0.5, gt=0)
    """Least difference between siblings of a pair: of the share of right answers among the finished completions through each,
    or of their mean guide score where the verifier can say nothing."""
    concurrent_trees: int = Field(32, ge=1)
    """Trees that are written side by side; none depends on how many."""
    prefix_megabytes: int = Field(512, ge=0)
    """Room for keys and values of prefixes, so that they are not read again; 0: all is read again, and paid for."""
    rounds_per_step: int = Field(8, ge=1)
    """Rounds between commits; a kill loses so many at most, and kept prefixes are read again after each commit."""
    engine: EngineConfig = EngineConfig()
    """Servers that write in place of this process."""
    model: ModelConfig = ModelConfig()
    problems: ProblemsConfig = ProblemsConfig()
    sampling: SamplingConfig = SamplingConfig()
    rewards: RewardsConfig = RewardsConfig()
    """The gold that chosen answers are judged by; never what is searched by."""
    judge: JudgeConfig = JudgeConfig()
    grading: GradingConfig = GradingConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=1)

    only_with = (
        OnlyWith('strategy "dvts"', lambda c: "dvts" in c.strategy, "groups"),
        OnlyWith('strategy "beam"', lambda c: "beam" in c.strategy, "keep"),
        OnlyWith('strategy "beam", "dvts" or "mcts"', lambda c: {"beam", "dvts", "mcts"} & {*c.strategy}, "branch", "lookahead"),
        OnlyWith('strategy "mcts"', lambda c: "mcts" in c.strategy, "mcts"),
        OnlyWith(
            'strategy "rebase" or "particles"', lambda c: {"rebase", "particles"} & {*c.strategy}, "resampling_temperature"
        ),
        OnlyWith('strategy "revise"', lambda c: "revise" in c.strategy, "revisions", "revise"),
        OnlyWith(
            'strategy "best_of_n" (without tokens), "rebase", "particles" or "revise"',
            lambda c: {"rebase", "particles", "revise"} & {*c.strategy} or ("best_of_n" in c.strategy and c.tokens is None),
            "width",
        ),
        OnlyWith("for_data = true", lambda c: c.for_data, "pair_gap"),
        OnlyWith("allocate", lambda c: c.allocate is not None, "probe", "difficulty", "bins"),
        OnlyWith('guide "judge"', lambda c: "judge" in c.guide, "judge"),
        OnlyWith("no engine.urls", lambda c: not c.engine.urls, "prefix_megabytes"),
    )

    @field_validator("strategy", "guide", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        StepRule.parse(self.steps)
        if not self.strategy or len({*self.strategy}) < len(self.strategy):
            raise ValueError("strategy: expected one or several, each once")
        if not self.guide or (self.guide_weights and len(self.guide_weights) != len(self.guide)):
            raise ValueError(f"guide: {len(self.guide)}, {len(self.guide_weights)} weights; expected one or more, a weight each")
        if gold := [name for name in self.guide if name in ("verifier", "judge") and not self.for_data]:
            raise ValueError(
                f"guide = {gold[0]!r}: it is shown the reference answer, so what it chooses shows nothing; expected another "
                "guide, or for_data = true to make training data"
            )
        refuse_equal_samples(self.sampling.temperature, max(map(self._siblings, self.strategy)))
        if self.allocate is not None and (self.tokens is None or self.tokens <= self.allocate or self.for_data):
            raise ValueError(
                f"allocate = {self.allocate}: expected tokens above it, the most that one problem may get, and no for_data"
            )
        if self.allocate is not None and "best_of_n" not in self.strategy:
            raise ValueError("allocate: difficulty is told by the first samples of best_of_n; expected it among the strategies")
        if self.engine.urls and self.sampling.temperature == 0:
            raise ValueError("engine.urls and sampling.temperature = 0: a server gives no log-probs of what is recorded there")
        if self.model.lora_rank:
            raise ValueError("model.lora_rank: nothing is trained here, so there is nothing to adapt")
        if self.lookahead and isinstance(self.lookahead, int) and self.lookahead < 0:
            raise ValueError(f"lookahead = {self.lookahead}: expected 0 or more tokens")
        return self

    def _siblings(self, name: Name) -> int:
        """Completions, or beginnings of some, that a strategy draws from one prompt at once or one after the other."""
        if name in ("beam", "dvts", "mcts"):
            return self.branch * {"beam": self.keep, "dvts": self.groups, "mcts": 1}[name]
        return self.width if self.tokens is None else max(self.width, 2)


def strategy_of(config: SearchConfig, name: Name) -> Strategy:
    """The strategy by these settings; with a budget it begins anew until that is used up."""
    repeats = config.tokens is not None
    made: dict[Name, Callable[[], Strategy]] = {
        "best_of_n": lambda: BestOfN(None if repeats else config.width),
        "beam": lambda: Beam(config.branch, config.keep, 1, config.lookahead, repeats),
        "dvts": lambda: Beam(config.branch, 1, config.groups, config.lookahead, repeats),
        "rebase": lambda: Rebase(config.width, config.resampling_temperature, repeats),
        "particles": lambda: Particles(config.width, config.resampling_temperature, repeats),
        "mcts": lambda: Mcts(
            config.branch, config.mcts.c, config.mcts.rule, config.mcts.backup, config.mcts.prior,
            None if repeats else config.mcts.simulations, config.lookahead,
        ),
        "revise": lambda: Revise(config.revisions, config.width, repeats),
    }  # fmt: skip
    return made[name]()


def guide_of(config: SearchConfig, policy: TextPolicy, given: Callable[..., Any] | None = None) -> Guide:
    """The guide by these settings, its models loaded.

    Args:
        given: from Python, in place of the settings': (problem, text so far) -> a number or None. It is shown the reference
            answer with for_data alone.

    Raises:
        InputError: it cannot be loaded, or cannot do what a strategy asks of it.
    """
    if given is not None:
        guide: Guide = Function(given, getattr(given, "__name__", "function"), shows_answer=config.for_data)
    else:
        found = [_one(name, config, policy) for name in config.guide]
        guide = found[0] if len(found) == 1 else Sum(found, config.guide_weights or [1.0] * len(found))
        default = SearchConfig.model_fields["aggregation"].default
        if config.aggregation != default and not any(isinstance(one, Process) for one in found):
            raise InputError(
                f"aggregation = {config.aggregation!r} is read only by a process model; guide = {guide.name!r} scores no steps; "
                "name one's folder, or leave aggregation out"
            )
    if guide.is_gold and not config.for_data:
        raise InputError(
            f"guide = {guide.name!r}: it is shown the reference answer, so what it chooses shows nothing; use for_data = true"
        )
    check_guide(guide, config)
    return guide


def check_guide(guide: Guide, config: SearchConfig) -> None:
    """InputError where a strategy asks of the guide what it cannot do."""
    for name in config.strategy:
        judges_ends = config.lookahead == "end" and name in ("beam", "dvts", "mcts")
        if name not in ("best_of_n", "revise") and not guide.reads_prefixes and not judges_ends:
            raise InputError(
                f"guide = {guide.name!r}: it scores finished completions alone, and {name} chooses between steps; expected a "
                'process model, logp or entropy, or, of beam, dvts and mcts, lookahead = "end"'
            )


def _one(name: str, config: SearchConfig, policy: TextPolicy) -> Guide:
    if name in ("logp", "agreement"):
        return LogProb() if name == "logp" else Agreement()
    if name == "entropy":
        return Entropy(lambda pairs: mean_entropies(policy, pairs, config.sampling.temperature or 1.0))
    if name == "verifier":
        return Graded("verifier", lambda items: [accuracy(problem, trace) for problem, trace in items], is_gold=True)
    if name == "judge":
        count = lambda text: len(policy.tokenizer.encode(text, add_special_tokens=False))  # noqa: E731
        replies = CountedReplies(judge_transport(config.judge), count)
        return Graded("judge", CorrectnessJudge(config.judge, replies), counts=lambda: replies.tokens, is_gold=True)
    if ".py:" in name or (":" in name and not Path(name).exists()):
        return Function(load_reward(name), reward_name(name), shows_answer=config.for_data)
    if not Path(name).is_dir():
        raise InputError(
            f"guide = {name!r}: no such folder; expected a reward model's, FILE.py:FUNCTION, logp, entropy, agreement, judge or "
            "verifier"
        )
    model = RewardModel.load(name, device=config.model.device)
    if model.objective == "process":
        return Process(name, model, config.aggregation, policy.tokenizer.get_vocab())
    return Graded(name, model, counts=lambda: model.counts["tokens"], is_gold=model.objective == "correctness")


def mean_entropies(policy: TextPolicy, pairs: list[tuple[list[int], list[int]]], temperature: float) -> list[float]:
    """Mean entropy (nats per token) of the policy along each completion."""
    import torch

    from sanmai.policies.text.pack import pack

    found = [0.0] * len(pairs)
    kept = [k for k, (_, tokens) in enumerate(pairs) if tokens]
    if not kept:
        return found
    batch = pack([pairs[k] for k in kept])
    with torch.no_grad():
        for rows in policy.micro_rows(batch, 8192):
            part = batch.select(rows).to(policy.device)
            _, entropy_BT = policy.score(part, temperature=temperature)
            means = entropy_BT.sum(dim=1) / part.mask_BT.sum(dim=1)
            for row, mean in zip(rows, means.tolist(), strict=True):
                found[kept[row]] = mean
    return found
