"""Tasksets of verifiers: read and scored in a process of their own, and what cannot be carried is named."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import textwrap
import time
from dataclasses import replace
from unittest.mock import ANY

import pyarrow.parquet as pq
import pytest

from sanmai import run
from sanmai.data.environments import Taskset, dialogue_of, environment_of
from sanmai.data.problems import load_problems
from sanmai.data.trace import parse_trace
from sanmai.learn.sources import ProblemsConfig, load_splits
from sanmai.rewards.verifiers import accuracy
from sanmai.types import InputError, Problem, RunError, Turn, Verdict
from verifiers_stub import write_stub

TASKS = """
    import os, time
    import verifiers.v1 as vf

    __all__ = ["Addition"]

    class T(vf.Task):
        @vf.reward
        async def exact(self, task, trace):
            said = trace.last_reply
            if said == "raise": raise ValueError("no such reply")
            if said == "hang": time.sleep(60)
            if said == "die": os._exit(3)
            if said == "nan": return float("nan")
            if said == "much": return 7.0
            return float(said == task.answer)

    class C(vf.TasksetConfig):
        fields = {"n": 9}

    class Addition(vf.Taskset):
        task_kind, config_kind = T, C

        def load(self):
            print("what a taskset prints is no answer")
            for a in range(self.config.n):
                yield T(vf.TaskData(prompt=f"{a} + 1 = ?", system_prompt="Be brief.", answer=str(a + 1)), self.config.task)
"""


@pytest.fixture
def tasksets(tmp_path, monkeypatch):
    """Writes a taskset's module beside the package's stand-in, in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_stub(tmp_path)

    def write(name, text=TASKS):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        return f"verifiers:{name}"

    return write


def loaded(source, *, several_turns=False, **values):
    config = ProblemsConfig.read({"source": source, **values}, source="test")
    return load_splits(config, 0, None, on_warning=lambda note: None, several_turns=several_turns)


def said(problem: Problem, answer: str):
    return accuracy(problem, parse_trace(f"<think>so</think>{answer}"))


def test_tasks_are_problems_and_replies_get_the_environments_reward_or_none(tasksets):
    source = tasksets("addition")
    options = {"verifiers": {"settings": {"addition": {"n": 12}}, "seconds": 2.0}, "holdout": 0.25}
    train, held_out = loaded(source, **options)
    assert len(train) + len(held_out) == 12 and held_out and not {p.id for p in train} & {p.id for p in held_out}
    problem = next(p for p in [*train, *held_out] if p.id == "verifiers:addition/4")
    assert [m["role"] for m in problem.messages] == ["system", "user"] and problem.prompt == "4 + 1 = ?"
    assert problem.tags == {"environment": "addition"}
    assert said(problem, "5").score == 1.0 and said(problem, "6").score == 0.0
    assert accuracy(problem, parse_trace("<think>so", is_truncated=True)).label == "incomplete"
    for reply, reason in (("raise", "ValueError: no such reply"), ("nan", "no finite reward of exact"), ("much", "a reward of 7"),
                          ("die", "its process ended"), ("hang", "no answer within 2 s")):  # fmt: skip
        start = time.monotonic()
        verdict = said(problem, reply)  # the package itself would count these as 0
        assert verdict.score is None and reason in verdict.reason and time.monotonic() - start < 30
    assert said(problem, "5").score == 1.0  # by a new process


def test_a_stated_scale_is_linear_and_cuts_nothing(tasksets):
    train, _ = loaded(tasksets("scaled"), verifiers={"low": -1.0, "high": 7.0})
    scores = {reply: said(train[0], reply).score for reply in ("much", train[0].prompt)}
    assert scores == {"much": 1.0, train[0].prompt: 0.125}  # (0 - -1) / 8


def test_a_task_that_is_another_now_gets_no_reward(tasksets):
    [first, *_], _ = loaded(tasksets("shifting"))
    spec = json.loads(first.answer)
    moved = Problem(first.id, first.messages, json.dumps({**spec, "index": spec["index"] + 1}), "verifiers")
    assert "another task now" in said(moved, "1").reason
    for broken in (None, "5", "{}", json.dumps({**spec, "seconds": "soon"})):
        assert said(Problem("x", first.messages, broken, "verifiers"), "1").score is None


