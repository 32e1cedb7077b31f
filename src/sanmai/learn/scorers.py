"""What scores helpfulness, harmlessness, correctness and steps: a reward model, a judge, or a proxy, loaded from its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sanmai.rewards.ensemble import Ensemble
from sanmai.rewards.implicit import ImplicitProcessModel
from sanmai.rewards.judging.judge import JudgeConfig, harmlessness_judge, helpfulness_judge
from sanmai.rewards.judging.math_judge import CorrectnessJudge
from sanmai.rewards.proxies import HELPFULNESS
from sanmai.rewards.reward_model import Objective, RewardModel
from sanmai.rewards.rubric import RewardsConfig
from sanmai.score.math_judge import MathJudge
from sanmai.types import BatchGrader, InputError


def grader(name: str, config: RewardsConfig, device: str) -> BatchGrader:
    """What scores a component of rubric.SCORED_TOGETHER by these settings, loaded; InputError if it cannot be."""
    if name == "process":
        source = str(config.process_from)
        model = trained_judge(source, f"rewards.process_from = {source!r}", "process", device=device)
        model.aggregation = config.process_as
        return model
    graders = [_grader(name, source, config, device) for source in config.sources(name)]
    return graders[0] if len(graders) == 1 else Ensemble(graders, config.ensemble(name))


def _grader(name: str, source: str, config: RewardsConfig, device: str) -> BatchGrader:
    """One of the scorers of helpfulness, harmlessness or correctness."""
    if source == "judge":
        from sanmai.learn.local_judge import judge_transport

        judges: dict[str, Callable[..., BatchGrader]] = {
            "helpfulness": helpfulness_judge, "harmlessness": harmlessness_judge, "correctness": CorrectnessJudge,
        }  # fmt: skip
        return judges[name](config.judge, judge_transport(config.judge))
    if name == "helpfulness" and source in HELPFULNESS:
        return HELPFULNESS[source]
    if not Path(source).is_dir():
        known = " or ".join(f'"{each}"' for each in ("judge", *(HELPFULNESS if name == "helpfulness" else ())))
        raise InputError(f"rewards.{name}_from = {source!r}: no such folder, and not {known}")
    model = RewardModel.load(source, device=device)
    expected: tuple[Objective, ...] = ("correctness",) if name == "correctness" else ("pairwise", "pointwise")
    _check_objective(model, f"rewards.{name}_from = {source!r}", *expected)
    return model


def trained_judge(
    source: str, where: str, objective: Literal["refusal", "process"], *, device: str = "cpu"
) -> RewardModel:
    """The judge of refusals, or the process reward model, in a folder.

    Args:
        where: the setting that names it, for messages.

    Raises:
        InputError: no such folder, it cannot be loaded, or is a reward model of something else.
    """
    if not Path(source).is_dir():
        raise InputError(f"{where}: no such folder; expected that of `sanmai run reward --set objective={objective}`")
    model = RewardModel.load(source, device=device)
    _check_objective(model, where, objective)
    return model


def implicit_model(policy: str, reference: str, beta: float) -> ImplicitProcessModel:
    """A policy and its reference as a process reward model, for `sanmai score --as process --judge POLICY --reference MODEL`.

    Raises:
        InputError: one cannot be loaded, their tokens differ, or beta is not above 0.
    """
    return ImplicitProcessModel.load(policy, reference, beta=beta)


def math_judge(kind: str, source: str, *, key_variable: str | None = None, calls: int = 1) -> MathJudge:
    """What `sanmai score --as math_judge|math_reward --judge SOURCE` names, loaded.

    Args:
        source: of math_judge URL#MODEL, a chat model behind a server, or a folder with one; of math_reward a reward model's
            folder.
        key_variable: the environment variable that holds the server's API key.
        calls: questions about each answer, of which the majority counts; of math_judge.

    Raises:
        InputError: it is neither of them, cannot be loaded, or is a reward model of something else.
    """
    where = f"--judge {source!r}"
    is_server = re.match(r"[a-z]+://", source, re.IGNORECASE) is not None
    if key_variable is not None and not is_server:
        raise InputError(f"--judge-key {key_variable!r}: only with --judge URL#MODEL; a folder needs no key")
    if kind == "math_reward":
        if is_server or not Path(source).is_dir():
            raise InputError(
                f"{where}: expected the folder of a reward model (`sanmai run reward --set objective=correctness`)"
            )
        model = RewardModel.load(source)
        _check_objective(model, where, "correctness")
        return MathJudge(source, model, lambda: dict(model.counts))
    url, _, name = source.partition("#") if is_server else (None, "", source)
    if not name.strip() or not (is_server or Path(source).is_dir()):
        raise InputError(f"{where}: expected URL#MODEL, such as http://127.0.0.1:8000/v1#my-judge, or a model's folder")
    values = {
        "base_url": url,
        "model": name,
        "api_key_variable": key_variable,
        "calls_per_answer": calls,
        "failure_budget": 0.5,
    }
    config = JudgeConfig.read(values, where)

    from sanmai.learn.local_judge import judge_transport

    judge = CorrectnessJudge(config, judge_transport(config))
    return MathJudge(source, judge, lambda: judge.cost)


def _check_objective(model: RewardModel, where: str, *expected: Objective) -> None:
    if model.objective not in expected:
        known = " or ".join(map(repr, expected))
        raise InputError(f"{where}: a reward model whose objective is {model.objective!r}; expected {known}")
