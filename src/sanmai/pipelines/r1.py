"""DeepSeek-R1: the whole pipeline, from a base model to R1 and its students, as stages that are each done once.

    base --SFT on a small cold-start set--> dev1 --RL: accuracy, format, language--> dev2
    dev2 --rejection sampling--> traces
    base --SFT on traces and general and safety demonstrations--> dev3 --RL for all scenarios--> r1
    r1   --rejection sampling--> lessons;  a smaller base --SFT on lessons--> student

dev1 and dev2 exist to make the data; the model that becomes R1 starts from the base again (arXiv:2501.12948, Nature 645:633;
supplement B). Beside them, for comparison: `zero`, the same RL straight on the base; and two other ways to the student, RL on it
and on-policy distillation. Every model is scored on the same held-out problems.

The differences to the paper are those of its parts (recipes/zero.py, sft.py, sample.py, reward.py), and the sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.filters import FilterConfig
from sanmai.data.testbeds import find_testbed
from sanmai.learn.mixture import MixtureConfig
from sanmai.learn.teacher import check_shares_tokenizer
from sanmai.pipelines.graph import Graph, Stage
from sanmai.pipelines.guarded import GatesConfig, GuardedConfig
from sanmai.pipelines.wiring import GIVEN, Pipeline, PipelineConfig, Wiring, refuse_given, value_at
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.resolve import resolve_model
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.policies.text.tiny import is_embedded
from sanmai.recipes.distill import DistillConfig
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.recipes.gather import DataConfig, GatherConfig
from sanmai.recipes.pretrain import PretrainConfig
from sanmai.recipes.reward import RewardConfig
from sanmai.recipes.sample import SampleConfig
from sanmai.recipes.sft import SftConfig
from sanmai.recipes.zero import ZeroConfig
from sanmai.rewards.proxies import HELPFULNESS
from sanmai.rewards.rubric import RewardsConfig
from sanmai.types import InputError

_BY_MODELS: dict[str, Any] = {
    "helpfulness": 1.0,
    "helpfulness_from": "@helpfulness",
    "harmlessness": 1.0,
    "harmlessness_from": "@harmlessness",
}


class R1Config(PipelineConfig):
    """Settings may name another stage's result as "@NAME/FILE":
    `scenarios.auxiliary_sft.source = "@data/demonstrations.jsonl"`."""

    seed: int = Field(0, ge=0)
    """Names every random stream of every stage."""
    model: ModelConfig = ModelConfig()
    """The base."""
    data: DataConfig = DataConfig()
    """Prompts, demonstrations and held-out problems; see recipes/gather.py."""
    cold_start: SftConfig = SftConfig()
    """base -> dev1."""
    cold_start_from: Literal["data", "zero"] = "data"
    """What dev1 learns from: data.cold_start, or zero's own samples that are right and readable (`cold_samples`)."""
    cold_samples: SampleConfig = SampleConfig()
    """zero -> the cold start, with cold_start_from = "zero"; `cold_samples.rewrite` has a judge model rewrite them."""
    reasoning: ZeroConfig = ZeroConfig(rewards=RewardsConfig(format=1.0, language=1.0))
    """dev1 -> dev2; and, without the language reward, base -> zero."""
    rejection: SampleConfig = SampleConfig()
    """dev2 -> traces."""
    sft: SftConfig = SftConfig()
    """base -> dev3."""
    helpfulness: RewardConfig = RewardConfig()
    """The reward model of general prompts, trained from dev1 if `scenarios.rewards.helpfulness_from` is "@helpfulness"."""
    harmlessness: RewardConfig = RewardConfig(objective="pointwise")
    """The reward model of safety prompts, trained from dev1 if `scenarios.rewards.harmlessness_from` is "@harmlessness"."""
    scenarios: ZeroConfig = ZeroConfig(
        mixture=MixtureConfig(scenarios_from=0.76),
        sampling=SamplingConfig(temperature=0.7),
        rewards=RewardsConfig(format=1.0, language=1.0, **_BY_MODELS),
    )
    """dev3 -> r1."""
    lessons: SampleConfig = SampleConfig(rewards=RewardsConfig(**_BY_MODELS), filters=FilterConfig(min_reward=0.5))
    """r1 -> the data for students."""
    students: tuple[Literal["sft", "rl", "on_policy"], ...] = ("sft", "rl", "on_policy")
    """How students are made; on-policy distillation needs r1's tokenizer."""
    student_model: str | None = None
    """The students' base: a folder or hub name. Without one the embedded world's is trained by `student_base`, if the base is
    the embedded one too, and there are no students otherwise."""
    student_base: PretrainConfig = PretrainConfig()
    student: SftConfig = SftConfig()
    student_rl: ZeroConfig = ZeroConfig()
    student_on_policy: DistillConfig = DistillConfig()
    compares_zero: bool = True
    """Make `zero` too: RL as in `reasoning`, without the language reward, straight on the base."""
    evaluation: EvaluateConfig = EvaluateConfig()
    """Of every model, on @data/evaluation.jsonl."""
    gates: GatesConfig = GatesConfig()
    """With margins: dev3 -> r1 is guarded by them, see pipelines/guarded.py. The repair "sft" learns @data/demonstrations.jsonl,
    with the settings of `sft` unless it has its own."""
    gate_problems: str = "@data/evaluation.jsonl"
    """What that gate decides by: a file, of prompts that are not trained on. Those of the default are reported as well."""

    completed_later = frozenset({"problems"})
    only_with = (
        OnlyWith("gates.margins", lambda c: bool(c.gates.margins), "gate_problems"),
    )

    def _worldly(self) -> list[str]:
        """Sources that are a testbed's."""
        found = [f"data.{name}" for name in ("cold_start", "reasoning", "general", "safety", "evaluation")]
        found = [name for name in found if find_testbed(value_at(self, name)) is not None]
        used = [name for name in ("helpfulness", "harmlessness") if _refers_to(self.scenarios, name)]
        return found + [name for n in used if find_testbed(value_at(self, name := f"{n}.preferences.source")) is not None]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.students)) < len(self.students):
            raise ValueError("students: one of them twice")
        if not self.data.cold_start and self.cold_start_from == "data":
            raise ValueError("data.cold_start is empty: name demonstrations, or set cold_start_from=zero")
        if worldly := [] if is_embedded(self.model.name) else self._worldly():
            raise ValueError(
                f'{", ".join(worldly)}: {value_at(self, worldly[0])!r} is for the embedded model; name files for '
                f"{self.model.name!r} (an empty list for none)"
            )
        if self.cold_start_from == "zero" and not self.compares_zero:
            raise ValueError("cold_start_from = zero needs compares_zero: zero is what is sampled")
        parts = [name for name, value in self if isinstance(value, Config) and name not in ("model", "data")]
        refuse_given(self, dict.fromkeys(parts, (*GIVEN, "teacher", "include_held_out")))
        return self


