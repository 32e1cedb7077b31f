"""RL alone, SFT alone, both in sequence, both at once, both at once under constraints: at equal cost, on one set of problems.

    base --RL--> rl                                        rewards that a practitioner would write, and that can be hacked
                                                           (with rl_from = "sft": sft --RL--> rl)
    base --SFT--> sft                                      a few demonstrations, until they are learned
    base --SFT--> sft_long                                 the same demonstrations for the whole budget
    base --SFT--> --RL--> --SFT--> --RL--> sequence
    sft  --RL + w SFT--> hybrid                            one update, summed components, fixed weights
    sft  --RL + (w + multiplier) SFT--> constrained        the multiplier is driven by harm on a probe set (learn/constraints.py)

An arm may process `tokens` completion tokens: sampled, trained on, demonstrated and probed; or, with `operations`, compute so
many floating point operations in these, prompts and backward passes counted (policies/text/flops.py). Where prompts are longer
than answers, tokens flatter SFT: it trains on short answers behind long prompts. Every stage of an arm has its share.
The analysis that this answers (arXiv:2501.17030) says that RL and SFT together are needed, and has no experiment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sanmai.config import OnlyWith
from sanmai.learn.auxiliary_sft import AuxiliarySftConfig
from sanmai.learn.constraints import MEASURES, ConstraintsConfig, LimitConfig
from sanmai.pipelines.graph import Graph, Stage
from sanmai.pipelines.wiring import GIVEN, Pipeline, PipelineConfig, Wiring, refuse_given
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.resolve import resolve_model
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.recipes.gather import DataConfig, GatherConfig
from sanmai.recipes.sft import SftConfig
from sanmai.recipes.zero import ZeroConfig
from sanmai.rewards.rubric import RewardsConfig

Arm = Literal["rl", "sft", "sft_long", "sequence", "hybrid", "constrained"]
ARMS: dict[Arm, str] = {
    "rl": "RL alone",
    "sft": "SFT alone, short",
    "sft_long": "SFT alone, the whole budget",
    "sequence": "SFT, RL, SFT, RL",
    "hybrid": "RL + SFT in one update, fixed weights",
    "constrained": "RL + SFT in one update, under constraints",
}
"""What each arm is, in the order of the table."""
_PROBE = "@data/probe.jsonl"
_SECOND = 1_000_003
"""Between the seeds of an arm's first and second stage of one kind."""


