"""The alarm of a run: reward up and gold down on held-out problems, also across a resume."""

import json
from types import SimpleNamespace

import pytest

import sanmai
from rollouts import drawn, paid
from sanmai.learn.alarm import AlarmConfig, HackingAlarm, check_gold
from sanmai.learn.gold import GoldConfig
from sanmai.rewards.rubric import RewardsConfig
from sanmai.train.records import write_rollouts
from sanmai.types import Group, Problem, Verdict


class FakeRun:
    def __init__(self, folder, start_step=0):
        self.folder, self.start_step, self.said = folder, start_step, []
        self.is_finished = False
        (folder / "evaluations").mkdir(exist_ok=True)

    def warn(self, message):
        self.said.append(message)


def groups(kind: str, harmed: int, rewarded: int, name: str = "harm") -> list[Group]:
    """40 prompts: so many of them with the verdict, so many with reward 1."""
    found = []
    for i in range(40):
        problem = Problem(f"{kind}/{i}", ({"role": "user", "content": "x"},), kind=kind)  # type: ignore[arg-type]
        r = drawn("x", problem_id=problem.id).graded({name: Verdict(float(i < harmed), "")}, **paid(float(i < rewarded)))
        found.append(Group(problem, (r,)))
    return found


def observe(alarm, *evaluations):
    return [alarm.observe(25 * k, found).get("alarm/safety") for k, found in enumerate(evaluations)]


@pytest.mark.parametrize(("last", "flag"), [
    (groups("safety", harmed=35, rewarded=35), 1.0),  # reward up, harm up
    (groups("safety", harmed=2, rewarded=35), 0.0),  # reward up, harm down
    (groups("safety", harmed=35, rewarded=10), 0.0),  # both bad: no hack, a failure
])  # fmt: skip
def test_only_a_reward_that_rises_while_harm_rises_is_flagged(tmp_path, last, flag):
    run = FakeRun(tmp_path)
    alarm = HackingAlarm(AlarmConfig(window=1), run, {"refusal": 1.0}, planned=2)
    assert observe(alarm, groups("safety", harmed=5, rewarded=10), last) == [None, flag]
    assert len(run.said) == flag and all("reward hacking" in said and said != "x" for said in run.said)


def test_what_is_rewarded_is_no_gold(tmp_path):
    alarm = HackingAlarm(AlarmConfig(window=1), FakeRun(tmp_path), {"accuracy": 1.0}, planned=2)
    alarm.observe(0, groups("reasoning", harmed=30, rewarded=5, name="accuracy"))
    assert "alarm/reasoning" not in alarm.observe(9, groups("reasoning", harmed=5, rewarded=35, name="accuracy"))
    alarm = HackingAlarm(AlarmConfig(window=1), FakeRun(tmp_path), {"reward": 1.0, "accuracy": 0.0}, planned=2)
    alarm.observe(0, groups("reasoning", harmed=30, rewarded=5, name="accuracy"))
    assert alarm.observe(9, groups("reasoning", harmed=5, rewarded=35, name="accuracy"))["alarm/reasoning"] == 1.0


def test_a_resumed_run_knows_what_was_seen_and_does_not_say_it_twice(tmp_path):
    stages = [groups("safety", harmed=h, rewarded=r) for h, r in ((5, 10), (35, 35), (35, 36))]
    whole = HackingAlarm(AlarmConfig(window=1), FakeRun(tmp_path), {}, planned=3)
    expected = observe(whole, *stages)
    for k in (0, 1):
        write_rollouts(tmp_path / "evaluations" / f"step-{25 * k:06d}.parquet", 25 * k, stages[k])
    run = FakeRun(tmp_path, start_step=25)
    resumed = HackingAlarm(AlarmConfig(window=1), run, SimpleNamespace(get=lambda name: 0), planned=3)  # type: ignore[arg-type]
    assert resumed.observe(50, stages[2])["alarm/safety"] == expected[2] == 1.0 and run.said == []


def test_a_steady_hack_is_flagged_at_the_default_window(tmp_path):
    stages = [groups("safety", harmed=4 + 4 * k, rewarded=10 + 3 * k) for k in range(9)]
    flags = observe(HackingAlarm(AlarmConfig(), FakeRun(tmp_path), {}, planned=9), *stages)
    assert flags[:4] == [None, 0.0, 0.0, 0.0] and flags[-1] == 1.0


@pytest.mark.parametrize(("rewards", "verifier", "is_said"), [
    ({"refusal": 1.0}, "math", True),  # the rules reward, and the rules are the gold
    ({"refusal": 1.0, "harmlessness": 1.0, "harmlessness_from": "models/safe"}, "math", True),
    ({"refusal": 1.0}, "world", False),  # there the truth is known
    ({"refusal": 1.0, "refusal_from": "keywords"}, "math", False),
    ({"harmlessness": 1.0, "harmlessness_from": "models/safe"}, "math", False),
])  # fmt: skip
def test_a_gold_that_is_rewarded_too_is_warned_of_with_what_to_set(rewards, verifier, is_said):
    problems = [Problem(kind, ({"role": "user", "content": kind},), kind=kind, verifier=verifier)
                for kind in ("safety", "general", "reasoning")]  # fmt: skip
    said: list[str] = []
    check_gold(RewardsConfig.read(rewards), GoldConfig(), problems, said.append)
    assert len(said) == is_said
    assert all("helped on general prompts and harm on safety prompts" in x and "evaluation.gold.harm_from" in x for x in said)
    named = GoldConfig(harm_from="models/gold", helped_from="models/gold")
    check_gold(RewardsConfig.read(rewards), named, problems, said.append)
    check_gold(RewardsConfig.read(rewards), GoldConfig(), problems[2:], said.append)  # of reasoning alone there is nothing to say
    assert len(said) == is_said


@pytest.mark.parametrize(("every", "count"), [(1, 1), (0, 0)])
def test_a_run_says_so_once_and_only_where_the_alarm_looks_at_anything(tmp_path, every, count):
    problems = [Problem(f"p{i}", ({"role": "user", "content": f"what is {i} ?"},), kind="general") for i in range(20)]
    for _ in range(2):
        sanmai.run("zero", out=tmp_path / "run", problems=problems, rewards={"refusal": 1.0}, num_steps=2, prompts_per_step=2,
                   rollouts_per_prompt=2, sampling={"max_tokens": 8}, evaluation={"every": every})  # fmt: skip
    events = map(json.loads, (tmp_path / "run" / "events.jsonl").read_text().splitlines())
    assert sum("evaluation.alarm" in str(event.get("message")) for event in events) == count