def check_models(config: R1Config) -> None:
    """Refuse before the first stage what the last would refuse.

    Raises:
        InputError: a model, student or reward model that is not there, or a student that on-policy distillation cannot teach.
    """
    resolve_model(config.model.name)
    for rewards in (config.scenarios.rewards, config.lessons.rewards):
        for source in (*rewards.sources("helpfulness"), *rewards.sources("harmlessness")):
            if (
                source not in ("judge", *HELPFULNESS)
                and not source.startswith("@")
                and not Path(source).is_dir()
            ):
                raise InputError(f'rewards: {source!r} is no folder of a reward model, and not "judge"')
    if config.student_model is None or not config.students:
        return
    student = load_policy(config.model.model_copy(update={"name": config.student_model, "revision": None}))
    if "on_policy" in config.students:
        check_shares_tokenizer(student, load_policy(config.model))


def graph(config: R1Config, out: Path) -> Graph:
    """The stages in order."""
    return Graph(list(_stages(config)), out)


run_r1 = Pipeline("r1", graph, models=lambda config: (config.model.name,), check=check_models)


def _stages(config: R1Config) -> Iterator[Stage]:
    base = config.model.name
    wiring = Wiring(config.seed, config.model)

    def wired(part: Any, start: str, source: str | tuple[str, ...], **changes: Any) -> Any:
        chosen = {"model": wiring.untrained(start)} if isinstance(part, SampleConfig) else {}
        return wiring.wired(part, start, source, **chosen, **changes)

    def score(name: str, start: str, title: str) -> Stage:
        return wiring.score(config.evaluation, name, start, title)

    reasoning, demonstrations = "@data/reasoning.jsonl", "@data/demonstrations.jsonl"
    yield Stage(
        "data", "gather", GatherConfig(seed=config.seed, data=config.data), "prompts, demonstrations, held-out problems"
    )
    yield score("base", base, "the base")
    if config.compares_zero:
        rewards = config.reasoning.rewards.model_copy(update={"language": 0.0})
        yield Stage(
            "zero",
            "zero",
            wired(config.reasoning, base, reasoning, rewards=rewards),
            "for comparison: RL straight on the base",
        )
        yield score("zero", "@zero", "R1-Zero")
    shown = "@data/cold_start.jsonl"
    if config.cold_start_from == "zero":
        part = wired(config.cold_samples, "@zero", reasoning)
        yield Stage("cold_samples", "sample", part, "zero's samples that are right and readable")
        shown = "@cold_samples/data.parquet"
    yield Stage(
        "dev1",
        "sft",
        wired(config.cold_start, base, shown),
        "cold start: SFT on a few readable demonstrations",
    )
    yield score("dev1", "@dev1", "dev1")
    yield Stage("dev2", "zero", wired(config.reasoning, "@dev1", reasoning), "RL on accuracy, format and language")
    yield score("dev2", "@dev2", "dev2")
    yield Stage(
        "traces",
        "sample",
        wired(config.rejection, "@dev2", reasoning),
        "rejection sampling: right and readable thoughts of dev2",
    )
    yield Stage(
        "dev3",
        "sft",
        wired(config.sft, base, ("@traces/data.parquet", demonstrations)),
        "the base again: SFT on traces, general and safety data",
    )
    yield score("dev3", "@dev3", "dev3")
    for name in ("helpfulness", "harmlessness"):
        if _refers_to(config.scenarios, name):
            part = getattr(config, name)
            part = part.model_copy(update={"seed": config.seed, "model": wiring.untrained("@dev1")})
            yield Stage(name, "reward", part, f"the reward model for {name}")
    if config.gates.margins:
        yield Stage("r1", "guarded", _guarded(config, wiring.model("@dev3")), "RL for all scenarios, behind a gate")
    else:
        yield Stage("r1", "zero", wired(config.scenarios, "@dev3", "@data/scenarios.jsonl"), "RL for all scenarios")
    yield score("r1", "@r1", "R1")
    yield from _students(config, wired, score)