REFUSED = {
    "tools": (
        "    @classmethod\n    def toolsets(cls, config):\n        found = vf.Toolset()\n        found.config.url = 'http://x'\n"
        "        return [found]\n",
        "its tools Toolset stand behind a URL",
    ),
    "endless": ("    bounded = False\n", "problems.limit"),
}
TWO = """
class Both(vf.EnvConfig):
    one, two = vf.AgentConfig(), vf.AgentConfig()

class Chat(vf.Env):
    config_kind = Both
"""
KEEPS = """
class Chat(vf.Env):
    async def start(self): ...
"""
REFUSED_TASKS = {
    "container": ("    NEEDS_CONTAINER = True\n", "container"),
    "setup": ("    async def setup(self, trace, runtime): ...\n", "its tasks have setup"),
    "runtime": ("    @vf.reward\n    async def ran(self, task, trace, runtime): return 1.0\n", "ran needs a runtime"),
    "judged": ("    def plugged_judges(self): return [1]\n", "asks judges"),
}


def test_what_cannot_be_carried_is_refused_by_name(tasksets):
    text = textwrap.dedent(TASKS)
    sources = {
        tasksets(name, text.replace("class Addition(vf.Taskset):\n", f"class Addition(vf.Taskset):\n{more}")): says
        for name, (more, says) in REFUSED.items()
    } | {
        tasksets(name, text.replace("class T(vf.Task):\n", f"class T(vf.Task):\n{more}")): says
        for name, (more, says) in REFUSED_TASKS.items()
    } | {
        tasksets("two", text.replace('["Addition"]', '["Addition", "Chat"]') + TWO): "several agents (one, two)",
        tasksets("serving", text.replace('["Addition"]', '["Addition", "Chat"]') + KEEPS): "Chat has start of its own",
        tasksets("opens", text.replace('prompt=f"{a} + 1 = ?"', "prompt=None")): "the user opens",
        tasksets("empty", text.replace("range(self.config.n)", "()")): "no task in it",
        tasksets("broken", "1 / 0"): "ZeroDivisionError", "verifiers:nowhere": "nowhere", "verifiers:": "expected verifiers:NAME",
    }  # fmt: skip
    for source, says in sources.items():
        with pytest.raises(InputError, match="verifiers") as error:
            loaded(source)
        assert says in str(error.value), (source, error.value)
    with pytest.raises(InputError, match=r"nn: extra inputs"):
        loaded("verifiers:tools", verifiers={"settings": {"tools": {"nn": 1}}})
    with pytest.raises(InputError, match="recipes that train or sample; expected a file"):
        load_problems("verifiers:tools")  # as a recipe does that reads files alone
    with pytest.raises(InputError, match="cannot be started"):
        loaded("verifiers:tools", verifiers={"python": "/nowhere/python"})
    with pytest.raises(InputError, match="expected low below high"):
        ProblemsConfig.read({"source": "verifiers:x", "verifiers": {"low": 1.0}}, source="test")
    assert sum(map(len, loaded("verifiers:endless", limit=4))) == 4


GAME = """
    import verifiers.v1 as vf

    __all__ = ["Guess", "Play"]

    class T(vf.Task):
        @vf.reward
        async def found(self, task, trace):
            return float(trace.last_reply == task.answer)

    class Guess(vf.Taskset):
        task_kind = T

        def load(self):
            for answer in ("3", "4"):
                yield T(vf.TaskData(prompt=f"from 0 to 9, {answer}th game", answer=answer), self.config.task)

    class One(vf.EnvConfig):
        player = vf.AgentConfig()

    class Play(vf.Env):
        config_kind = One

        async def run(self, task, agents):
            count = 0
            async with agents.player.interaction(task) as talk:
                segment = await talk.turn(OPENS)
                while not segment.terminated and segment.last_reply != task.data.answer:
                    count += 1
                    segment = await talk.turn("higher" if segment.last_reply < task.data.answer else "lower")
            talk.trace.record_reward("turns", 0.0 * count)
"""
TOOLS = """
    import verifiers.v1 as vf

    __all__ = ["Sums"]

    class Adder(vf.Toolset):
        calls = 0

        @vf.tool
        async def add(self, a, b):
            "Adds two numbers."
            self.calls += 1
            if self.calls > 1: return "tired"
            return a + b

    class T(vf.Task):
        @classmethod
        def toolsets(cls, config):
            return [Adder()]

        @vf.reward
        async def right(self, task, trace):
            return float(trace.last_reply == task.answer)

    class Sums(vf.Taskset):
        task_kind = T

        def load(self):
            yield T(vf.TaskData(prompt="1 + 40 = ?", answer="41"), self.config.task)
"""