class CompareConfig(PipelineConfig):
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0, 1, 2)
    """Each arm is run once per seed; what is said of an arm has an interval over them."""
    arms: tuple[Arm, ...] = tuple(ARMS)
    """Which ways to compare; see the top of pipelines/compare.py."""
    tokens: int = Field(900_000, ge=1)
    """What each arm may process: completion tokens sampled, trained on, demonstrated and probed."""
    operations: float | None = Field(None, gt=0)
    """In place of tokens: the floating point operations that each arm may compute. None: tokens count."""
    rl_from: Literal["base", "sft"] = "base"
    """Where RL alone starts: at the base, or, as the hybrids do, at the short SFT, which then counts to its budget. A base that
    refuses nothing cannot show what RL does to refusals."""
    sft_share: float = Field(0.01, gt=0, lt=0.5)
    """Share of them that a short SFT stage takes."""
    model: ModelConfig = ModelConfig()
    """The base."""
    data: DataConfig = DataConfig(cold_start_limit=100, demonstrations_limit=200, probe=0.34)
    """Prompts, demonstrations, held-out problems and the probe set apart from them; see recipes/gather.py."""
    rl: ZeroConfig = ZeroConfig(rewards=RewardsConfig(refusal=1.0))
    """The RL of every arm, with the same rewards."""
    sft: SftConfig = SftConfig()
    """The SFT of every arm, on the same demonstrations."""
    auxiliary_sft_weight: float = Field(0.3, gt=0)
    """Weight of SFT on the same demonstrations in the updates of hybrid; in constrained the multipliers are added to it."""
    auxiliary_sft_demonstrations: int = Field(48, ge=1)
    """Demonstrations in one such update."""
    constraints: ConstraintsConfig = ConstraintsConfig(probe=_PROBE, harm=LimitConfig(limit=0.02))
    """The limits of `constrained`."""
    evaluation: EvaluateConfig = EvaluateConfig()
    """Of every model, on the held-out problems."""

    completed_later = frozenset({"problems"})
    only_with = (
        OnlyWith("no operations", lambda c: c.operations is None, "tokens"),
        OnlyWith('arms with "rl"', lambda c: "rl" in c.arms, "rl_from"),
        OnlyWith('arms with "hybrid" or "constrained"', lambda c: {"hybrid", "constrained"} & set(c.arms),
                 "auxiliary_sft_weight", "auxiliary_sft_demonstrations"),
    )

    @model_validator(mode="before")
    @classmethod
    def _name_probe(cls, values: Any) -> Any:
        given = values.get("constraints") if isinstance(values, dict) else None
        if isinstance(given, dict) and any(given.get(name) is not None for name in MEASURES if name != "kl"):
            values = {**values, "constraints": {"probe": _PROBE, **given}}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, values in (("seeds", self.seeds), ("arms", self.arms)):
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name}: expected at least one, and none of them twice")
        if not self.data.probe and "constrained" in self.arms:
            raise ValueError("data.probe is 0: constraints need held-out prompts of their own")
        if not self.constraints.limits and "constrained" in self.arms:
            raise ValueError("constraints: the arm `constrained` has no limit")
        if self.constraints.probe not in (None, _PROBE):
            raise ValueError("constraints.probe is given by the comparison: leave it out")
        given = (*GIVEN, "token_budget", "operation_budget", "auxiliary_sft", "constraints")
        refuse_given(self, dict.fromkeys(("rl", "sft", "evaluation"), given), "the comparison")
        return self


def graph(config: CompareConfig, out: Path) -> Graph:
    """The stages in order; the report reads what each arm scored."""
    return Graph(list(_stages(config)), out)


run_compare = Pipeline("compare", graph, models=lambda config: (config.model.name,))


def _stages(config: CompareConfig) -> Iterator[Stage]:
    for seed in config.seeds:
        yield from _SeedStages(config, seed).all()


