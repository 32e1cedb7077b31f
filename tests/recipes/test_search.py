"""A search from the command's settings to its answers: figures, refusals, data, and the same bytes whenever it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from math import log, sqrt
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from sanmai.data.preferences import load_pairs
from sanmai.data.problems import load_problems
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.search_data import best_right, conversation, shared_tokens, sibling_pairs
from sanmai.recipes.search_results import turn_of
from sanmai.report.search_html import fallen, lines_of, turn_sentence
from sanmai.search.drive import Driver
from sanmai.search.results import Leaf, choose, curve_of_k, gold_by, passed
from sanmai.search.tree import Node, Tree
from sanmai.stats import pass_at_k
from sanmai.types import InputError, Problem, RunError, StopReason
from tiny_models import save_folder

SETTINGS = {
    "strategy": ["best_of_n", "beam", "mcts"], "steps": "tokens:4", "step_tokens": 6, "branch": 2, "width": 3,
    "rounds_per_step": 2, "concurrent_trees": 3, "mcts": {"simulations": 3}, "sampling": {"max_tokens": 12},
}  # fmt: skip
PROBLEMS = "".join(json.dumps({"question": f"what is {k} plus {k} ?", "answer": str(2 * k)}) + "\n" for k in range(4))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Eight held-out sums, searched by three strategies with the embedded model."""
    out = tmp_path_factory.mktemp("search") / "run"
    return sanmai.search(
        "tiny", {"source": "world", "limit": 8}, strategy=["best_of_n", "beam", "dvts"], width=5, groups=2,
        rounds_per_step=6, out=out,
    )  # fmt: skip


def read(folder: Path) -> dict:
    return json.loads((folder / "search.json").read_text())


def test_every_strategy_has_its_figures_and_every_problem_an_answer(world):
    found = read(world)
    assert list(found["strategies"]) == ["best_of_n", "beam", "dvts"] and found["problems"] == 8
    for name, arm in found["strategies"].items():
        assert arm["trees"] == 8 and 0 <= arm["gold"]["low"] <= arm["gold"]["value"] <= arm["gold"]["high"] <= 1
        assert arm["gold"]["value"] <= arm["any_right"]["value"]
        spent = arm["tokens"]
        assert arm["paid"] == pytest.approx(spent["prompt"] + spent["sampled"] + spent["read_again"] + spent["scored"])
        assert [p["tokens"] for p in arm["curve"]] == found["budgets"] and ("to_first" in arm) is (name != "best_of_n")
        values = [p["value"] for p in arm["curve"]]
        assert values[-1] == arm["gold"]["value"]
    answers = [json.loads(line) for line in (world / "answers.jsonl").read_text().splitlines()]
    assert len(answers) == 24 and all(answer["answer"] is not None and answer["gold"] in (0.0, 1.0) for answer in answers)
    text = "\n".join(lines_of(found))
    assert "paired" in text and "tokens a problem" in text and (world / "report.html").stat().st_size > 20_000


def test_best_of_k_with_the_samples_own_gold_is_pass_at_k(world):
    rows = [row for path in sorted((world / "trees").iterdir()) for row in pq.read_table(path).to_pylist()]
    leaves: dict[str, list[Leaf]] = {}
    for row in rows:
        if row["strategy"] == "best_of_n" and row["gold"] is not None:
            leaves.setdefault(row["problem_id"], []).append(Leaf((len(leaves),), row["at"], row["gold"], row["gold"], None, 5))
    for point in curve_of_k(leaves):
        exact = [pass_at_k(len(e), sum(leaf.gold == 1 for leaf in e), point["k"]) for e in leaves.values()]
        assert point["gold"] == pytest.approx(sum(exact) / len(exact)) == point["pass"]


def test_a_sample_that_was_cut_off_is_wrong_and_chosen_last():
    # One right answer of two samples, the other cut off: each alone 1/2, both together 1. Nothing but cut-off ones: 0.
    leaves = {"p": [Leaf((0,), 10, -0.4, 1.0, "8", 6)], "q": []}
    cut_off = {"p": [10], "q": [10, 10]}
    found = curve_of_k(leaves, cut_off)
    assert [(point["gold"], point["pass"], point["n"]) for point in found] == [(0.25, 0.25, 2), (0.5, 0.5, 2)]
    assert [point["tokens"] for point in found] == [9.0, 18.0]
    assert curve_of_k({"q": []}) == []