def talked(problem: Problem, *answers: str) -> tuple[list[str | None], Verdict]:
    """What the environment says to each answer, and the reward of the dialogue."""
    dialogue, turns, replies = dialogue_of(problem), [], []
    for answer in answers:
        turns.append(Turn("assistant", answer))
        replies.append(dialogue.reply(turns, time.monotonic() + 60))
        turns += [] if replies[-1] is None else [Turn("user", replies[-1])]
    turns = turns if turns[-1].role == "assistant" else turns[:-1]
    return replies, accuracy(problem, replace(parse_trace(turns[-1].text), earlier=tuple(turns[:-1])))


def test_an_environment_of_several_turns_is_played_by_turns_that_were_written_elsewhere(tasksets):
    for opens, first in (("", "from 0 to 9, 3th game"), ('"Your guess?"', "Your guess?")):
        source = tasksets(f"guess{len(opens)}", GAME.replace("OPENS", opens))
        [problem, other], _ = loaded(source, several_turns=True)
        assert problem.messages[-1] == {"role": "user", "content": first}
        assert [m["role"] for m in problem.messages] == ["user"] * (1 if not opens else 2)
        assert problem.id != other.id  # even where both begin alike: a dialogue is not known by how it begins
        assert talked(problem, "9", "1", "3") == (["lower", "higher", None], ANY)
        assert talked(problem, "9", "1", "3")[1].score == 1.0
        assert talked(problem, "9", "1")[1].score == 0.0  # cut at its limit of turns: what was said last is no answer
    with pytest.raises(RunError, match="says something else now"):
        other_turns = [Turn("assistant", "9"), Turn("user", "higher"), Turn("assistant", "3")]
        dialogue_of(problem).reply(other_turns, time.monotonic() + 60)
    with pytest.raises(InputError, match=r"problems.verifiers.turns=1 asks"):
        loaded(source)  # by a recipe that carries one turn alone


def test_tools_are_called_by_text_and_start_anew_with_every_answer(tasksets):
    [problem], _ = loaded(tasksets("sums", TOOLS), several_turns=True)
    [system, asked] = problem.messages
    assert '"name": "tools_add"' in system["content"] and asked["content"] == "1 + 40 = ?"
    call = '<tool_call>{"name": "tools_add", "arguments": {"a": 1, "b": 40}}</tool_call>'
    replies, verdict = talked(problem, f"I call. {call}", "41")
    assert replies == ["<tool_response>\n41\n</tool_response>", None] and verdict.score == 1.0
    replies, verdict = talked(problem, f"{call}{call}", "<tool_call>{</tool_call>", '<tool_call>{"name": "no"}</tool_call>', "41")
    assert replies[0] == "<tool_response>\n41\n</tool_response>\n<tool_response>\ntired\n</tool_response>"
    assert "Error: this is no call" in replies[1] and "there is no tool no; there are tools_add" in replies[2]
    assert verdict.score == 1.0
    assert talked(problem, call)[1].score == 0.0  # a call is no answer
    drawing = TOOLS.replace("return a + b", "return type('Picture', (), {'data': b''})()")
    [problem], _ = loaded(tasksets("drawing", drawing), several_turns=True)
    with pytest.raises(RunError, match="a tool gave more than text"):  # a fault of ours, not the policy's: it is not told so
        talked(problem, call)


