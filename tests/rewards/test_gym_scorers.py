"""Generators' own scorers, asked in the sandbox: what they give full marks is right, and nothing else is."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from sanmai.data.gym import digest, make_gym_problems
from sanmai.data.gym_table import SCORED
from sanmai.data.trace import parse_trace
from sanmai.programs.grade import evaluate_program
from sanmai.programs.run import run_program
from sanmai.rewards import gym
from sanmai.rewards.verifiers import accuracy
from sanmai.types import Problem

TOY = """
from dataclasses import dataclass
from ..factory import DATASETS

@dataclass
class Config:
    sides: tuple = (1, 2)
    seed: int = 0
    size: int = 1

class Toy:
    def __init__(self, config):
        assert isinstance(config.sides, tuple)
        self.config = config

    def __getitem__(self, index):
        return {"question": f"{self.config.seed + index}", "answer": "own", "metadata": {}}

    def score_answer(self, answer, item):
        if answer == "raise":
            raise ValueError(answer)
        while answer == "hang":
            pass
        if answer.startswith("run "):
            return eval(answer[4:])
        return {"full": 1.0, "nearly": 0.99, "true": True, "none": None}.get(answer, 0.01)

DATASETS["graph_color"] = DATASETS["n_queens"] = (Toy, Config)
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library of this form on disk; its root package must not be imported."""
    root = tmp_path / "lib" / "reasoning_gym"
    files = {"__init__.py": "raise RuntimeError('all of it')", "games/__init__.py": "raise RuntimeError('all of it')",
             "coaching/__init__.py": "", "factory.py": "DATASETS = {}", "games/toy.py": TOY}  # fmt: skip
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if not run_program("").isolation.root:
        os.chmod(tmp_path, 0o755)
    gym._scored.cache_clear()
    monkeypatch.setattr(gym, "_folders", lambda: (str(root.parent),))
    yield
    gym._scored.cache_clear()


def problem(generator="graph_color", **changed):
    spec = {"answer": "own", "generator": generator, "module": "reasoning_gym.games.toy", "settings": {"sides": [3]}, "seed": 40,
            "index": 2, "question": digest("42")} | changed  # fmt: skip
    return Problem("p", ({"role": "user", "content": "q"},), json.dumps(spec), "gym")


def graded(text, given=None, timeout=2.0):
    return accuracy(given or problem(), parse_trace(f"<answer>{text}</answer>"), timeout_seconds=timeout)


def test_only_full_marks_are_right(library):
    assert graded("full").score == 1.0 and graded("own").score == 1.0 and graded("true").score == 1.0
    for text in ("nearly", "zzz", "raise", "none", ""):
        assert graded(text).score == 0.0, text


def test_an_answer_that_hangs_its_scorer_is_wrong(library, monkeypatch):
    monkeypatch.setattr(gym, "_START_SECONDS", 2)
    verdict = graded("hang", timeout=0.5)
    assert verdict.label == "timed_out" and verdict.score == 0.0


def test_what_is_run_as_python_reaches_nothing(library, tmp_path):
    (tmp_path / "secret").write_text("s")
    place = str(tmp_path / "secret")
    assert graded(f"run open({place!r}).read() and 1.0").score == 0.0
    assert graded(f"run open({place!r}, 'w') and 1.0").score == 0.0 and Path(place).read_text() == "s"


def test_a_scorer_that_runs_answers_is_shown_nothing_but_their_form(library):
    # Shown, it would have given itself full marks: `run 1.0` does so where no form is asked for.
    assert graded("run 1.0").score == 1.0
    assert graded("run 1.0", problem("n_queens")).reason == "not of the form of an answer"


@pytest.mark.parametrize("kind", ["intermediate_integration", "simple_integration"])
def test_the_form_of_an_integral(kind):
    form = gym.re.compile(gym.FORMS[kind])
    for text in ("2*X**8/3 - 7*X**3/2 + C", "-9*x**2*cos(x) + 18*x*sin(x) + C", "exp(4*x) + C", "E**(x) + log(x)", "x*asin(x)"):
        assert form.fullmatch(text), text
    for text in ("Integral(x**2, x)", "integrate(x)", "eval(x)", "__import__('os')", "x._print", "S('x')", "O(x)", "exec(x)",
                 "x; y", "lambda x: x", "[x for x in x]", "N(x)", "f'{x}'", "x if x else x"):  # fmt: skip
        assert not form.fullmatch(text), text


def test_a_scorer_that_picks_moves_out_of_any_text_is_shown_moves_alone():
    # A sokoban's scorer skips what is no move, and took its own question, repeated, for a solution.
    for name, moves, words in (("sokoban", "UURRULD", "Up, U R"), ("quantum_lock", "A → B → c", "Answer: A")):
        assert gym.re.fullmatch(gym.FORMS[name], moves) and not gym.re.fullmatch(gym.FORMS[name], words)


def test_what_cannot_be_asked_is_not_wrong(library, monkeypatch):
    assert graded("full", problem(question=digest("41"))).score is None
    assert graded("full", problem(module="reasoning_gym.games.gone")).score is None
    assert graded("full", problem("chain_sum")).score is None and graded("full", problem(module="os.path")).score is None
    assert accuracy(dataclasses.replace(problem(), answer="42"), parse_trace("<answer>42</answer>")).score is None
    monkeypatch.setattr(gym, "_folders", lambda: ())
    gym._scored.cache_clear()
    assert graded("full").reason == "reasoning-gym is not installed"


def test_a_program_reads_the_libraries_that_it_is_shown_and_no_others(tmp_path):
    for name in ("shown", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"of_{name}.py").write_text("value = 5")
    if not (isolation := run_program("").isolation).files:
        pytest.skip("files are not contained here")
    if not isolation.root:
        os.chmod(tmp_path, 0o755)
    code = f"import sys\nsys.path += [{str(tmp_path / 'shown')!r}, {str(tmp_path / 'other')!r}]\n" + (
        "def read(name):\n    return __import__(name).value\n"
        f"def write():\n    return open({str(tmp_path / 'shown' / 'new')!r}, 'w')\n"
    )
    shown, other, written = evaluate_program(
        code, ["read('of_shown')", "read('of_other')", "write()"], libraries=[str(tmp_path / "shown")]
    )
    assert shown.value == 5 and other.error and "of_other" in other.error and written.error
    assert not (tmp_path / "shown" / "new").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", SCORED)
def test_the_real_scorers_know_their_own_answers_and_no_junk(name):
    pytest.importorskip("reasoning_gym")
    (one,), _ = make_gym_problems([name], 1, seed=1, split="train", settings={}, ending="")
    spec = json.loads(one.answer)
    asked = dataclasses.replace(one, answer=json.dumps(spec | {"answer": "\0"}))
    assert accuracy(asked, parse_trace(f"<answer>{spec['answer']}</answer>")).score == 1.0
    assert [accuracy(asked, parse_trace(f"<answer>{text}</answer>")).score for text in ("", "zzz", "[]")] == [0.0] * 3
