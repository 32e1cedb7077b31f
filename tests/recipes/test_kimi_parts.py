"""What `zero` has of Kimi k1.5: partial rollouts, curriculum, length reward, mirror descent; each resumes exactly."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from rollouts import drawn, paid
from sanmai.learn.credit import advantages
from sanmai.learn.curriculum import Curriculum, CurriculumConfig
from sanmai.learn.length import LengthConfig, with_length_rewards
from sanmai.learn.step_rollouts import with_loop_penalty
from sanmai.recipes.zero import ZeroConfig
from sanmai.train.components import LossConfig
from sanmai.types import Graded, Group, InputError, Problem, StopReason, Verdict

FAST = {"num_steps": 6, "prompts_per_step": 4, "rollouts_per_prompt": 4, "sampling": {"max_tokens": 32},
        "optimizer": {"lr": 1e-4}, "problems": {"world": {"train": 40, "heldout": 20}},
        "checkpoints": {"every": 1, "keep": 20}}  # fmt: skip
PARTIAL = {"segment_tokens": 8}


def run(out, **settings) -> Path:
    return sanmai.run("zero", out=out, **{**FAST, **settings})


def metrics_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()][1:]


def rows_of(folder: Path) -> list[dict]:
    return [row for path in sorted((folder / "rollouts").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def cut_off(whole: Path, folder: Path, step: int) -> Path:
    """A copy of a run, as if it had been killed after this step, before the next one wrote anything but its metrics."""
    shutil.copytree(whole, folder)
    for path in [*(folder / "checkpoints").iterdir(), *(folder / "rollouts").iterdir(), *(folder / "evaluations").iterdir()]:
        if int(path.stem.removeprefix("step-")) > step:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


def resumes(folder: Path) -> list[int]:
    events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [event["step"] for event in events if event["event"] == "resume"]


def test_segments_as_long_as_a_rollout_change_nothing(tmp_path):
    whole, parts = run(tmp_path / "a"), run(tmp_path / "b", partial={"segment_tokens": 32})
    dropped = [{k: v for k, v in line.items() if k != "partial/waiting"} for line in metrics_of(parts)]
    assert dropped == metrics_of(whole)


def test_a_step_writes_its_share_and_every_rollout_is_trained_on_whole(tmp_path):
    lines, rows = metrics_of(folder := run(tmp_path, partial=PARTIAL)), rows_of(folder)
    assert all(line["tokens/sampled"] <= 8 * 16 * 4 for line in lines)  # at most four steps' rollouts go on at once
    assert "reward/mean" not in lines[0] and lines[0]["partial/waiting"] > 0  # no group has ended
    assert any(len(row["tokens"]) > 8 for row in rows)
    by_group: dict[tuple, list[int]] = {}
    for row in rows:
        by_group.setdefault((row["step"], row["problem_id"]), []).append(row["sample"])
    assert all(sorted(samples) == [0, 1, 2, 3] for samples in by_group.values())
    warnings = [json.loads(x) for x in (folder / "events.jsonl").read_text().splitlines() if '"warning"' in x]
    assert any("had not ended when the run did" in w["message"] for w in warnings)


@pytest.mark.parametrize("settings", [
    {"partial": PARTIAL}, {"partial": PARTIAL | {"earlier": "importance"}},
    {"curriculum": {"order": "prioritised", "retire_solved": True, "return_after": 3}},
    {"curriculum": {"order": "hard_later", "hard_from": 0.3}, "partial": PARTIAL},
    {"loss": {"preset": "kimi"}, "optimizer": {"lr": 1e-4, "reset_each_step": True}, "updates_per_step": 2,
     "length": {"weight": 0.5, "warmup": 0.3}},
], ids=["partial", "importance", "prioritised", "hard_later", "mirror"])  # fmt: skip
def test_a_run_that_was_cut_off_ends_with_the_same_bytes(tmp_path, settings):
    whole = run(tmp_path / "whole", **settings)
    cut = cut_off(whole, tmp_path / "cut", 3)
    run(cut, **settings)
    assert resumes(cut) == [3] and (cut / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    for name in ("rollouts/step-000006.parquet", "evaluations/step-000006.parquet", "checkpoints/step-000006/model.safetensors"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("earlier", ["exclude", "importance"])
def test_a_resume_does_not_take_what_older_policies_wrote_for_a_broken_sampler(tmp_path, earlier):
    # A learning rate at which one step moves log-probs far beyond the bound of the parity check.
    settings = {"partial": PARTIAL | {"earlier": earlier}, "optimizer": {"lr": 3e-3}}
    whole = run(tmp_path / "whole", **settings)
    versions = [(row["step"] - 1 - row["policy_version"]) for row in rows_of(whole)]
    assert max(versions) > 0  # some had ended before their group did
    cut = cut_off(whole, tmp_path / "cut", 4)
    run(cut, **settings)
    assert resumes(cut) == [4] and (cut / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


def test_mirror_descent_reports_its_distance_and_one_update_is_reinforce_whatever_tau(tmp_path):
    losses = {name: {"preset": "kimi", "tau": tau} for name, tau in (("a", 0.01), ("b", 10.0))}
    a, b = (metrics_of(run(tmp_path / name, loss=loss, num_steps=2)) for name, loss in losses.items())
    assert [x["reward/mean"] for x in a] == [x["reward/mean"] for x in b]
    assert "policy/kl_reference_to_policy_k3" in a[0] and "policy/clip_fraction" not in a[0]
    plain = {"preset": "reinforce", "normalisation": "token"}
    c = metrics_of(run(tmp_path / "c", loss=plain, num_steps=2))
    assert [x["policy/grad_norm"] for x in c] == pytest.approx([x["policy/grad_norm"] for x in a], rel=1e-5)


def group(*found: tuple[int, float | None, StopReason]) -> Group[Graded]:
    """Rollouts of so many tokens with such a score."""
    problem = Problem("p", ({"role": "user", "content": "x"},), answer="1")
    return Group(problem, tuple(
        drawn(completion_tokens=[2] * length, stop_reason=stop).graded({"accuracy": Verdict(score, "")}, **paid(score))
        for length, score, stop in found
    ))  # fmt: skip


STOP, LOOP = StopReason.STOP, StopReason.REPETITION
MIXED = ((10, 1.0, STOP), (20, 1.0, STOP), (10, 0.0, STOP))
EACH = LossConfig(preset="grpo", normalise_each=True)


def test_kimis_length_reward_is_added_by_hand_and_waits_for_its_warmup():
    made = group(*MIXED, (5, None, StopReason.TIMEOUT))
    config = LengthConfig(weight=0.5, warmup=0.5)
    shape = {"num_steps": 10, "max_tokens": 40}
    assert with_length_rewards([made], config, step=5, **shape) == ([made], {"length/weight": 0.0})
    [found], metrics = with_length_rewards([made], config, step=6, **shape)
    assert metrics == {"length/weight": 0.5}
    assert [r.reward for r in found.rollouts] == [1.25, 0.75, 0.0, None]  # 0.5, -0.5, min(0, 0.5)
    assert [r.reward for r in made.rollouts] == [1.0, 1.0, 0.0, None]  # what was there is as it was
    verdict = found.rollouts[1].verdicts["length_reward"]
    assert (verdict.score, verdict.reason, "length_reward" in found.rollouts[3].verdicts) == (-0.5, "20 tokens", False)


def test_cosine_takes_the_place_of_accuracy():
    found = with_cosine(weight=1.0)
    # Half way between 2 and 1; the budget used up; half way between -10 and 0.
    assert [r.reward for r in found.rollouts] == pytest.approx([1.5, -10.0, -5.0])
    assert all(r.scores is not None and "accuracy" not in r.scores and "accuracy" in r.verdicts for r in found.rollouts)


def test_overlong_is_taken_off_whatever_the_answer_is():
    config = LengthConfig(reward="overlong", weight=0.5, cache=0.5)
    made = group((20, 1.0, STOP), (30, 1.0, STOP), (40, 0.0, STOP), (40, None, StopReason.TIMEOUT))
    [found], _ = with_length_rewards([made], config, step=1, num_steps=2, max_tokens=40)
    # The last 20 of 40 tokens: 0 at 20, (20 - 30)/20 = -0.5 at 30, -1 at 40; each times 0.5.
    assert [r.reward for r in found.rollouts] == [1.0, 0.75, -0.5, None]
    # Each component by itself: lengths 0, -0.5, -1 have deviation 0.5, hence 1, 0, -1, which weigh 0.5.
    assert advantages([found], EACH)[0] == pytest.approx([0.5774 + 0.5, 0.5774, -1.1547 - 0.5, 0.0], abs=1e-3)


def with_kimi(*found: tuple[int, float | None, StopReason]) -> Group[Graded]:
    [made], _ = with_length_rewards([group(*found)], LengthConfig(weight=0.5), step=1, num_steps=2, max_tokens=40)
    return made


def with_cosine(weight: float) -> Group[Graded]:
    config = LengthConfig(reward="cosine", weight=weight)
    made = group((20, 1.0, STOP), (40, 1.0, STOP), (20, 0.0, STOP))
    [found], _ = with_length_rewards([made], config, step=1, num_steps=2, max_tokens=40)
    return found


def test_kimis_length_has_an_advantage_of_its_own_where_each_component_is_normalised():
    # Accuracy 1, 1, 0: deviation sqrt((1/9 + 1/9 + 4/9) / 2) = 0.577, hence 0.577, 0.577, -1.155.
    # Length 0.5, -0.5, 0: deviation 0.5, hence 1, -1, 0, which weigh 0.5.
    assert advantages([with_kimi(*MIXED)], EACH)[0] == pytest.approx([1.0774, 0.0774, -1.1547], abs=1e-3)
    # All right: length alone, 0.5 and -0.5 with a deviation of 0.707; the one that ran out of time says nothing.
    alone = with_kimi((10, 1.0, STOP), (20, 1.0, STOP), (5, None, StopReason.TIMEOUT))
    assert advantages([alone], EACH)[0] == pytest.approx([0.3536, -0.3536, 0.0], abs=1e-3)


def test_cosine_length_has_its_advantage_and_accuracy_none_where_each_component_is_normalised():
    # 1.5, -10, -5: mean -4.5, deviation sqrt((6^2 + 5.5^2 + 0.5^2) / 2) = 5.766; the whole weighs 2.
    assert advantages([with_cosine(weight=2.0)], EACH)[0] == pytest.approx([2.0811, -1.9076, -0.1734], abs=1e-3)


def test_a_loop_has_its_advantage_where_each_component_is_normalised():
    # All wrong: accuracy says nothing. Loops 0, 0, 0, -1: mean -0.25, deviation 0.5, hence 0.5, 0.5, 0.5, -1.5, which weigh 0.5.
    made = group((9, 0.0, STOP), (9, 0.0, STOP), (9, 0.0, STOP), (9, 0.0, LOOP))
    found = Group(made.problem, tuple(with_loop_penalty(r, 0.5) for r in made.rollouts))
    assert [r.reward for r in found.rollouts] == [0.0, 0.0, 0.0, -0.5]
    assert advantages([found], EACH)[0] == pytest.approx([0.25, 0.25, 0.25, -0.75], abs=1e-3)


def test_the_plain_sum_of_accuracy_length_and_loops_is_the_reward():
    made = with_kimi(*MIXED, (20, 0.0, LOOP))
    found = Group(made.problem, tuple(with_loop_penalty(r, 0.25) for r in made.rollouts))
    # 1 + 0.5 x 0.5, 1 - 0.5 x 0.5, 0 and 0 - 0.5 x 0.5 - 0.25: mean 0.375, deviation sqrt(1.8125 / 3) = 0.777.
    assert [r.reward for r in found.rollouts] == [1.25, 0.75, 0.0, -0.5]
    plain = LossConfig(preset="grpo")
    assert advantages([found], plain)[0] == pytest.approx([1.1257, 0.4824, -0.4824, -1.1257], abs=1e-3)
    # Nothing that is in the reward is left out of its parts: without a division their weighted sum is the same.
    linear = {"preset": "grpo", "advantage_scale": "none"}
    for each in (True, False):
        expected = pytest.approx([0.875, 0.375, -0.375, -0.875])
        assert advantages([found], LossConfig.read(linear | {"normalise_each": each}))[0] == expected


def test_a_component_needs_a_score_and_a_name_of_its_own_and_nothing_is_changed_in_place():
    [r, _, _] = group(*MIXED).rollouts
    for name, verdict in (("length_reward", Verdict(None, "")), ("accuracy", Verdict(1.0, ""))):
        with pytest.raises(ValueError, match="a score and a name of its own"):
            r.with_component(name, verdict, 1.0)
    for name, value in (("reward", 2.0), ("scores", {}), ("text", "x")):
        with pytest.raises(AttributeError):
            setattr(r, name, value)


@pytest.mark.parametrize(("settings", "said"), [
    ({"partial": {"loop_tokens": 4}}, "segment_tokens"), ({"length": {"weight": 2.0}}, "weight of 2"),
    ({"curriculum": {"return_after": 3}}, "return_after = 3 is read only with curriculum.retire_solved"),
    ({"curriculum": {"known_tries": 3}}, "known_tries = 3.0 is read only with curriculum.order"),
    ({"loss": {"preset": "dapo", "tau": 0.1}}, "does not read tau"),
    ({"loss": {"preset": "kimi", "normalise_each": True}}, "normalise_each"),
    ({"partial": {"segment_tokens": 8, "loop_penalty": 1}}, "loop_tokens"),
])  # fmt: skip
def test_settings_that_do_not_go_together_are_refused(settings, said):
    with pytest.raises(InputError, match=said):
        ZeroConfig.read(settings)


def test_a_curriculum_knows_the_rates_that_are_in_the_tags(tmp_path):
    problems = [Problem(f"p{i}", ({"role": "user", "content": f"what is {i} plus 1 ?"},), str(i + 1), "world",
                        tags={"pass_rate": i / 9}) for i in range(10)]  # fmt: skip
    known = CurriculumConfig(order="prioritised", known_tries=10, floor=0.0)
    assert Curriculum(known, problems, 10, seed=0).tracker.rates().tolist() == pytest.approx([i / 9 for i in range(10)])
    drawn = [p.id for step in range(1, 40) for p in Curriculum(known, problems, 40, seed=0).draw(step, 1)]
    assert "p9" not in drawn and drawn.count("p0") > drawn.count("p7")  # solved by all, by none, by most
    for tags, says in (({}, "no problem has the tag pass_rate"), ({"pass_rate": 2}, "expected a number from 0 to 1")):
        with pytest.raises(InputError, match=says):
            Curriculum(known, [replace(p, tags=tags) for p in problems], 10, seed=0)