def test_a_dialogue_with_a_taskset_is_sampled_and_trained_token_for_token(tasksets, tmp_path):
    source = tasksets("talked", GAME.replace("OPENS", ""))
    settings = {"prompts_per_step": 2, "rollouts_per_prompt": 2, "sampling": {"max_tokens": 48}}
    problems = {"source": source, "verifiers": {"turns": 3, "told_tokens": 64}}
    found = run("zero", problems=problems, num_steps=1, out=tmp_path / "run", quiet=True, **settings)
    [path] = (found.folder / "rollouts").glob("*.parquet")
    rows = pq.read_table(path).to_pylist()
    told = [row for row in rows if row["told"]]
    assert told, "no dialogue went on"
    for row in told:
        for start, end in row["told"]:
            assert set(row["sampling_logp"][start:end]) == {0.0} and end < len(row["tokens"])
        assert len(row["told"]) <= 2 and all(row["sampling_logp"][: row["told"][0][0]])


def test_without_the_package_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if importlib.util.find_spec("verifiers"):
        pytest.skip("it is installed")
    with pytest.raises(InputError, match=r"problems.verifiers.python \(pip install 'verifiers>=0.4"):
        loaded("verifiers:anything")


def test_its_process_ends_with_the_one_that_asked(tasksets):
    loaded(tasksets("orphaned"))
    environment = environment_of(Taskset("orphaned"))
    child = environment._free.get()
    child._stdin.close()  # as when the parent is killed
    assert child._process.wait(20) == 0
    child.stop()
    environment._free.put(None)


def test_a_run_is_trained_by_it(tasksets, tmp_path):
    source = tasksets("trained")
    settings = {"prompts_per_step": 2, "rollouts_per_prompt": 2, "sampling": {"max_tokens": 8}}
    found = run("zero", problems={"source": source, "holdout": 0.25}, num_steps=1, out=tmp_path / "run", quiet=True, **settings)
    lines = found.metrics.to_list()
    assert "eval/accuracy" in lines[0] and "reward/accuracy" in lines[-1]


@pytest.mark.slow
def test_a_taskset_of_the_real_package_is_trained_on_end_to_end(tmp_path, monkeypatch):
    """SANMAI_VERIFIERS_PYTHON names a Python that has the package, where this one has not."""
    python = os.environ.get("SANMAI_VERIFIERS_PYTHON") or (sys.executable if importlib.util.find_spec("verifiers") else None)
    if python is None:
        pytest.skip("verifiers is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sums_of_two.py").write_text(textwrap.dedent("""
        import verifiers.v1 as vf

        __all__ = ["Sums"]

        class Data(vf.TaskData):
            sum: int

        class Sum(vf.Task[Data]):
            @vf.reward(weight=1.0)
            async def right(self, task, trace):
                if not trace.last_reply: raise ValueError("nothing to read")
                return float(trace.last_reply.split()[-1] == str(task.sum))

        class Config(vf.TasksetConfig):
            least: int = 10

        class Sums(vf.Taskset[Sum, Config]):
            def load(self):
                for a in range(self.config.least, 100):
                    b = a * 37 % 90 + 10
                    yield Sum(Data(prompt=f"what is {a} plus {b} ?", sum=a + b), self.config.task)
    """))
    settings = {"prompts_per_step": 16, "rollouts_per_prompt": 8, "sampling": {"max_tokens": 64}, "optimizer": {"lr": 1e-3}}
    own = {"python": python, "settings": {"sums_of_two": {"least": 12}}}
    problems = {"source": "verifiers:sums_of_two", "holdout": 0.2, "verifiers": own}
    found = run("zero", problems=problems, num_steps=12, out=tmp_path / "run", quiet=True, **settings)
    lines = found.metrics.to_list()
    rewards = [line["reward/accuracy"] for line in lines[1:]]
    print(lines[0]["eval/accuracy"], rewards, lines[-1]["eval/accuracy"], {line["rollout/ungradable"] for line in lines[1:]})
    assert sum(rewards[6:]) / 6 > sum(rewards[:2]) / 2 + 0.1 and lines[-1]["eval/accuracy"] > lines[0]["eval/accuracy"]
