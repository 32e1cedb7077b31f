"""A user's reward: its digest covers whatever of the user's it uses; None always is named; its problem is its own."""

import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

import sanmai
from rollouts import grade
from sanmai.data.trace import parse_trace
from sanmai.learn.reward_source import name_of
from sanmai.rewards.custom import Custom
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.types import Problem, RunError

FAST = {"num_steps": 2, "prompts_per_step": 4, "rollouts_per_prompt": 4, "checkpoints": {"every": 1}}
FILES = {
    "mine.py": """
        import functools
        import helpers
        from helpers import scaled
        from package.inner import LIMIT
        from package import style as s
        BONUS = 1.0
        TABLE = {"good": [1.0, 2.0]}
        CALLS, SEEN = 0, []
        def base(text):
            return BONUS + len(text)
        class Model:
            factor = 2
            def __call__(self, problem, text):
                return self.factor * base(text)
        def reward(problem, text):
            global CALLS
            CALLS += 1
            SEEN.append(text)
            import lazy
            return scaled(base(text)) + helpers.more(text) + TABLE["good"][0] + LIMIT + s.style(text) + lazy.late(text)
        twice = functools.partial(reward)
        model = Model()
    """,
    "helpers.py": "import deep\nFACTOR = 3\ndef scaled(x):\n    return FACTOR * x\ndef more(x):\n    return deep.deepest(x)\n",
    "deep.py": "STEP = 1\ndef deepest(text):\n    return STEP\n",
    "lazy.py": "def late(text):\n    return 0.5\n",
    "package/__init__.py": "",
    "package/inner.py": "LIMIT = 10\n",
    "package/style.py": "from .inner import LIMIT\nfrom . import other\ndef style(text):\n    return other.WORDS\n",
    "package/other.py": "WORDS = 5\n",
}
PRINT = "import sys; sys.path.insert(0, '.'); import mine; from sanmai.recipes import name_of; print(name_of(mine.{0}))"


def written(folder, **edits):
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(edits.get(name, text)))
    return folder


def digest(folder, name="reward"):
    command = [sys.executable, "-B", "-c", PRINT.format(name)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("mine.py", "BONUS = 1.0", "BONUS = 2.0"), ("mine.py", "[1.0, 2.0]", "[1.5, 2.0]"),
        ("helpers.py", "FACTOR = 3", "FACTOR = 4"), ("helpers.py", "return FACTOR * x", "return FACTOR + x"),
        ("deep.py", "STEP = 1", "STEP = 2"), ("lazy.py", "0.5", "0.25"), ("package/inner.py", "10", "11"),
        ("package/other.py", "5", "6"),
    ],
)  # fmt: skip
def test_an_edit_of_what_a_reward_uses_however_far_away_gives_it_another_digest(tmp_path, file, old, new):
    written(tmp_path)
    before = digest(tmp_path)
    assert digest(tmp_path) == before, "the same in each process"
    (tmp_path / file).write_text((tmp_path / file).read_text().replace(old, new))
    assert digest(tmp_path) != before


def test_a_callable_object_and_a_partial_are_covered_too_and_a_file_beside_them_is_not(tmp_path):
    written(tmp_path)
    names = ("twice", "model")
    before = [digest(tmp_path, name) for name in names]
    (tmp_path / "unrelated.py").write_text("X = 1\n")
    assert [digest(tmp_path, name) for name in names] == before
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text().replace("factor = 2", "factor = 3"))
    assert all(new != old for new, old in zip([digest(tmp_path, name) for name in names], before, strict=True))


SCRIPT = """
import sys
from sanmai.recipes import name_of
BONUS = {0}
SEEN, COUNT = [], 0
num_steps = {1}
def helper(text): return {2}
def reward(problem, text):
    global COUNT
    COUNT += 1
    SEEN.append(text)
    return BONUS + helper(text)
first = name_of(reward)
reward(None, "a")
assert name_of(reward) == first
print(first)
"""