def test_where_best_of_k_turns_is_read_off_its_fitted_curve():
    # gold = 0.3 + d (0.4 - 0.2 d), d = sqrt(KL): highest at d = 0.4 / 0.4 = 1. KL(6) = log 6 - 5/6 = 0.958, KL(7) = 1.089: k = 6.
    def curve(beta: float, last: int = 20) -> list[dict[str, float]]:
        kls = [log(k) - (k - 1) / k for k in range(1, last + 1)]
        return [{"k": k, "gold": 0.3 + sqrt(kl) * (0.4 - beta * sqrt(kl))} for k, kl in enumerate(kls, start=1)]

    turn = turn_of(curve(0.2))
    assert turn is not None and turn["k"] == 6 and turn["alpha"] == pytest.approx(0.4) and turn["beta"] == pytest.approx(0.2)
    assert turn_sentence(turn).startswith("Gold of best of k turns at about k = 6")
    rising = turn_of(curve(0.1))  # d = 2 is KL = 4, and k = 20 has 2.05: not seen to turn
    assert rising is not None and rising["k"] is None and turn_sentence(rising) == ""
    assert turn_of(curve(0.2, last=3)) is None and turn_of([]) is None and turn_sentence({}) == ""


def test_best_of_k_is_there_under_a_budget_and_its_samples_are_all_that_it_paid_for(asked, tmp_path):
    run = sanmai.search(*asked, out=tmp_path / "run", tokens=450, steps="tokens:4", sampling={"max_tokens": 12})
    of_k = read(run)["strategies"]["best_of_n"]["of_k"]
    rows = [row for path in sorted((run / "trees").iterdir()) for row in pq.read_table(path).to_pylist()]
    counts = {row["problem_id"]: set() for row in rows}
    for row in rows:
        counts[row["problem_id"]] |= {tuple(row["path"])} if row["at"] <= 450 else set()
    assert of_k[-1]["n"] == len(counts) == 4 and of_k[-1]["k"] == min(map(len, counts.values())) > 2


def test_a_vote_by_scores_below_0_is_refused_in_a_sentence():
    with pytest.raises(RunError, match=r"choose = 'weighted': the guide gave -0.5"):
        choose([Leaf((0,), 1, -0.5, 1.0, "7", 1)], "weighted")


def test_two_problems_of_one_name_are_refused(tmp_path):
    twice = [Problem("p", ({"role": "user", "content": text},), answer="1") for text in ("what is 1 ?", "what is 2 ?")]
    with pytest.raises(InputError, match="'p' is the id of several"):
        sanmai.search("tiny", twice, out=tmp_path / "run")


def test_what_is_chosen_among_the_finished_and_when():
    leaves = [
        Leaf((0,), 100, 0.9, 0.0, "7", 9), Leaf((1,), 50, 0.4, 1.0, "8", 5), Leaf((2,), 80, 0.3, 1.0, "8", 5),
        Leaf((3,), 60, None, 1.0, "9", 5),
    ]  # fmt: skip
    assert choose(leaves, "best").leaf.path == (0,) and choose(leaves, "vote").leaf.answer == "8"
    assert choose(leaves, "weighted").leaf.answer == "7"  # .9 against .4 + .3
    by = lambda b: [leaf for leaf in leaves if leaf.at <= b]  # noqa: E731
    assert [gold_by({"p": by(b)}, "best")["p"] for b in (40, 50, 99, 100)] == [0.0, 1.0, 1.0, 0.0]
    assert passed({"p": leaves}) == {"p": 1.0} and passed({"p": leaves[:1]}) == {"p": 0.0}
    tied = [Leaf((k,), 1, 0.5, float(k == 2), "a", 1) for k in range(4)]
    assert choose(tied, "best").gold == 0.25 and choose([leaves[3]], "best") is None


