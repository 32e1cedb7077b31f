"""Sanmai post-trains reasoning language models in layers of SFT and RL, and shows what that did to them.

import sanmai
run = sanmai.run("zero", model="path/to/model", problems="problems.jsonl", reward=lambda problem, completion: ...)
run.metrics.to_pandas(); run.samples(); run.model().generate("..."); run.report()
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

from sanmai import plan as plan
from sanmai import score as score
from sanmai import search as search
from sanmai.api import verbs as _verbs
from sanmai.api.model import Model
from sanmai.api.run import Run
from sanmai.api.running import resume, run
from sanmai.api.table import Table
from sanmai.api.verbs import audit, compare, doctor, scale, search_problems
from sanmai.types import Credited, Drawn, Graded, Group, InputError, Problem, RunError, SanmaiError, Trace, Verdict

__all__ = [
    "Credited", "Drawn", "Graded", "Group", "InputError", "Model", "Problem", "Run", "RunError", "SanmaiError", "Table", "Trace",
    "Verdict", "audit", "compare", "doctor", "plan", "resume", "run", "scale", "score", "search",
    "search_problems",
]  # fmt: skip

try:
    __version__ = version("sanmai")
except PackageNotFoundError:  # the sources alone, not installed
    __version__ = "unknown"


class _Plan(ModuleType):
    """`sanmai.plan` is a package with modules in it, and can be called as the verb of that name."""

    __call__ = staticmethod(_verbs.plan)


class _Score(ModuleType):
    __call__ = staticmethod(_verbs.score)


def _callable(module: Any, kind: type[ModuleType], verb: Any) -> None:
    module.__class__, module.__doc__, module.__wrapped__ = kind, verb.__doc__, verb


_callable(plan, _Plan, _verbs.plan)
_callable(score, _Score, _verbs.score)
