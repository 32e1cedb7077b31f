"""Credit by steps in whole runs: values by continuations, potentials, trees of rollouts; what it costs, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from rollouts import drawn, paid
from sanmai.learn.continuations import Beginning
from sanmai.learn.credit import Shown, credited, token_metrics
from sanmai.learn.step_credit import Steps, StepsOf, fork_points, tree_path
from sanmai.recipes.zero import ZeroConfig
from sanmai.train.components import LossConfig
from sanmai.types import Graded, Group, InputError, Problem

FAST = {"num_steps": 2, "prompts_per_step": 4, "rollouts_per_prompt": 3, "sampling": {"max_tokens": 24}, "updates_per_step": 2,
        "checkpoints": {"every": 1}, "optimizer": {"lr": 1e-3}, "problems": {"world": {"train": 40, "heldout": 2}},
        "loss": {"preset": "dr_grpo"}, "evaluation": {"every": 0}}  # fmt: skip
STEPS = {"by": "steps", "steps": "tokens:4", "rollouts": 2}
SEQUENCE = {"surrogate": "sequence_mean", "normalisation": "sequence"}


def group(*rewards: float | None, tokens: int = 5) -> Group[Graded]:
    problem = Problem("p", ({"role": "user", "content": "x"},), answer="1")
    written = drawn(problem_id="p", prompt_tokens=[1, 2], completion_tokens=[3] * tokens, sampling_logp=[-1.0] * tokens)
    return Group(problem, tuple(Graded(**{**vars(written.graded(**paid(r))), "sample": k}) for k, r in enumerate(rewards)))


def test_a_prompts_value_is_its_groups_and_the_streams_are_the_steps():
    # Rewards 1, 0, none. Leave one out: V = 0 and 1. Rollout 0 has V = .5 after two tokens: +.5, +.5. Rollout 1: -1 throughout.
    of = {("p", 0): StepsOf((2, 5), (0.5, None)), ("p", 1): StepsOf((5,), (None,))}
    loss = LossConfig.read({"preset": "rloo"})
    [found] = credited([group(1.0, 0.0, None)], loss, Shown(steps=Steps(of)))
    first, second, third = found.rollouts
    assert first.streams["rl"] == pytest.approx([0.5] * 5) and second.streams["rl"] == pytest.approx([-1.0] * 5)
    assert third.advantage is None and not third.streams
    # Against the group's mean, .5: the first step changes nothing, the second adds .5.
    [found] = credited([group(1.0, 0.0)], LossConfig.read({"preset": "dr_grpo"}), Shown(steps=Steps(of)))
    assert found.rollouts[0].streams["rl"] == pytest.approx([0.0] * 2 + [0.5] * 3)
    [white] = credited([group(1.0, 0.0)], LossConfig.read({"preset": "reinforce++_baseline"}), Shown(steps=Steps(of)))
    every = [x for r in white.rollouts for x in r.streams["rl"]]
    assert sum(every) == pytest.approx(0.0, abs=1e-9) and sum(x * x for x in every) / 9 == pytest.approx(1.0, abs=1e-2)


def test_a_value_head_is_subtracted_token_by_token_and_learns_what_the_step_leads_to():
    # Continuations say .5 after two tokens; the head .1 .2 .3 .4 .6 before each. Reward 1: targets .5 .5 1 1 1.
    loss = LossConfig.read({"preset": "ppo", "advantage_scale": "none"})
    of, head = {("p", 0): StepsOf((2, 5), (0.5, None))}, [[0.1, 0.2, 0.3, 0.4, 0.6], ()]
    shown = Shown(value_B_T=head, steps=Steps(of))
    [found] = credited([group(1.0, None)], loss, shown)
    first, second = found.rollouts
    assert first.streams["value_target"] == pytest.approx([0.5, 0.5, 1.0, 1.0, 1.0]) and list(first.streams["value"]) == head[0]
    assert first.streams["rl"] == pytest.approx([0.4, 0.3, 0.7, 0.6, 0.4]) and second.advantage is None
    metrics = token_metrics([found], shown)
    assert metrics["value/step_error"] == pytest.approx(0.2)  # the head says .3 before the third token, the others .5
    # By itself: .3 after two tokens. With decay 0 that is the first step's target, with decay 1 the reward is.
    for decay, target in ((0.0, [0.3, 0.3, 1.0, 1.0, 1.0]), (1.0, [1.0] * 5)):
        alone = Shown(value_B_T=head, steps=Steps({("p", 0): StepsOf((2, 5), (None, None))}, decay=decay, by_head=True))
        [found] = credited([group(1.0, None)], loss, alone)
        assert found.rollouts[0].streams["value_target"] == pytest.approx(target)
        assert "value/step_error" not in token_metrics([found], alone)


def test_a_chain_forks_where_it_was_least_sure_and_its_leaves_share_what_is_before():
    assert fork_points([-9.0, -0.1, -2.0, -0.3, -2.0], 2) == [2, 4] and fork_points([-1.0], 2) == []
    written = drawn(problem_id="p", prompt_tokens=[1], completion_tokens=[3] * 5, sampling_logp=[-1.0] * 5).graded(**paid(1.0))
    problem = Problem("p", ({"role": "user", "content": "x"},), answer="1")
    forks = [(0, Beginning(problem, written, 2)), (0, Beginning(problem, written, 4)), (1, Beginning(problem, written, 3))]
    chain, early, late = (tree_path(written, 0, forks, fork) for fork in (None, 0, 1))
    assert [n for _, n in chain] == [2, 2, 1] and [n for _, n in early] == [2, 3] and [n for _, n in late] == [2, 2, 1]
    assert chain[0] == early[0] == late[0] and chain[1] == late[1] and chain[2] != late[2]
    assert not {name for name, _ in tree_path(written, 1, forks)} & {name for name, _ in (*chain, *early, *late)}


def run(out: Path, **settings) -> Path:
    return sanmai.run("zero", out=out, **{**FAST, **settings})


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()][1:]


def rows_of(folder: Path, step: int) -> list[dict]:
    return pq.read_table(folder / f"rollouts/step-{step:06d}.parquet").to_pylist()


def resumed(whole: Path, folder: Path, **settings) -> None:
    """Gone on with after its first step: the same bytes."""
    shutil.copytree(whole, folder)
    shutil.rmtree(folder / "checkpoints/step-000002")
    run(folder, **settings)
    for pattern in ("metrics.jsonl", "rollouts/*", "checkpoints/*/*.safetensors"):
        for path in sorted(whole.glob(pattern)):
            assert path.read_bytes() == (folder / path.relative_to(whole)).read_bytes(), path.name


def test_credit_by_steps_counts_its_continuations_differs_from_the_groups_and_resumes_to_the_byte(tmp_path):
    whole, plain = run(tmp_path / "whole", credit=STEPS), run(tmp_path / "plain")
    resumed(whole, tmp_path / "again", credit=STEPS)
    for line in lines_of(whole):
        length = sum(len(row["tokens"]) for row in rows_of(whole, line["step"]))
        assert line["tokens/sampled"] == length + line["tokens/continuations"] > length == line["tokens/trained"]
        assert line["credit/probes"] > 0 and line["credit/steps"] > 1
    by_steps, by_group = rows_of(whole, 1), rows_of(plain, 1)
    assert [row["tokens"] for row in by_steps] == [row["tokens"] for row in by_group]  # the same rollouts, other credit
    assert [row["advantage"] for row in by_steps] != [row["advantage"] for row in by_group]


def test_a_potential_is_asked_instead_and_costs_no_sample_and_below_decay_1_one_is_warned(tmp_path):
    (tmp_path / "mine.py").write_text("def phi(problem, text):\n    assert problem.answer is None\n    return len(text) / 100\n")
    credit = {"by": "steps", "steps": "tokens:4", "potential": f"{tmp_path / 'mine.py'}:phi"}
    whole = run(tmp_path / "whole", credit=credit)
    assert all("tokens/continuations" not in line and line["credit/unknown"] == 0 for line in lines_of(whole))
    assert "moves the best policy" not in (whole / "events.jsonl").read_text()
    warned = run(tmp_path / "warned", credit={**credit, "decay": 0.0}, num_steps=1)
    assert "what the potential gets wrong moves the best policy" in (warned / "events.jsonl").read_text()


@pytest.mark.parametrize("rollouts", [2, 0])
def test_a_value_head_learns_the_values_of_steps_and_resumes_to_the_byte(tmp_path, rollouts):
    settings = {"credit": {**STEPS, "rollouts": rollouts}, "loss": {"preset": "ppo"}}
    whole = run(tmp_path / "whole", **settings)
    resumed(whole, tmp_path / "again", **settings)
    lines = lines_of(whole)
    assert all("loss/value" in line and "value/grad_norm" in line for line in lines)
    assert all(("tokens/continuations" in line) is ("value/step_error" in line) is (rollouts > 0) for line in lines)


def test_leaves_of_trees_are_rollouts_of_their_group_and_resume_to_the_byte(tmp_path):
    credit = {"by": "tree", "forks": 2}
    whole = run(tmp_path / "whole", credit=credit)
    resumed(whole, tmp_path / "again", credit=credit)
    rows = rows_of(whole, 1)
    by_problem = {}
    for row in rows:
        by_problem.setdefault(row["problem_id"], []).append(row)
    assert len(by_problem) == 4 and all(len(of) > 3 for of in by_problem.values())
    assert len({(row["problem_id"], row["sample"]) for row in rows}) == len(rows)
    for of in by_problem.values():  # a fork goes its own way from a token of one of the three chains on
        for row in of[3:]:
            shared = max(next((t for t, (a, b) in enumerate(zip(row["tokens"], c["tokens"], strict=False)) if a != b), 0)
                         for c in of[:3])  # fmt: skip
            assert shared >= 1 or any(row["tokens"] == c["tokens"] for c in of[:3])
    assert lines_of(whole)[0]["tokens/trained"] == sum(len(row["tokens"]) for row in rows if row["advantage"] is not None)


def test_a_bonus_for_steps_is_paid_by_name_and_warned_of(tmp_path):
    paid_for = run(tmp_path / "run", credit={"step_bonus": 0.1, "steps": "tokens:4"}, num_steps=1)
    assert "it moves the best policy to more steps" in (paid_for / "events.jsonl").read_text()
    for row in rows_of(paid_for, 1):
        assert row["reward"] == pytest.approx(row["score/accuracy"] + 0.1 * row["score/step_bonus"])


def test_a_potential_that_cannot_be_had_is_refused_before_the_first_step(tmp_path):
    with pytest.raises(InputError, match=r"credit\.potential = 'nowhere': no such folder"):
        run(tmp_path / "run", credit={"by": "steps", "potential": "nowhere"})
    assert not list((tmp_path / "run").glob("rollouts/*"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"credit": {"by": "steps"}, "loss": {"preset": "dapo"}}, "credit.by = 'steps' and loss.baseline 'mean', .* 'std'"),
        ({"credit": {"by": "tree"}, "loss": {"preset": "rloo"}}, "expected mean, and 'none' or 'batch_std'"),
        ({"credit": {"by": "steps"}, "loss": {"preset": "dr_grpo", **SEQUENCE}}, "takes one per rollout"),
        ({"credit": {"by": "steps"}, "loss": {"preset": "dr_grpo"}, "length": {"weight": 0.1}}, "length.weight"),
        ({"credit": {"by": "steps"}, "loss": {"preset": "dr_grpo"}, "partial": {"segment_tokens": 8}}, "of whole rollouts"),
        ({"credit": {"by": "steps"}, "loss": {"preset": "dr_grpo"}, "refill": {"tries": 2}}, "refill.tries"),
        ({"credit": {"by": "steps", "steps": "page"}, "loss": {"preset": "dr_grpo"}}, "steps = 'page'"),
        ({"credit": {"by": "steps", "rollouts": 0}, "loss": {"preset": "rloo"}}, "the value head says what follows a step"),
        ({"credit": {"by": "steps"}, "loss": {"preset": "ppo", "value": {"gae_lambda": 0.9}}}, "over steps it is credit.decay"),
        ({"credit": {"by": "tree"}, "loss": {"preset": "ppo"}}, "expected mean, and"),
        ({"credit": {"rollouts": 3}}, 'rollouts = 3 is read only with credit.by = "steps"'),
        ({"credit": {"by": "steps", "rollouts": 3, "potential": "prm"}, "loss": {"preset": "dr_grpo"}}, "one or the other"),
        ({"credit": {"by": "steps", "potential": "prm"}, "loss": {"preset": "ppo"}}, "what the potential says cancels"),
        ({"credit": {"by": "steps", "rollouts": 0, "decay": 1}, "loss": {"preset": "ppo"}}, "value head says after a step"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(settings, says):
    with pytest.raises((ValueError, InputError), match=says):
        ZeroConfig.read(settings)
