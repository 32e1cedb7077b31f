"""`sanmai run reward`: the same bytes after a kill, it learns both objectives, and what its evaluation measures."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from rich.console import Console

import sanmai
from sanmai.data.preferences import StyledPair, load_rm_bench
from sanmai.learn.progress import Progress
from sanmai.plan.forecast import describe
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.reward_evaluation import auc, calibration, length_only, pair_calibration, style_matrix
from sanmai.rewards.reward_model import RewardModel
from shared_data import shared_path

FAST = {
    "examples_per_step": 8, "checkpoints": {"every": 1}, "preferences": {"world": {"train": 24, "heldout": 12}},
}  # fmt: skip
PAIRS: dict = {**FAST, "balance_lengths": False}
OBJECTIVES = ["pairwise", "pointwise", "correctness", "refusal", "process"]


def metrics_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def recorded(run: Path) -> dict[str, bytes]:
    kinds = [*(run / "evaluations").iterdir(), *(run / "checkpoints").rglob("*"), run / "metrics.jsonl"]
    return {str(p.relative_to(run)): p.read_bytes() for p in kinds if p.is_file()}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_run_that_was_killed_ends_with_the_same_bytes(tmp_path, objective, monkeypatch):
    settings = (PAIRS if objective == "pairwise" else FAST) | {"objective": objective, "evaluation": {"every": 2}}
    whole = sanmai.run("reward", out=tmp_path / "whole", **settings)
    from sanmai.train.runs import Run

    save = Run.save

    def dies_before_step_3(self, step, *arguments):
        if step == 3:
            raise KeyboardInterrupt
        save(self, step, *arguments)

    with monkeypatch.context() as m:
        m.setattr(Run, "save", dies_before_step_3)
        with pytest.raises(KeyboardInterrupt):
            sanmai.run("reward", out=tmp_path / "parts", **settings)
    torch.randn(3)  # the global generator is nobody's business
    parts = sanmai.run("reward", out=tmp_path / "parts", **settings)
    assert recorded(parts) == recorded(whole)
    assert {"checkpoints/step-000003/sanmai.json", "evaluations/step-000002.parquet"} < recorded(whole).keys()
    assert [line["step"] for line in metrics_of(whole)] == [0, 1, 2, 3]


def test_micro_batches_do_not_change_the_update(tmp_path):
    losses = []
    for micro_tokens in (64, 100_000):
        run = sanmai.run("reward", out=tmp_path / str(micro_tokens), optimizer={"micro_tokens": micro_tokens}, **PAIRS)
        losses.append([line["loss/pairwise"] for line in metrics_of(run)[1:]])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(("objective", "metric"), [("pairwise", "eval/pair_accuracy/low"), ("pointwise", "eval/auc/low")])
def test_it_learns_what_holds_for_objects_that_it_never_trained_on(tmp_path, objective, metric):
    settings = {"preferences": {"world": {"train": 800, "heldout": 200}}, "examples_per_step": 32}
    run = sanmai.run("reward", out=tmp_path / "run", objective=objective, checkpoints={"every": 100}, **settings)
    before, after = metrics_of(run)[0], metrics_of(run)[-1]
    assert before[metric] < 0.58 < 0.6 < after[metric]
    assert after["eval/calibration_error"] < 0.25
    model = RewardModel.load(run)
    assert (model.objective, model.reads) == ((objective, "answer") if objective == "pairwise" else (objective, "all"))
    rows = pq.read_table(run / "evaluations" / f"step-{after['step']:06d}.parquet").to_pylist()
    right = [row["score/accuracy"] for row in rows if row["score/accuracy"] is not None]
    name = "eval/pair_accuracy" if objective == "pairwise" else "eval/label_accuracy"
    assert len(right) == 200 and sum(right) / 200 == pytest.approx(after[name])
    if objective == "pairwise":
        assert model.center == pytest.approx(sum(row["score/score"] for row in rows) / len(rows))
        gaps = [chosen["score/score"] - rejected["score/score"] for chosen, rejected in zip(rows[::2], rows[1::2], strict=True)]
        assert sum(gaps) / len(gaps) == pytest.approx(after["eval/score_gap"])


def test_pairs_of_a_file_are_split_by_prompt_balanced_and_counted(tmp_path):
    rows = [
        {"id": f"{n}-{k}", "prompt": f"what is {n} plus 3 ?", "chosen": f"{n + 3}" + " ." * k, "rejected": f"{n + 4}" + end}
        for n in range(40) for k, end in ((0, " ." * (n % 5)), (1, ""))
    ]  # fmt: skip
    rows.append({"id": "thoughts", "prompt": "q", "chosen": "<think> a </think> 7", "rejected": "<think> b </think> 7"})
    rows.append({"id": "unclosed", "prompt": "r", "chosen": "<think> a", "rejected": "8"})
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    run = sanmai.run("reward", out=tmp_path / "run", preferences={"source": str(path)}, examples_per_step=8)
    events = (run / "events.jsonl").read_text()
    assert "1 of" in events and "no finished answer" in events and "are the same in what is read (answer)" in events
    assert "pairs are dropped to balance lengths" in events and "and by 0.0" in events
    held_out = {row["problem_id"].split("-")[0] for row in pq.read_table(run / "evaluations" / "step-000000.parquet").to_pylist()}
    assert 1 <= len(held_out) < 15


@pytest.mark.parametrize(("settings", "says"), [
    ({"objective": "pointwise", "preferences": {"world": {"dangerous_share": 0.1}}}, "dangerous_share"),
    ({"objective": "correctness", "evaluation": {"rm_bench": ("x.jsonl",)}}, "no reference answer"),
    ({"model": {"lora_rank": 2}}, "lora_rank"),
    ({"evaluation": {"rm_bench": ("a/x.jsonl", "b/x.jsonl")}}, "two files of one name"),
    ({"preferences": {"source": "nowhere.jsonl"}}, "No such file"),
    ({"preferences": {"world": {"train": 200_000}}}, "hardly holds more"),
    ({"max_tokens": 4}, "none of"),
])  # fmt: skip
def test_what_cannot_work_is_refused_in_one_sentence(tmp_path, settings, says):
    with pytest.raises(sanmai.InputError, match=says) as error:
        sanmai.run("reward", out=tmp_path / "run", **settings)
    assert "\n" not in str(error.value)


def test_a_loss_that_is_not_finite_stops_before_the_weights_move_and_names_examples(tmp_path, monkeypatch):
    from sanmai.rewards import reward_model as reward

    forward = reward.RewardModel.forward
    monkeypatch.setattr(
        reward.RewardModel, "forward", lambda self, rows: forward(self, rows) * (math.nan if torch.is_grad_enabled() else 1.0))
    with pytest.raises(sanmai.RunError, match=r"step 1: .*loss/pairwise = nan.*among the examples world/helpfulness/seen/"):
        sanmai.run("reward", out=tmp_path / "run", **PAIRS)
    assert not list((tmp_path / "run" / "checkpoints").glob("step-*"))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_plan_says_what_would_be_trained(tmp_path, objective):
    recipe = find_recipe("reward")
    config = resolve(recipe, values=(PAIRS if objective == "pairwise" else FAST) | {"objective": objective})
    text = " ".join(describe(recipe, config, tmp_path / "run", measure=True))
    assert "3 updates of 8" in text and ("answer alone" in text) == (objective not in ("pointwise", "process"))


@pytest.mark.parametrize(("name", "easy", "normal", "hard"), [
    ("chat", 0.811, 0.284, 0.026), ("code", 0.801, 0.509, 0.226), ("safety_should_respond", 0.992, 0.771, 0.254)])  # fmt: skip
def test_a_scorer_of_length_alone_has_the_known_style_matrix(name, easy, normal, hard):
    matrix = style_matrix(length_only, load_rm_bench(shared_path(f"rm_bench/{name}.jsonl")))
    found = [round(level.value, 3) for level in (matrix.easy, matrix.normal, matrix.hard)]
    assert found == [easy, normal, hard] and matrix.num_left_out == 0
    assert matrix.easy.low < matrix.easy.value < matrix.easy.high


def test_the_run_prints_the_length_only_scorer_beside_the_model(tmp_path):
    rows = [
        {"prompt": "take", "chosen": ["a", "a b", "a b c"], "rejected": ["d", "d e", "d e"]},
        {"prompt": "tell", "chosen": ["a", "a b c d", "a b"], "rejected": ["d e", "d", "d " * 600]},
    ]  # fmt: skip
    # Row 1, chosen 1 3 5 characters against rejected 1 3 3: easy 3>1, 5>1, 5>3 = 3/3; normal no, no, yes = 1/3; hard 0/3.
    # Row 2, 1 7 3 against 3 1 1200: easy 7>3, 3>3, 3>1 = 2/3; normal no, yes, no = 1/3; hard 1>1, no, no = 0/3.
    (tmp_path / "toy.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe, text = find_recipe("reward"), io.StringIO()
    values = PAIRS | {"evaluation": {"rm_bench": (str(tmp_path / "toy.jsonl"),)}, "examples_per_step": 24}
    run = recipe.run(resolve(recipe, values=values), tmp_path / "run", progress=Progress(Console(file=text, width=200)))
    assert "(by length alone 0.833 / 0.333 / 0.000)" in text.getvalue()
    assert "toy: 1 rows hold a response that the model cannot read whole" in text.getvalue()
    last = metrics_of(run)[-1]
    assert last["eval/length_only/rm_bench/toy/easy_minus_hard"] == pytest.approx(5 / 6)
    assert 0 <= last["eval/rm_bench/easy"] <= 1 and last["eval/rm_bench/toy/easy"] == last["eval/rm_bench/easy"]


def test_the_matrix_by_hand():
    # Scores are the numbers that the texts say. Chosen 1 5 6 against rejected 1 2 9 (row i, column j):
    #   1 > 1, 2, 9: no (equal) no no     5: yes yes no     6: yes yes no
    # easy (i > j): 5>1, 6>1, 6>2 = 3/3; normal: 1>1, 5>2, 6>9 = 1/3; hard (i < j): 1>2, 1>9, 5>9 = 0/3
    row = StyledPair("a", ({"role": "user", "content": "?"},), ("1", "5", "6"), ("1", "2", "9"))
    broken = StyledPair("b", row.messages, ("1", "x", "6"), ("1", "2", "9"))
    scorer = lambda items: [float(text) if text.isdigit() else None for _, text in items]  # noqa: E731
    matrix = style_matrix(scorer, [row, broken])
    assert [[cell.value for cell in line] for line in matrix.cells] == [[0, 0, 0], [1, 1, 0], [1, 1, 0]]
    assert (matrix.easy.value, matrix.normal.value, matrix.hard.value) == (1.0, pytest.approx(1 / 3), 0.0)
    assert (matrix.style_bias, matrix.num_left_out, matrix.easy.n) == (1.0, 1, 1)


def test_calibration_by_hand():
    # Bins of 0.5: {0.2, 0.4} mean 0.3, came true 1/2; {0.9} came true: error (2 |0.5 - 0.3| + 1 |1 - 0.9|)/3 = 0.5/3
    found = calibration([0.2, 0.9, 0.4], [1.0, 1.0, 0.0], num_bins=2)
    assert found.error == pytest.approx(0.5 / 3) and [b.outcome.n for b in found.bins] == [2, 1]
    with pytest.raises(ValueError, match="as many"):
        calibration([], [])


def test_odds_that_come_true_are_calibrated_and_an_even_scorer_is_too():
    # Three of four pairs at gap log 3 (3/4) come true.
    gap = math.log(3)
    assert pair_calibration([gap, gap, gap, -gap]).error == pytest.approx(0.0, abs=1e-9)
    assert pair_calibration([0.0] * 5).error == 0.0
    assert pair_calibration([20.0, -20.0]).error == pytest.approx(0.5, abs=1e-6)


def test_auc_counts_pairs_and_keeps_an_interval_when_perfect():
    # Positives 3, 1; negatives 2, 1: 3>2, 3>1, 1<2, 1=1: (1 + 1 + 0 + 1/2)/4
    found = auc([3, 2, 1, 1], [True, False, True, False])
    assert found.value == 0.625 and found.low < 0.625 < found.high and found.n == 4
    perfect = auc(range(40), [i >= 20 for i in range(40)])
    assert perfect.value == perfect.high == 1.0 and 0.8 < perfect.low < 1.0
    assert auc([-s for s in range(40)], [i >= 20 for i in range(40)]).high == pytest.approx(1 - perfect.low)
    assert math.isnan(auc([1.0], [True]).value)


def test_the_interval_of_auc_solves_its_equation():
    # Newcombe's spread at the bound itself: |A - auc| = 1.96 sqrt(A (1 - A)/(m n) (1 + (k - 1)((1 - A)/(2 - A) + A/(1 + A))))
    scores, labels = [0.1, 0.4, 0.35, 0.8, 0.7, 0.2, 0.9, 0.5], [False, False, True, True, False, False, True, True]
    found = auc(scores, labels)
    for a in (found.low, found.high):
        spread = a * (1 - a) / 16 * (1 + 3 * ((1 - a) / (2 - a) + a / (1 + a)))
        assert abs(a - found.value) == pytest.approx(1.959964 * math.sqrt(spread), rel=1e-4)