def test_a_guide_that_rises_while_gold_falls_is_named():
    def point(tokens, value, guide):
        return {"tokens": tokens, "value": value, "low": value - 0.1, "high": value + 0.1, "guide": guide, "n": 40}

    falls = [point(10, 0.2, 0.5), point(20, 0.6, 0.7), point(40, 0.3, 0.9)]
    assert fallen(falls)[0]["tokens"] == 20 and fallen(falls[:2]) is None
    assert fallen([*falls[:2], point(40, 0.5, 0.9)]) is None  # within the intervals
    assert fallen([*falls[:2], point(40, 0.3, 0.6)]) is None  # the guide saw it
    arm = {"gold": {"value": 0.3, "low": 0.2, "high": 0.4, "n": 4}, "curve": falls}
    found = {"problems": 4, "guide": "g", "strategies": {"beam": arm}}
    assert any("gold fell from 60" in line and "20 tokens" in line for line in lines_of(found))


def test_the_reference_answer_is_no_guide_where_a_result_is_claimed(tmp_path):
    for guide in ("verifier", "judge"):
        with pytest.raises(InputError, match="reference answer"):
            sanmai.search("tiny", "world", guide=guide, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_guide_of_finished_completions_cannot_choose_steps(tmp_path):
    with pytest.raises(InputError, match="finished completions alone, and beam chooses"):
        sanmai.search("tiny", {"source": "world", "limit": 2}, guide="agreement", strategy="beam", out=tmp_path / "run")


def test_data_for_training_is_right_and_pairs_part_at_a_node(tmp_path):
    out = sanmai.search(
        "tiny", {"source": "world", "limit": 12, "world": {"digits": [2, 3], "train": 60}}, guide="verifier", for_data=True,
        strategy=["best_of_n", "mcts"], lookahead="end", branch=3, mcts={"simulations": 3}, width=4, out=tmp_path / "run",
    )  # fmt: skip
    found = read(out)
    assert found["is_gold"] and all("gold" not in arm and "curve" not in arm for arm in found["strategies"].values())
    assert "no result is claimed" in "\n".join(lines_of(found))
    data = pq.read_table(out / "data.parquet").to_pylist()
    assert len(data) > 6
    for row in data:
        assert row["messages"][-1]["content"].split("</think>")[-1].replace(" ", "").strip() == row["answer"]
    pairs = pq.read_table(out / "pairs.parquet").to_pylist()
    assert pairs and all(pair["gap"] >= 0.5 and pair["chosen"] != pair["rejected"] for pair in pairs)
    assert any(pair["shared_tokens"] > 0 for pair in pairs)
    assert len(load_pairs(out / "pairs.parquet").items) == len(pairs)
    assert len(load_problems(out / "data.parquet").problems) == len(data)  # as sft reads it


def test_pairs_are_of_siblings_whose_worth_differs():
    tree = Tree("p", ("t",))
    for path, ended in (((0,), "step"), ((1,), "step"), ((0, 0), "stop"), ((0, 1), "stop"), ((1, 0), "stop")):
        tree.add(Node(path, (1,), (-0.1,), StopReason(ended)))
    golds = {(0, 0): 1.0, (0, 1): 0.0, (1, 0): 0.0}
    leaves = [Leaf(path, 1, 0.5, gold, None, 2) for path, gold in golds.items()]
    found = sibling_pairs(tree, leaves, 0.5)
    # At the root (0,) is worth 1/2 and (1,) nothing; below (0,) right and wrong part.
    assert [(node, a.path, b.path, gap) for node, a, b, gap in found] == [
        ((), (0, 0), (1, 0), 0.5), ((0,), (0, 0), (0, 1), 1.0)]  # fmt: skip
    assert best_right(leaves).path == (0, 0) and best_right(leaves[1:]) is None
    # Where the guide is the verifier all right ones are tied: the shortest of them would mostly be a guess without a thought.
    tied = [Leaf((0,), 1, 1.0, 1.0, None, 30), Leaf((1,), 1, 1.0, 1.0, None, 3), Leaf((2,), 1, 0.0, 0.0, None, 2)]
    assert best_right(tied).path == (0,) and best_right([*tied, Leaf((3,), 1, 2.0, 1.0, None, 40)]).path == (3,)


def test_a_revision_answers_what_it_was_shown_and_is_no_pair_with_what_it_revises():
    tree, revised = Tree("p", ("t",)), (1, 2, 4, 5, 3)
    tree.add(Node((0,), (4, 5), (-0.1, -0.1), StopReason.STOP))
    for k in (0, 1):
        tree.add(Node((0, k), (4, 6 + k), (-0.1,) * 2, StopReason.STOP, prompt=revised))
    texts, ask = {(0,): "it is 7", (0, 0): "it is 8", (0, 1): "no"}, [{"role": "user", "content": "4 + 4 ?"}]
    assert conversation(tree, (0,), ask, texts, "again") == ask
    shown = [*ask, {"role": "assistant", "content": "it is 7"}, {"role": "user", "content": "again"}]
    assert conversation(tree, (0, 1), ask, texts, "again") == shown
    leaves = [Leaf((0,), 1, 0.5, 0.0, None, 2), Leaf((0, 0), 2, 0.5, 1.0, None, 2)]
    assert sibling_pairs(tree, leaves, 0.5) == []
    [(node, better, worse, _)] = sibling_pairs(tree, [*leaves, Leaf((0, 1), 2, 0.5, 0.0, None, 2)], 0.5)
    assert (node, better.path, worse.path) == ((0,), (0, 0), (0, 1)) and shared_tokens(tree, node, better) == 0


def test_data_of_revisions_is_read_as_the_conversation_that_they_answer(tmp_path):
    def guide(problem, text):  # likes what says more: a revision where it is longer
        return float(len(text))

    asked = {"source": "world", "limit": 6, "world": {"digits": [2], "train": 60}}
    out = sanmai.search("tiny", asked, guide=guide, for_data=True, strategy="revise", width=3, revisions=2, out=tmp_path / "run")
    rows = pq.read_table(out / "data.parquet").to_pylist()
    trees = [row for path in sorted((out / "trees").iterdir()) for row in pq.read_table(path).to_pylist()]
    prompts = {(row["problem_id"], row["text"].replace("<|end|>", "")): row["prompt"] for row in trees}
    assert rows and all(row["messages"][-1]["role"] == "assistant" for row in rows)
    for row in rows:
        is_revision = len(row["messages"]) > 2
        assert [m["role"] for m in row["messages"][-4:-1]] == (["user", "assistant", "user"] if is_revision else ["user"])
    found = load_problems(out / "data.parquet").problems
    assert [len(p.messages) for p in found] == [len(row["messages"]) - 1 for row in rows] and prompts


COMMAND = """
import json, sys, sanmai
from math import log, sqrt
from pathlib import Path
sanmai.search(sys.argv[1], sys.argv[2], out=sys.argv[3], **json.loads(sys.argv[4]))
"""


def contents(folder: Path) -> dict[str, bytes]:
    kinds = ("trees/*", "rollouts/*", "metrics.jsonl", "answers.jsonl", "search.json")
    return {str(path.relative_to(folder)): path.read_bytes() for kind in kinds for path in sorted(folder.glob(kind))}


@pytest.fixture
def asked(tmp_path):
    """A random model's folder and a file of four sums."""
    model = save_folder(tmp_path / "model", "llama", max_position_embeddings=512)
    (tmp_path / "problems.jsonl").write_text(PROBLEMS)
    return model, tmp_path / "problems.jsonl"


def test_stopped_in_the_middle_of_a_round_and_resumed_a_search_has_the_same_bytes(asked, tmp_path, monkeypatch):
    whole = sanmai.search(*asked, out=tmp_path / "whole", **SETTINGS)
    assert len(list((whole / "trees").iterdir())) > 3
    write, calls = Driver._write, []

    def dies(self, writes):
        calls.append(len(writes))
        if len(calls) in (4, 9):
            raise RuntimeError("the power is gone")
        return write(self, writes)

    monkeypatch.setattr(Driver, "_write", dies)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="power"):
            sanmai.search(*asked, out=tmp_path / "stopped", **SETTINGS)
    sanmai.search(*asked, out=tmp_path / "stopped", **SETTINGS)
    assert contents(tmp_path / "stopped") == contents(whole)
    before = len(calls)
    sanmai.search(*asked, out=tmp_path / "stopped", **SETTINGS)  # finished: nothing is done again
    assert contents(tmp_path / "stopped") == contents(whole) and len(calls) == before


