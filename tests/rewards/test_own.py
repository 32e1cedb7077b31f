"""Rewards of one's own: by name from a file or a module, in each form, and what a bad one does."""

import json
import math
import sys

import pytest

import sanmai
from rollouts import drawn
from sanmai.data.trace import parse_trace
from sanmai.pipelines.identity import facts_of
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.zero import ZeroConfig
from sanmai.rewards.custom import CustomBatch, RewardError, make_custom
from sanmai.rewards.own import form_of, load_reward, trl_arguments
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.types import InputError, Problem, RunError

MINE = '''
import helper_of_mine

def brevity(problem, completion):
    return -len(completion) / 100

def batch(problems, completions):
    problems[0].tags.clear() if hasattr(problems[0].tags, "clear") else None
    return [helper_of_mine.HALF for _ in completions]

def like_trl(prompts, completions, answer, **columns):
    assert prompts[0][0]["role"] == "user"
    return [float(a in c[0]["content"]) for a, c in zip(answer, completions)]

async def awaited(problem, completion):
    return 0.25

def one_argument(x):
    return x
'''


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "helper_of_mine.py").write_text("HALF = 0.5\n")
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    yield file
    sys.modules.pop("helper_of_mine", None)


def problem(k: int = 0) -> Problem:
    return Problem(f"p{k}", ({"role": "user", "content": "2 + 2?"},), answer="4", tags={"level": "1"})


def graded(rubric: Rubric, text: str):
    one = rubric.grade(problem(), drawn(text, parse_trace(text)))
    return rubric.grade_together([(problem(), one)])[0]


def test_each_form_is_told_by_its_parameters(mine):
    forms = {name: form_of(name, load_reward(f"{mine}:{name}")) for name in ("brevity", "batch", "like_trl", "awaited")}
    assert forms == {"brevity": "one", "batch": "batch", "like_trl": "trl", "awaited": "one"}


def test_several_are_weighed_beside_the_built_in_ones_or_in_their_place(mine):
    names = ["brevity", "batch", "like_trl", "awaited"]
    settings = {"custom": [f"{mine}:{name}" for name in names], "custom_weights": [1.0, 2.0, 0.5, 4.0]}
    found = graded(Rubric(RewardsConfig.read(settings)), "The answer is 4.")
    own = {"brevity": -0.16, "batch": 0.5, "like_trl": 1.0, "awaited": 0.25}
    assert {name: found.verdicts[name].score for name in names} == own
    assert found.reward == pytest.approx(1.0 - 0.16 + 2 * 0.5 + 0.5 * 1.0 + 4 * 0.25)  # the first is accuracy
    alone = Rubric(RewardsConfig.read({**settings, "accuracy": 0.0}))
    assert graded(alone, "The answer is 4.").reward == pytest.approx(-0.16 + 1.0 + 0.5 + 1.0) and alone.is_own


def test_what_a_function_does_to_its_problems_is_seen_by_nobody(mine):
    asked = problem()
    CustomBatch("batch", load_reward(f"{mine}:batch"), "batch", budget=0.9, seconds=5)([(asked, parse_trace("4"))])
    assert dict(asked.tags) == {"level": "1"}


def test_a_function_as_in_trl_gets_the_columns_that_it_names():
    def named(completions, answer, level):
        return [1.0]

    found = trl_arguments(named, [problem()], ["so"])
    assert found == {"completions": [[{"role": "assistant", "content": "so"}]], "answer": ["4"], "level": ["1"]}


def test_a_tag_or_the_ground_truth_is_a_column_and_what_no_problem_has_is_named():
    def like_trl(completions, ground_truth, level, **columns):
        return [float(truth == "4" and tag == "1") for truth, tag in zip(ground_truth, level, strict=True)]

    asked = [(problem(), parse_trace("4"))]
    assert make_custom("mine", like_trl, budget=0.9, seconds=5)(asked)[0].score == 1.0
    with pytest.raises(InputError, match="parameter 'completion_ids' is no column of these problems; they have answer,"):
        make_custom("mine", lambda completions, completion_ids: [1.0], budget=0.9, seconds=5)(asked)


@pytest.mark.parametrize(("named", "reason"), [
    ("{0}:nothing", "no function nothing in"), ("{0}", 'expected "file.py:function"'), ("none.py:f", "no file none.py"),
    ("no.such.module:f", "cannot import no.such.module"), ("{0}:one_argument", "it takes 1 argument"),
    ("{0}:HALF OF IT", "expected"),
])  # fmt: skip
def test_what_cannot_be_used_is_one_sentence(mine, named, reason):
    with pytest.raises(InputError, match=r"rewards\.custom = ") as refused:
        load_reward(named.format(mine))
    assert reason in str(refused.value)


def test_a_file_that_breaks_when_it_is_imported_is_named(tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match=r"cannot import .*broken\.py: ZeroDivisionError"):
        load_reward(f"{tmp_path / 'broken.py'}:f")


