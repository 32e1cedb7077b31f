"""`sanmai twins`: perturbed copies of a source's problems as a file that evaluations read."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.data.problems import load_problems
from sanmai.recipes.twins import write_copies
from sanmai.types import InputError
from sanmai.world import make_problems, make_requests
from sanmai.world.arithmetic import pair_split
from sanmai.world.twins import make_twins

GSM8K = [
    {"question": "Ken can do 20 sit-ups. Nathan can do twice as many. Together?",
     "answer": "<<20*2=40>> <<20+40=60>>\n#### 60"},
    {"question": "How many legs do 3 dogs have?", "answer": "<<3*4=12>>\n#### 12"},
]  # fmt: skip


def numbers(prompt: str) -> list[int]:
    return [int(word) for word in prompt.split() if word.isdigit()]


@pytest.mark.parametrize("split", ["train", "heldout", "ood"])
def test_twins_of_world_problems_are_of_the_same_template_digits_language_and_split(split):
    problems = make_problems(80, seed=1, split=split, digits=(2, 3))
    twins = make_twins(problems, 0)
    assert make_twins(problems, 0) == twins != make_twins(problems, 1)
    prompts = {problem.prompt for problem in problems}
    for problem, twin in zip(problems, twins, strict=True):
        assert twin is not None and twin.prompt not in prompts and twin.tags == {**problem.tags, "twin_of": problem.id}
        assert "".join(c for c in twin.prompt if not c.isdigit()) == "".join(c for c in problem.prompt if not c.isdigit())
        assert [len(str(n)) for n in numbers(twin.prompt)] == [len(str(n)) for n in numbers(problem.prompt)]
        if twin.tags["template"] in ("sum", "word_problem") and twin.tags["digits"] != 4:
            assert pair_split(*numbers(twin.prompt)) == ("train" if split == "train" else "heldout")
        total = numbers(twin.prompt)
        expected = total[0] - total[1] if twin.tags["template"] == "subtraction" else sum(total)
        assert twin.answer == str(expected) and twin.verifier == "world"
    assert len({twin.prompt for twin in twins if twin}) == len(twins)


def test_a_kind_without_other_problems_and_what_is_no_arithmetic_have_no_twin():
    problems = make_problems(36, seed=0, split="heldout", digits=(1,))
    twins = make_twins(problems, 0)
    assert any(twin is not None for twin in twins) and twins[-1] is None  # there are fewer than 72 such sums
    assert make_twins([make_requests(1, seed=0)[0].to_problem()], 0) == [None]


def test_the_command_writes_pairs_that_problem_files_are_read_from_and_says_what_it_refused(tmp_path):
    source, out = tmp_path / "gsm8k.jsonl", tmp_path / "twins.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in GSM8K))
    done = CliRunner().invoke(app, ["twins", str(source), str(out), "--seed", "3"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "1 of 2 problems (50.0%) have a copy.", "1 without one: a number of the arithmetic is not in the question",
    ]  # fmt: skip
    original, twin = load_problems(out).problems
    name = f"{tmp_path.name}/gsm8k/0"
    assert (original.id, twin.id, twin.tags) == (name, f"{name}/twin-3", {"twin_of": name})
    assert original.prompt == GSM8K[0]["question"] and int(twin.answer or "") == 3 * numbers(twin.prompt)[0]
    alone = tmp_path / "alone.jsonl"
    assert write_copies(str(source), alone, seed=3, originals=False).problems == [twin]
    assert load_problems(alone).problems == [twin]


def test_decoys_leave_the_answers_alone_and_the_world_has_none(tmp_path):
    source = tmp_path / "gsm8k.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in GSM8K))
    found = write_copies(str(source), tmp_path / "decoys.jsonl", kind="decoys")
    copies = load_problems(tmp_path / "decoys.jsonl").problems[1::2]
    assert [copy.answer for copy in copies] == ["60", "12"] and found.num_copies == 2 and not found.refused
    assert all(copy.prompt.endswith(row["question"]) for copy, row in zip(copies, GSM8K, strict=True))
    with pytest.raises(InputError, match="tokenizer"):
        write_copies("world", tmp_path / "other.jsonl", kind="decoys")


def test_the_worlds_held_out_sums_have_twins(tmp_path):
    found = write_copies("world", tmp_path / "world.jsonl")
    assert found.num_copies == found.num_read == 600 and len(load_problems(tmp_path / "world.jsonl").problems) == 1200


@pytest.mark.parametrize(
    ("source", "out", "kind", "words"),
    [("nothing.jsonl", "o.jsonl", "numbers", "nothing.jsonl"), ("mgsm.jsonl", "o.jsonl", "numbers", "no arithmetic is given"),
     ("mgsm.jsonl", "o.csv", "numbers", "ends in .jsonl"), ("mgsm.jsonl", "mgsm.jsonl", "numbers", "is there already"),
     ("mgsm.jsonl", "missing/o.jsonl", "numbers", "there is no folder missing"),
     ("mgsm.jsonl", "o.jsonl", "words", "expected numbers, decoys, rendered or impossible")],
)  # fmt: skip
def test_bad_input_is_one_clear_sentence(tmp_path, monkeypatch, source, out, kind, words):
    monkeypatch.chdir(tmp_path)
    Path("mgsm.jsonl").write_text('{"question": "20 and 3?", "answer": 23}\n')
    with pytest.raises(InputError, match=words):
        write_copies(source, Path(out), kind=kind)