@pytest.mark.slow
def test_killed_in_the_middle_of_trees_and_resumed_a_search_has_the_same_bytes(asked, tmp_path):
    whole = sanmai.search(*asked, out=tmp_path / "whole", **SETTINGS)
    killed, times = tmp_path / "killed", 0
    command = [sys.executable, "-c", COMMAND, *map(str, asked), str(killed), json.dumps(SETTINGS)]
    for wanted in (1, 2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
        seen = {path.name for path in killed.glob("trees/step-*.parquet")}
        while process.poll() is None and len({p.name for p in killed.glob("trees/step-*.parquet")} - seen) < wanted:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            times += 1
        process.wait()
    assert times >= 1
    sanmai.search(*asked, out=killed, **SETTINGS)
    assert contents(killed) == contents(whole)


def test_trees_do_not_depend_on_how_many_are_open(asked, tmp_path):
    found = []
    for number, changes in enumerate(({"concurrent_trees": 1, "rounds_per_step": 50}, {"concurrent_trees": 12})):
        folder = sanmai.search(*asked, out=tmp_path / str(number), **{**SETTINGS, **changes})
        rows = [row for path in sorted((folder / "trees").iterdir()) for row in pq.read_table(path).to_pylist()]
        found.append({(r["strategy"], r["problem_id"], tuple(r["path"])): (r["tokens"], r["ended"], r["at"]) for r in rows})
    assert found[0] == found[1] and len(found[0]) > 40


def test_what_difficulty_is_worth_is_said_of_the_same_trees_and_costs_what_it_says(asked, tmp_path):
    model, _ = asked
    lines = "".join(json.dumps({"question": f"what is {k} plus 1 ?", "answer": str(k + 1)}) + "\n" for k in range(6))
    (tmp_path / "six.jsonl").write_text(lines)
    settings = {"tokens": 700, "steps": "tokens:4", "sampling": {"max_tokens": 12}, "strategy": ["best_of_n", "beam"]}
    run = sanmai.search(model, tmp_path / "six.jsonl", out=tmp_path / "run", allocate=500, bins=2, **settings)
    found = read(run)["allocation"]
    assert found["n"] == 6 and found["tokens"] <= 520 and found["uniform"]["n"] == found["allocated"]["n"] == 6
    assert sum(one["n"] for one in found["bins"]) == 6 and all(one["tokens"] <= 700 for one in found["bins"])
    assert any("By difficulty" in line for line in lines_of(read(run))) and "By difficulty" in (run / "report.html").read_text()
    without = read(sanmai.search(model, tmp_path / "six.jsonl", out=tmp_path / "without", **settings))
    assert without["strategies"] == read(run)["strategies"] and "allocation" not in without


def test_settings_that_cannot_work_are_refused():
    recipe = find_recipe("search")
    for wrong, word in (
        ({"strategy": ["beam", "beam"]}, "each once"), ({"steps": "paragraph"}, "steps = 'paragraph'"),
        ({"guide": ["logp", "entropy"], "guide_weights": [1.0]}, "a weight each"), ({"groups": 3}, "groups = 3 is read only"),
        ({"strategy": "tree"}, "strategy"), ({"strategy": "beam", "width": 4}, "width = 4 is read only"),
        ({"tokens": 99, "width": 4}, "width = 4 is read only"), ({"sampling": {"temperature": 0}}, "all 8 completions"),
        ({"strategy": "beam", "lookahead": -2}, "lookahead"), ({"allocate": 300}, "expected tokens above it"),
        ({"allocate": 300, "tokens": 600, "strategy": "beam"}, "best_of_n"), ({"probe": 2}, "probe = 2 is read only with"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=word):
            resolve(recipe, values=wrong)