@pytest.mark.parametrize(("settings", "reason"), [
    ({"custom": ["a.py:f", "b.py:f"]}, "named 'f' is there already"), ({"custom": ["a.py:accuracy"]}, "'accuracy' is there"),
    ({"custom": ["a.py:length_reward"]}, "'length_reward' is there"),
    ({"custom": ["a.py:f"], "custom_weights": [1, 2]}, "2 for 1"),
    ({"custom": ["a.py:f"], "custom_weights": [math.inf]}, "finite"),
    ({"custom": ["a.py:f"], "custom_weights": [0.0], "accuracy": 0.0}, "every weight is 0"),
])  # fmt: skip
def test_names_and_weights_that_cannot_work_are_refused_when_the_settings_are_read(settings, reason):
    with pytest.raises(InputError, match=r"rewards|custom") as refused:
        RewardsConfig.read(settings)
    assert reason in str(refused.value)


@pytest.mark.parametrize(("reward", "reason"), [
    (lambda problems, completions: [1.0, 2.0], "gave 2 rewards for 1 completions"),
    (lambda problems, completions: [math.nan], r"mine\(p0\) = nan"), (lambda problems, completions: 1.0, "expected a list"),
    (lambda problems, completions: 1 / 0, "raised ZeroDivisionError"), (lambda problems, completions: ["x"], r"mine\(p0\) = 'x'"),
])  # fmt: skip
def test_a_batch_reward_that_breaks_stops_the_run_with_its_reason(reward, reason):
    with pytest.raises(RunError, match=reason):
        make_custom("mine", reward, budget=0.9, seconds=5)([(problem(), parse_trace("4"))])


def test_a_batch_reward_that_hangs_is_left_behind():
    import threading

    forever = threading.Event()
    hangs = make_custom("mine", lambda problems, completions: forever.wait(60), budget=0.9, seconds=0.2)
    with pytest.raises(RunError, match=r"took more than 0\.2 s for 1 completions"):
        hangs([(problem(), parse_trace("4"))])
    forever.set()


def test_a_single_reward_that_is_not_finite_fails_its_rollout_alone():
    with pytest.raises(RewardError, match=r"mine\(p0\) = inf"):
        make_custom("mine", lambda problem, completion: math.inf, budget=0.9, seconds=5).verdict(problem(), parse_trace("4"))


SMALL = {
    "num_steps": 2, "prompts_per_step": 2, "rollouts_per_prompt": 2, "sampling": {"max_tokens": 8},
    "problems": {"world": {"train": 8, "heldout": 2}},
}  # fmt: skip


def test_two_files_reward_a_run_and_a_changed_file_does_not_go_on_with_it(mine, tmp_path):
    (tmp_path / "other.py").write_text("def other(problems, completions):\n    return [float(len(c)) for c in completions]\n")
    rewards = {"custom": [f"{mine}:brevity", f"{tmp_path / 'other.py'}:other"], "custom_weights": [1.0, 0.01]}
    run = sanmai.run("zero", out=tmp_path / "run", rewards=rewards, **SMALL)
    first = json.loads((run / "metrics.jsonl").read_text().splitlines()[1])
    assert first["reward/brevity"] < 0 < first["reward/other"]
    recorded = json.loads((run / "environment.json").read_text())["origin"]["reward"]
    assert "brevity = " in recorded and "other = " in recorded
    facts = facts_of("zero", ZeroConfig.read({"rewards": rewards}), {})
    mine.write_text(MINE.replace("/ 100", "/ 50"))
    assert facts_of("zero", ZeroConfig.read({"rewards": rewards}), {}) != facts


def test_from_python_several_go_by_name(tmp_path):
    reward = {"short": lambda problem, text: -float(len(text)), "words": lambda problems, completions: [1.0] * len(completions)}
    run = sanmai.run("zero", out=tmp_path / "run", reward=reward, **SMALL)
    first = json.loads((run / "metrics.jsonl").read_text().splitlines()[1])
    assert first["reward/words"] == 1.0 and first["reward/short"] < 0
    with pytest.raises(InputError, match="several by name"):
        sanmai.run("zero", out=tmp_path / "no", reward={"x": 3}, **SMALL)


@pytest.mark.parametrize(("recipe", "section"), [("r1", "reasoning"), ("compare", "rl"), ("kimi", "rl")])
def test_pipelines_hand_them_to_their_stages(mine, recipe, section):
    config = resolve(find_recipe(recipe), overrides=[f'{section}.rewards.custom=["{mine}:brevity", "{mine}:batch"]'])
    assert getattr(config, section).rewards.own == {f"{mine}:brevity": 1.0, f"{mine}:batch": 1.0}


def test_a_plan_names_them_and_refuses_what_a_run_would(mine):
    from sanmai.plan.forecast import describe

    settings = {**SMALL, "rewards": {"custom": [f"{mine}:brevity"], "custom_weights": [2.0], "accuracy": 0.0}}
    config = resolve(find_recipe("zero"), values=settings)
    assert "Reward: 2 x brevity." in list(describe(find_recipe("zero"), config, mine.parent / "run"))
    config = resolve(find_recipe("zero"), values={**SMALL, "rewards": {"custom": ["none.py:f"]}})
    with pytest.raises(InputError, match=r"there is no file none\.py"):
        list(describe(find_recipe("zero"), config, mine.parent / "run"))