def _guarded(config: R1Config, start: ModelConfig) -> GuardedConfig:
    """dev3 -> r1 behind the gates that the configuration states."""
    scenarios, evaluation, repair = config.scenarios, config.evaluation, config.gates.sft
    repair = config.sft if repair == SftConfig() else repair
    problems = {"source": "@data/scenarios.jsonl", "evaluation": "@data/evaluation.jsonl"}
    gated = {"problems": evaluation.problems.model_copy(update={"source": config.gate_problems})}
    shown = repair.problems.source
    if shown == SftConfig().problems.source:
        shown = "@data/demonstrations.jsonl"
    on = repair.problems.model_copy(update={"source": shown, "evaluation": "@data/evaluation.jsonl"})
    values = {
        "seed": config.seed,
        "model": start,
        "zero": scenarios.model_copy(update={"problems": scenarios.problems.model_copy(update=problems)}),
        "evaluation": evaluation.model_copy(update=gated),
        "gates": config.gates.model_copy(update={"sft": repair.model_copy(update={"problems": on})}),
    }
    return GuardedConfig.read(values, source="gates", stated={})


def _students(config: R1Config, wired: Callable[..., Any], score: Callable[..., Stage]) -> Iterator[Stage]:
    start = config.student_model
    if not config.students or (start is None and not is_embedded(config.model.name)):
        return
    if start is None:
        start = "@student_base"
        part = config.student_base.model_copy(update={"seed": config.seed})
        yield Stage("student_base", "pretrain", part, "a smaller base for the students")
    yield score("student_base", start, "the students' base")
    if "sft" in config.students:
        yield Stage(
            "lessons", "sample", wired(config.lessons, "@r1", "@data/scenarios.jsonl"), "rejection sampling: r1's data"
        )
        yield Stage(
            "student", "sft", wired(config.student, start, "@lessons/data.parquet"), "distillation: SFT on r1's data"
        )
        yield score("student", "@student", "the distilled student")
    if "on_policy" in config.students:
        part = wired(config.student_on_policy, start, "@data/scenarios.jsonl")
        part = part.model_copy(update={"teacher": part.teacher.model_copy(update={"name": "@r1"})})
        yield Stage("student_on_policy", "distill", part, "on-policy distillation: reverse KL to r1")
        yield score("student_on_policy", "@student_on_policy", "the student distilled on its own samples")
    if "rl" in config.students:
        yield Stage(
            "student_rl",
            "zero",
            wired(config.student_rl, start, "@data/reasoning.jsonl"),
            "for comparison: RL on the student",
        )
        yield score("student_rl", "@student_rl", "the student after RL")


def _refers_to(scenarios: ZeroConfig, name: str) -> bool:
    return bool(getattr(scenarios.rewards, name)) and f"@{name}" in scenarios.rewards.sources(name)
