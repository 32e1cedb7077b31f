"""Questions drawn as pictures, and whether both are answered alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rollouts import drawn
from sanmai.cli import app
from sanmai.data.images import load_pixels
from sanmai.data.problems import load_problems
from sanmai.data.rendering import RenderingError, draw_text, rendered
from sanmai.data.trace import parse_trace
from sanmai.recipes.twins import write_copies
from sanmai.rewards.judging.agreement import same_answer
from sanmai.rollout.measure import evaluation_metrics
from sanmai.types import Group, InputError, Problem, Verdict


def asking(text: str, **more) -> Problem:
    return Problem("p", ({"role": "system", "content": "s"}, {"role": "user", "content": text}), "5", **more)


def ink(picture) -> np.ndarray:
    """Rows and columns that have something in them."""
    dark_HW = np.asarray(picture.convert("L")) < 128
    return np.argwhere(dark_HW)


def test_a_text_is_drawn_within_its_margins_and_broken_into_lines():
    one, two = draw_text("What is 2 + 3?"), draw_text("What is 2 + 3?\nSay it.")
    assert two.height - one.height == one.height - 2 * 16  # a line more
    for picture in (one, two, draw_text("word " * 100), draw_text("x" * 300)):
        rows, columns = ink(picture).T
        assert rows.min() >= 16 and rows.max() < picture.height - 16
        assert columns.min() >= 16 and columns.max() < picture.width - 16 + 2 and picture.width <= 640 + 2 * 16
    assert np.array_equal(np.asarray(draw_text("a b")), np.asarray(draw_text("a b")))
    # Broken lines have all the words: as much ink as the same words one by one.
    apart = sum(len(ink(draw_text("word"))) for _ in range(100))
    assert len(ink(draw_text("word " * 100))) == pytest.approx(apart, rel=0.05)


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (asking("\u4e2d 2 + 3"), r"no glyph for U\+4E2D"),
        (asking("What is 20% of 25?"), "speaks of percentages"),
        (asking("def f(): ...", verifier="code"), r"its verifier \(code\) reads the question's words"),
        (asking("hello", kind="general"), "no problem with a right answer"),
        (asking("x" * 5000), "a text of 5,000 characters"),
        (Problem("p", ({"role": "user", "content": "q", "images": [{"sha256": "0"}]},), "5"), "has pictures already"),
    ],
)
def test_a_question_that_a_picture_would_not_say_the_same_is_refused_with_its_reason(tmp_path, problem, reason):
    with pytest.raises(RenderingError, match=reason):
        rendered(problem, tmp_path / "p.png")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_the_question_in_a_picture_and_nowhere_else(tmp_path):
    source, out = tmp_path / "p.jsonl", tmp_path / "deep" / "both.jsonl"
    out.parent.mkdir()
    rows = [
        {"question": "Ken has 20. How many are half?", "answer": "20/2\n#### 10"},
        {"question": "How many percent?", "answer": "1\n#### 1"}]  # fmt: skip
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner().invoke(app, ["twins", str(source), str(out), "--kind", "rendered"])
    assert done.exit_code == 0 and done.output.splitlines()[0] == "1 of 2 problems (50.0%) have a copy."
    text, picture = load_problems(out).problems
    assert picture.prompt == "<image>" and picture.tags["rendered_of"] == text.id and picture.id == f"{text.id}/rendered"
    assert (picture.answer, picture.solution) == (text.answer, text.solution) == ("10", "20/2")
    assert np.array_equal(np.asarray(load_pixels(picture.images[0])), np.asarray(draw_text("Ken has 20. How many are half?")))
    (tmp_path / "deep").rename(tmp_path / "moved")  # the file names its pictures from where it stands
    moved = load_problems(tmp_path / "moved" / "both.jsonl").problems[1]
    assert repr(moved.messages) == repr(picture.messages) and moved.images[0]["path"].startswith(str(tmp_path / "moved"))


def test_fonts_are_for_pictures_and_must_be_fonts(tmp_path):
    source = tmp_path / "p.jsonl"
    source.write_text(json.dumps({"prompt": "1+1", "answer": "2"}) + "\n")
    with pytest.raises(InputError, match="expected with --kind rendered alone"):
        write_copies(str(source), tmp_path / "a.jsonl", kind="decoys", font=Path("x.ttf"))
    with pytest.raises(InputError, match=r"--font .*p\.jsonl: .*expected a TrueType or OpenType file"):
        write_copies(str(source), tmp_path / "b.jsonl", kind="rendered", font=source)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((1.0, r"\boxed{5}"), (1.0, "the answer is 5"), True),
        ((1.0, r"\boxed{5}"), (0.0, r"\boxed{6}"), False),
        ((0.0, r"\boxed{6}"), (0.0, "the answer is 6.0"), True),
        ((0.0, r"\boxed{6}"), (0.0, r"\boxed{7}"), False),
        ((0.0, "no idea\nat all"), (0.0, "no idea\nat all"), False),
        ((0.0, r"\boxed{6} \boxed{7}"), (0.0, r"\boxed{6} \boxed{7}"), False),
    ],
)
def test_right_agrees_with_right_and_wrong_with_the_same_wrong_answer_alone(first, second, expected):
    pair = [(score, parse_trace(text)) for score, text in (first, second)]
    assert same_answer(asking("q"), pair[0], pair[1]) is same_answer(asking("q"), pair[1], pair[0]) is expected


def test_agreement_is_counted_over_graded_pairs_and_clustered_by_problem():
    def group(name: str, scores: list[float | None], **tags: str) -> Group:
        problem = Problem(name, ({"role": "user", "content": "q"},), "5", tags=tags)
        texts = {1.0: r"\boxed{5}", 0.0: r"\boxed{6}", None: ""}
        return Group(problem, tuple(
            drawn(texts[s], parse_trace(texts[s])).graded({"accuracy": Verdict(s, "")}) for s in scores))  # fmt: skip

    groups = [
        group("a", [1, 1]), group("a/rendered", [1, 0], rendered_of="a"),  # agree, differ; the text with itself: agree
        group("b", [0, 1]), group("b/rendered", [0, None], rendered_of="b"),  # agree (both 6), ungraded; itself: differ
        group("c", [1, 1])]  # fmt: skip
    found = evaluation_metrics(groups)
    assert found["eval/rendered_agreement"] == pytest.approx(2 / 3)
    assert (found["eval/rendered_problems"], found["eval/rendered_ungraded"], found["eval/repeated_agreement"]) == (2, 1, 0.5)
    assert found["eval/original_accuracy"] == pytest.approx(2 / 3) and found["eval/rendered_accuracy"] == pytest.approx(1 / 3)
    assert found["eval/rendered_agreement_low"] < 2 / 3 < found["eval/rendered_agreement_high"]
    assert not any("rendered" in name for name in evaluation_metrics(groups[-1:]))
    assert not any("rendered_of" in name for name in found)