def test_a_scripts_reward_has_its_helpers_and_constants_and_not_the_settings_of_the_run(tmp_path):
    def of(*parts):
        (tmp_path / "script.py").write_text(SCRIPT.format(*parts))
        return subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    first = of(1, 20, "len(text)")
    assert of(1, 40, "len(text)") == first, "num_steps was raised: the run goes on"
    assert first not in (of(2, 20, "len(text)"), of(1, 20, "len(text) + 1"))


def test_libraries_are_not_part_of_a_reward_and_cycles_end():
    import numpy as np
    import torch

    held = {"array": np.arange(3), "torch": torch}
    held["self"] = held
    make = lambda value: lambda problem, text: (held, value, np.mean, torch.nn.Linear)  # noqa: E731
    assert name_of(make(1)) == name_of(make(1)) != name_of(make(2))


def a_trace(text="x"):
    return parse_trace(text)


def a_problem():
    return Problem("p", ({"role": "user", "content": "What is 2 + 3?"},), "5", tags={"level": 1})


def test_a_reward_that_gives_none_for_nearly_all_ends_the_run_early_with_one_sentence():
    always = Custom("reward", lambda problem, text: None, budget=0.9)
    for _ in range(31):
        always.verdict(a_problem(), a_trace())
    always.check()
    always.verdict(a_problem(), a_trace())
    with pytest.raises(RunError, match=r"gave None for 32 of 32 completions.*custom_budget = 0.9"):
        always.check()
    answers = iter([None] * 9 + [1.0] + [None] * 90)
    nearly = Custom("reward", lambda problem, text: next(answers), budget=0.9)
    for _ in range(100):
        nearly.verdict(a_problem(), a_trace())
    with pytest.raises(RunError, match="99 of 100"):
        nearly.check()
    answers = iter([None, 0.0] * 50)
    half = Custom("reward", lambda problem, text: next(answers), budget=0.9)
    for _ in range(100):
        half.verdict(a_problem(), a_trace())
    half.check()


def test_a_run_whose_reward_gives_none_stops_before_it_has_trained(tmp_path):
    with pytest.raises(RunError, match="gave None for"):
        problems = [replace(a_problem(), id=str(n)) for n in range(20)]
        sanmai.run("zero", problems=problems, out=tmp_path / "run", reward=lambda problem, text: None, **FAST)


def test_a_reward_that_changes_its_problem_changes_nothing_but_its_copy():
    def reward(problem, text):
        problem.messages[0]["content"] = "changed"
        problem.tags["level"] = 9
        object.__setattr__(problem, "answer", "7")
        return 1.0

    problem = a_problem()
    grade(Rubric(RewardsConfig(), {"reward": reward}), problem, a_trace("5"))
    assert problem == a_problem()


HUNG = """
import re, threading, time
import sanmai.rewards.custom as custom
from sanmai.data.trace import parse_trace
from sanmai.types import Problem
custom._SILENCE_SECONDS = 1.0
problem = Problem("p", ({{"role": "user", "content": "?"}},))
def reward(problem, text):
    {0}
    return 1.0
one = custom.Custom("reward", reward, budget=0.9)
thread = threading.Thread(target=one.verdict, args=(problem, parse_trace("x")), daemon=True)
thread.start()
time.sleep(3)
print("still here")
"""


@pytest.mark.parametrize(("body", "code"), [("re.match('(a+)+$', 'a' * 60 + 'b')", 1), ("while True: pass", 0)])
def test_code_that_holds_pythons_lock_for_ever_ends_the_process_and_names_its_line_and_other_loops_do_not(body, code):
    found = subprocess.run([sys.executable, "-c", HUNG.format(body)], capture_output=True, text=True, timeout=60)
    assert found.returncode == code and ("still here" in found.stdout) == (code == 0)
    assert ("in reward" in found.stderr) == (code == 1)