class _SeedStages:
    """The stages of one seed; their names end in it."""

    def __init__(self, config: CompareConfig, seed: int) -> None:
        self.config, self.seed = config, seed
        self.base = config.model.name
        self.wiring = Wiring(seed, config.model, self.at("data/evaluation.jsonl"))

    def all(self) -> Iterator[Stage]:
        data = GatherConfig(seed=self.seed, data=self.config.data)
        yield Stage(self.name("data"), "gather", data, "prompts, demonstrations, held-out problems, probe")
        yield self.score("base", self.base, "the base")
        share = self.config.sft_share
        after_sft = {"sft", "hybrid", "constrained", *(["rl"] if self.config.rl_from == "sft" else [])}
        needs_sft = after_sft & set(self.config.arms)
        for arm in self.config.arms:
            if needs_sft and arm in needs_sft:
                yield self.sft("sft", self.base, share, ARMS["sft"])
                needs_sft = set()
            if arm == "rl":
                is_first = self.config.rl_from == "base"
                yield self.rl("rl", self.base if is_first else self.at("sft"), 1.0 if is_first else 1.0 - share, ARMS["rl"])
            elif arm == "sft_long":
                yield self.sft("sft_long", self.base, 1.0, ARMS["sft_long"])
            elif arm == "sequence":
                yield self.sft("sequence1", self.base, share, "in sequence, 1 of 4: SFT")
                yield self.rl("sequence2", self.at("sequence1"), 0.5 - share, "in sequence, 2 of 4: RL")
                again = {"seed": self.seed + _SECOND}  # other prompts and samples than the first time
                yield self.sft("sequence3", self.at("sequence2"), share, "in sequence, 3 of 4: SFT", **again)
                yield self.rl("sequence", self.at("sequence3"), 0.5 - share, "in sequence, 4 of 4: RL", **again)
            elif arm == "hybrid":
                yield self.rl("hybrid", self.at("sft"), 1.0 - share, ARMS[arm], auxiliary_sft=self.auxiliary_sft)
            elif arm == "constrained":
                constraints = self.config.constraints.model_copy(update={"probe": self.at("data/probe.jsonl")})
                both = {"auxiliary_sft": self.auxiliary_sft, "constraints": constraints}
                yield self.rl("constrained", self.at("sft"), 1.0 - share, ARMS[arm], **both)
            yield self.score(arm, self.at(arm), ARMS[arm])

    def name(self, stage: str) -> str:
        return f"{stage}-{self.seed}"

    def at(self, text: str) -> str:
        """What a stage's settings call another stage of this seed, or a file of it."""
        stage, _, file = text.partition("/")
        return f"@{self.name(stage)}/{file}" if file else f"@{self.name(stage)}"

    @property
    def demonstrations(self) -> tuple[str, ...]:
        return self.at("data/demonstrations.jsonl"), self.at("data/cold_start.jsonl")

    @property
    def auxiliary_sft(self) -> AuxiliarySftConfig:
        return AuxiliarySftConfig(
            source=self.demonstrations,
            weight=self.config.auxiliary_sft_weight,
            demonstrations_per_update=self.config.auxiliary_sft_demonstrations,
            max_tokens=self.config.sft.max_tokens,
        )

    def budget(self, share: float) -> dict[str, float]:
        """The setting by which a stage ends that has this share of an arm's budget."""
        if self.config.operations is not None:
            return {"operation_budget": share * self.config.operations}
        return {"token_budget": max(round(share * self.config.tokens), 1)}

    def rl(self, name: str, start: str, share: float, purpose: str, **changes: Any) -> Stage:
        source, update = self.at("data/scenarios.jsonl"), {**self.budget(share), **changes}
        return Stage(self.name(name), "zero", self.wiring.wired(self.config.rl, start, source, **update), purpose)

    def sft(self, name: str, start: str, share: float, purpose: str, **changes: Any) -> Stage:
        update = {**self.budget(share), **changes}
        part = self.wiring.wired(self.config.sft, start, self.demonstrations, **update)
        return Stage(self.name(name), "sft", part, purpose)

    def score(self, arm: str, start: str, title: str) -> Stage:
        tags = {"arm": arm, "seed": str(self.seed)}
        return self.wiring.score(self.config.evaluation, arm, start, title, f"-{self.seed}", **tags)


def describe_compare(config: CompareConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a comparison would do: its stages, what is done of them, and how many tokens the rest may process."""
    resolve_model(config.model.name)
    found = Graph(list(_stages(config)), out)
    titles = ", ".join(f"{arm} ({ARMS[arm]})" for arm in config.arms)
    yield f"Arms: {titles}; seeds {', '.join(map(str, config.seeds))}."
    left = [stage for stage in found.stages if found.state(stage.name) != "finished"]
    name, unit = ("token_budget", "completion tokens") if config.operations is None else ("operation_budget", "operations")
    budgets = [getattr(stage.config, name, None) or 0 for stage in left]
    each = config.tokens if config.operations is None else config.operations
    show = "{:,}".format if config.operations is None else "{:.3g}".format
    yield (
        f"{len(found.stages)} stages, {len(found.stages) - len(left)} of them finished. Those left may sample and train on "
        f"{show(sum(budgets))} {unit} ({show(each)} for each arm and seed; a short SFT takes "
        f"{config.sft_share:.0%} of that), evaluations of held-out problems not counted."
    )
    limits = ", ".join(
        f"{name} <= {limit.limit:g} drives {limit.drives}" for name, limit in config.constraints.limits.items()
    )
    if "constrained" in config.arms:
        yield f"Limits of constrained, measured every {config.constraints.every} steps: {limits}."
    yield "Time is not predicted for this recipe; `sanmai plan zero` predicts that of one RL run."
