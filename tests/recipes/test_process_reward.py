"""`sanmai run reward --set objective=process`: labelled steps in, a plain folder out, and it learns which steps are wrong."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

import sanmai
from sanmai.data.step_labels import LabelledSteps
from sanmai.policies.text.config import ModelConfig
from sanmai.recipes.reward_data import encode_step_examples
from sanmai.rewards.reward_model import RewardModel, load_reward_model
from sanmai.world.steps import labelled_steps
from tiny_models import save_folder

FAST = {"objective": "process", "examples_per_step": 8, "checkpoints": {"every": 100}}


def metrics_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def world_file(path, count, **options):
    path.write_text("".join(json.dumps(row) + "\n" for row in labelled_steps(count, seed=5, **options)))
    return str(path)


@pytest.mark.slow
def test_it_learns_from_a_file_which_columns_are_wrong(tmp_path):
    source = world_file(tmp_path / "steps.jsonl", 1000, slip=0.3)
    preferences = {"source": source, "evaluation": "world", "world": {"heldout": 150}}
    optimizer = {"lr": 1e-3}
    settings = FAST | {"examples_per_step": 32, "steps": "world", "optimizer": optimizer, "preferences": preferences}
    run = sanmai.run("reward", out=tmp_path / "run", **settings)
    before, after = metrics_of(run)[0], metrics_of(run)[-1]
    assert after["eval/step_auc"] > before["eval/step_auc"] + 0.05 and after["eval/f1_fitted"] > before["eval/f1"]
    assert after["eval/step_auc/low"] > after["eval/depth_only/step_auc"]
    rows = pq.read_table(run / "evaluations" / f"step-{after['step']:06d}.parquet").to_pylist()
    assert len(rows) == 150 and all(0 <= row["score/score"] <= 1 for row in rows)
    assert str(RewardModel.load(run).steps) == "world"


def example_of(tmp_path, item, **options):
    folder = save_folder(tmp_path / "base")
    model = load_reward_model(ModelConfig(name=str(folder)), objective="process", steps="line", seed=0, reads="all")
    model.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    warned: list[str] = []
    return model, encode_step_examples(model, [item], 200, "examples", warned.append, **options), warned


def test_each_label_stands_at_the_token_that_ends_its_step_and_hard_is_any_right_continuation(tmp_path):
    item = LabelledSteps("a", ({"role": "user", "content": "what is"},), ("3 plus\n", "4 is 7\n", "the sum"), (0.25, 0.0, None))
    model, (example,), warned = example_of(tmp_path, item)
    texts = [model.tokenizer.decode(example.sequences[0][example.prompt_length : end]) for end in example.ends]
    assert texts == ["3 plus\n", "3 plus\n4 is 7\n", "3 plus\n4 is 7\nthe sum"] and not warned
    assert example.labels == (0.25, 0.0, None)
    assert example_of(tmp_path, item, are_hard=True)[1][0].labels == (1.0, 0.0, None)


def test_steps_that_cannot_be_aligned_with_tokens_are_left_out_or_refused_and_never_scored(tmp_path):
    item = LabelledSteps("a", ({"role": "user", "content": "what is"},), ("the an", "swe", "r is 7"), (1.0, 0.0, 0.0))
    with pytest.raises(sanmai.InputError, match=r"none of 1 examples can be read; a: steps 1 and 2 end in one token"):
        example_of(tmp_path, item)


@pytest.mark.parametrize(("settings", "says"), [
    ({"steps": "words"}, "expected text:SEPARATOR"),
    ({"reads": "answer"}, "steps are of all that was written"),
    ({"evaluation": {"rm_bench": ("x.jsonl",)}}, "its pairs have no steps"),
])  # fmt: skip
def test_what_cannot_work_is_refused(tmp_path, settings, says):
    with pytest.raises(sanmai.InputError, match=says):
        sanmai.run("reward", out=tmp_path / "run", **FAST, **settings)


def test_a_row_whose_labels_are_not_as_many_as_its_steps_is_refused_by_line(tmp_path):
    path = tmp_path / "steps.jsonl"
    path.write_text('{"prompt": "Q", "completions": ["a", "b"], "labels": [1]}\n')
    with pytest.raises(sanmai.InputError, match="line 1: 1 labels for 2 steps"):
        sanmai.run("reward", out=tmp_path / "run", preferences={"source": str(path)}, **FAST)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    settings = FAST | {"preferences": {"world": {"train": 16, "heldout": 6}}}
    return sanmai.run("reward", out=tmp_path_factory.mktemp("prm") / "run", **settings)


def test_it_rewards_a_zero_run_aggregated_as_named_and_what_was_cut_off_earns_nothing(trained, tmp_path):
    rewards = {"accuracy": 0.0, "process": 2.0, "process_from": str(trained), "process_as": "product"}
    problems = {"world": {"train": 8, "heldout": 4, "digits": [1]}}
    settings = {"num_steps": 1, "prompts_per_step": 4, "rollouts_per_prompt": 4, "sampling": {"max_tokens": 24}}
    run = sanmai.run("zero", out=tmp_path / "run", rewards=rewards, problems=problems, **settings)
    rows = [row for part in sorted((run / "rollouts").iterdir()) for row in pq.read_table(part).to_pylist()]
    scored = [row for row in rows if row["score/process"] is not None]
    assert scored and all(row["reward"] == pytest.approx(2 * row["score/process"]) for row in scored)
    assert all(row["reason/process"].startswith("product of") for row in scored)
    cut = [row for row in rows if row["stop_reason"] == "length"]
    assert all(row["reward"] == 0.0 and row["reason/process"] == "no finished answer" for row in cut)


def test_a_model_of_something_else_is_refused_and_so_is_a_weight_without_a_model(trained, tmp_path):
    for rewards, says in (
        ({"process": 1.0}, "process and process_from go together"),
        ({"process": 1.0, "process_from": "nowhere"}, "no such folder; expected that of `sanmai run reward"),
        ({"helpfulness": 1.0, "helpfulness_from": str(trained)}, "objective is 'process'; expected 'pairwise'"),
    ):
        with pytest.raises(sanmai.InputError, match=says):
            sanmai.run("zero", out=tmp_path / "run", rewards=rewards, num_steps=1)
