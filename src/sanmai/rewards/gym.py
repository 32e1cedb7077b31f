"""Grades an answer to a generator of reasoning-gym by that generator's own scorer, in the sandbox for untrusted programs.

Why there: some of its scorers run the answer as Python. The sandbox bounds what that does to the machine; it cannot keep an
answer from choosing its own score, so those scorers are shown nothing but what has the form of an answer (data/gym_table.py).
Only full marks count: the scorers give parts of a mark for the length of an answer, and some for an empty one.
"""

from __future__ import annotations

import importlib.util
import json
import math
import re
import sys
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from sanmai.answers.exact import final_text
from sanmai.data.gym import gym_version
from sanmai.data.gym_table import FORMS, SCORED
from sanmai.programs.grade import evaluate_program
from sanmai.programs.run import Limits
from sanmai.types import Problem, RunError, Trace, Verdict

MAX_CHARS = 20_000
"""An answer longer than this is none."""
_START_SECONDS = 20
"""For importing a generator, beside the time for grading."""
_CODE = """
import dataclasses, hashlib, importlib, os, sys, types
os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path += {folders!r}
spec = {spec!r}
root = {root!r}

def load():
    # Bare packages in place of the real ones, which import every generator: seconds against tenths.
    names = spec["module"].split(".")[:-1]
    for k in range(1, len(names) + 1):
        package = types.ModuleType(".".join(names[:k]))
        package.__path__ = [os.path.join(root, *names[1:k])]
        sys.modules[package.__name__] = package
    importlib.import_module(names[0] + ".coaching")  # before all else: it and the factory import each other
    importlib.import_module(spec["module"])
    return sys.modules[names[0] + ".factory"].DATASETS[spec["generator"]]

kind, config = load()
fields = {{f.name: f.default for f in dataclasses.fields(config)}}
values = {{k: tuple(v) if isinstance(v, list) and isinstance(fields.get(k), tuple) else v for k, v in spec["settings"].items()}}
dataset = kind(config(**values, seed=spec["seed"], size=spec["index"] + 1))
item = dataset[spec["index"]]
is_same_item = hashlib.sha256(str(item["question"]).encode("utf-8", "surrogatepass")).hexdigest()[:16] == spec["question"]

def score(answer):
    try:
        return float(dataset.score_answer(answer, item))
    except Exception:
        return 0.0
"""


def verify_gym(problem: Problem, trace: Trace, *, timeout_seconds: float = 5.0) -> Verdict:
    """1.0 when the generator's scorer gives the final answer full marks; the verifier "gym" of rewards/verifiers.py.

    None where the scorer cannot be asked: another version of the library makes another item, or there is none. An answer that
    the scorer raises at, or that takes longer than the limit, is wrong.

    Args:
        timeout_seconds: CPU time for scoring; the scorer's start is not in it.
    """
    spec = _spec(problem.answer)
    if isinstance(spec, Verdict):
        return spec
    text = final_text(trace)
    if isinstance(text, Verdict):
        return text
    if text == spec["answer"].strip():
        return Verdict(1.0, "the generator's own answer", "correct")
    if len(text) > MAX_CHARS:
        return Verdict(0.0, f"longer than {MAX_CHARS} characters", "wrong")
    form = FORMS.get(spec["generator"])
    if form is not None and not re.fullmatch(form, text):
        return Verdict(0.0, "not of the form of an answer", "wrong")
    return _scored(json.dumps(spec, sort_keys=True), text, timeout_seconds)


def _spec(reference: str | None) -> dict[str, Any] | Verdict:
    try:
        spec = json.loads(reference or "")
        names = {
            name: spec[name] for name in ("answer", "generator", "module", "settings", "seed", "index", "question")
        }
    except (ValueError, TypeError, KeyError) as error:
        return Verdict(None, f"the reference is no item of reasoning-gym: {error}", "ungradable")
    if names["generator"] not in SCORED or not str(names["module"]).startswith("reasoning_gym."):
        return Verdict(None, f"gym:{names['generator']!s:.80} is not graded by a scorer", "ungradable")
    return names


@lru_cache(maxsize=4096)
def _scored(spec: str, text: str, timeout_seconds: float) -> Verdict:
    """What the scorer finds; the same question is asked once."""
    folders = _folders()
    if not folders:
        return Verdict(None, "reasoning-gym is not installed", "ungradable")
    code = _CODE.format(folders=list(folders), spec=json.loads(spec), root=str(Path(folders[0]) / "reasoning_gym"))
    limits = Limits(
        10 * timeout_seconds + 3 * _START_SECONDS, math.ceil(timeout_seconds) + _START_SECONDS, memory_bytes=4 << 30
    )
    try:
        same, value = evaluate_program(code, ["is_same_item", f"score({text!r})"], limits=limits, libraries=folders)
    except (RunError, ValueError) as error:
        return Verdict(None, f"the scorer could not be asked: {error}"[:300], "ungradable")
    if same.error is not None:  # nothing of the answer had been seen
        return Verdict(None, f"the scorer could not be asked: {same.error}"[:300], "ungradable")
    if same.value is not True:
        return Verdict(None, f"reasoning-gym {gym_version()} makes another item of this place", "ungradable")
    if value.error is not None:
        return Verdict(0.0, f"the scorer broke at it: {value.error}"[:300], "timed_out")
    score = value.value if isinstance(value.value, float) else 0.0
    return Verdict(1.0, "full marks", "correct") if score >= 1.0 else Verdict(0.0, f"{score:.3g} of the marks", "wrong")


@cache
def _folders() -> tuple[str, ...]:
    """The folders of reasoning_gym, first, and of what it imports."""
    try:
        spec = importlib.util.find_spec("reasoning_gym")
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        return ()
    own = str(Path(spec.origin).resolve().parents[1])
    others = (
        str(Path(p).resolve())
        for p in sys.path
        if p and Path(p).is_dir() and Path(p).name in ("site-packages", "dist-packages")
    )
    return tuple(dict.fromkeys((own, *others)))
