"""Expert iteration: search finds better answers than the policy writes, and the policy learns to write them; again and again.

    round r:  search with the policy of round r - 1 on training problems  ->  SFT on the right best paths  ->  evaluation

Anthony et al. 2017 (arXiv:1705.08439), with the tree search of this package and SFT from the base each time (ReST-EM,
arXiv:2312.06585 section 3, starts anew too). The guide may be the verifier, because these are training problems. What is
learnt narrows: pass@k of one sample and of many are shown side by side, for one may rise while the other falls.

    data, base's evaluation, then for each round search_R, roundR (SFT), score_roundR
    expert.json, expert.md   pass@1 and pass@k of every round with intervals, and differences to the base, paired on problems
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from sanmai.learn.progress import Progress
from sanmai.pipelines.graph import Graph, Stage
from sanmai.pipelines.long2short import read_evaluations
from sanmai.pipelines.wiring import GIVEN, Pipeline, PipelineConfig, Wiring, refuse_given
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.resolve import resolve_model
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.recipes.gather import DataConfig, GatherConfig
from sanmai.recipes.search_settings import SearchConfig
from sanmai.recipes.sft import SftConfig
from sanmai.stats import paired_difference, pass_at_k, rate
from sanmai.train.runs import write_whole

_OURS: dict[str, dict[str, Any]] = {
    "data": {"general": (), "safety": (), "cold_start": ()},
    "search": {"guide": "verifier", "for_data": True},
    "evaluation": {"samples": 8},
}
"""Where the parts differ from what their recipes do by themselves."""


class ExpertConfig(PipelineConfig):
    """Sizes of each part; what the parts read and start from is given by the pipeline."""

    seed: int = Field(0, ge=0)
    """Names every random stream of every stage."""
    rounds: int = Field(3, ge=1, le=20)
    """Times that the policy is searched with and trained."""
    model: ModelConfig = ModelConfig()
    """The base."""
    data: DataConfig = DataConfig.read(_OURS["data"])
    """Training problems and held-out ones; see recipes/gather.py."""
    search: SearchConfig = SearchConfig.read(_OURS["search"])
    """policy -> right best paths. The verifier guides it unless another guide is named."""
    sft: SftConfig = SftConfig()
    """base -> policy, on the paths of the newest search."""
    evaluation: EvaluateConfig = EvaluateConfig.read(_OURS["evaluation"])
    """Of every policy, on the held-out problems; its samples are k of pass@k."""

    completed_later = frozenset({"problems"})

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.search.for_data:
            raise ValueError("search.for_data = false: expert iteration learns from training problems")
        refuse_given(self, dict.fromkeys(("search", "sft", "evaluation"), GIVEN))
        return self


def graph(config: ExpertConfig, out: Path) -> Graph:
    """The stages in order."""
    return Graph(list(_stages(config)), out)


def _stages(config: ExpertConfig) -> Iterator[Stage]:
    wiring = Wiring(config.seed, config.model)
    yield Stage("data", "gather", GatherConfig(seed=config.seed, data=config.data), "problems and held-out problems")
    yield wiring.score(config.evaluation, "base", config.model.name, "the base")
    policy = config.model.name
    for number in range(1, config.rounds + 1):
        part = wiring.wired(config.search, policy, "@data/reasoning.jsonl", model=wiring.untrained(policy))
        # Another stream in each round: the same samples of a changed policy would be near copies.
        part = part.model_copy(update={"seed": config.seed + number - 1})
        yield Stage(f"search_{number}", "search", part, f"search with the policy of round {number - 1}")
        learnt = wiring.wired(config.sft, config.model.name, f"@search_{number}/data.parquet")
        yield Stage(f"round{number}", "sft", learnt, f"SFT of the base on the right paths of round {number}")
        policy = f"@round{number}"
        yield wiring.score(config.evaluation, f"round{number}", policy, f"the policy of round {number}")


def rounds_of(rows_of: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """By model, the base first: pass@1 and pass@k over problems with intervals, and differences to the base, paired.

    k is the fewest graded samples of a problem in any of them, so that all are compared at the same one.
    """
    found: list[dict[str, Any]] = []
    base: dict[str, tuple[float, float]] = {}
    scores_of: dict[str, dict[str, list[float]]] = {}
    for name, rows in rows_of.items():
        for row in rows:
            if row.get("score/accuracy") is not None:
                scores_of.setdefault(name, {}).setdefault(row["problem_id"], []).append(row["score/accuracy"])
    k = min((len(scores) for of_model in scores_of.values() for scores in of_model.values()), default=0)
    for name, scores in scores_of.items():
        passes = {p: (pass_at_k(len(s), round(sum(s)), 1), pass_at_k(len(s), round(sum(s)), k)) for p, s in scores.items()}
        base = base or passes
        both = [p for p in passes if p in base]
        one: dict[str, Any] = {"model": name, "k": k, "n": len(passes)}
        for column, label in enumerate(("pass@1", "pass@k")):
            value = rate([pair[column] for pair in passes.values()])
            change = paired_difference([base[p][column] for p in both], [passes[p][column] for p in both])
            one[label] = [value.value, value.low, value.high]
            one[f"{label} to base"] = [change.value, change.low, change.high]
        tokens = [row["num_tokens"] for row in rows_of[name]]
        one["tokens"] = sum(tokens) / len(tokens)
        found.append(one)
    return found


def write_rounds(config: ExpertConfig, stages: Graph, progress: Progress) -> None:
    """Write expert.json and expert.md of the policies that are evaluated, and say what they say."""
    found = rounds_of(read_evaluations(stages, ["base", *(f"round{k}" for k in range(1, config.rounds + 1))]))
    if not found:
        return
    share = lambda x: f"{100 * x[0]:.1f} % [{100 * x[1]:.1f}, {100 * x[2]:.1f}]"  # noqa: E731
    points = lambda x: f"{100 * x[0]:+.1f} [{100 * x[1]:+.1f}, {100 * x[2]:+.1f}]"  # noqa: E731
    k = found[0]["k"]
    head = f"| policy | pass@1 | pass@{k} | tokens | pass@1 against the base, points | pass@{k} likewise |"
    lines = [head, "|---|---|---|---|---|---|"]
    for one in found:
        cells = [one["model"], share(one["pass@1"]), share(one["pass@k"]), f"{one['tokens']:.1f}"]
        cells += ["", ""] if one is found[0] else [points(one["pass@1 to base"]), points(one["pass@k to base"])]
        lines.append("| " + " | ".join(cells) + " |")
        to_base = [f" ({cell} points)" if cell else "" for cell in cells[4:]]
        progress.say(f"{cells[0]}: pass@1 {cells[1]}{to_base[0]}, pass@{k} {cells[2]}{to_base[1]}, {cells[3]} tokens")
    last = found[-1]
    if last["pass@1 to base"][1] > 0 and last["pass@k to base"][2] < 0:
        narrowed = f"Warning: pass@1 rose and pass@{last['k']} fell: the policy writes fewer kinds of answers."
        progress.say(narrowed, style="yellow")
    write_whole(stages.folder / "expert.json", json.dumps(found, indent=1) + "\n")
    write_whole(stages.folder / "expert.md", "\n".join(lines) + "\n")


run_expert = Pipeline("expert", graph, models=lambda config: (config.model.name,), tables=write_rounds)


def describe_expert(config: ExpertConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do: its stages, which are done, and from what to what."""
    resolve_model(config.model.name)
    found = graph(config, out)
    for stage in found.stages:
        yield f"{stage.name} ({stage.recipe}, {found.state(stage.name)}): {stage.purpose}"
    yield "Time is not predicted for this recipe; `sanmai plan search` predicts that of one search."
