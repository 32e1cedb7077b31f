"""Thought and answer of a completion: hand-made traps, and all the real traces we have."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanmai.data.trace import parse_trace
from sanmai.types import TraceState
from shared_data import shared_rows

CLOSED, UNCLOSED, NO_OPEN, NONE = TraceState.CLOSED, TraceState.UNCLOSED, TraceState.NO_OPEN_TAG, TraceState.NONE
FENCE = "```"

TABLE = [
    ("<think>t</think>a", CLOSED, "t", "a"),
    ("<think></think>a", CLOSED, "", "a"),
    ("\n<think>\nt\n</think>\n\na", CLOSED, "\nt\n", "\n\na"),
    ("t</think>a", NO_OPEN, "t", "a"),
    ("</think>a", NO_OPEN, "", "a"),
    ("<think>t", UNCLOSED, "t", ""),
    ("<think>", UNCLOSED, "", ""),
    ("<think>t</thin", UNCLOSED, "t</thin", ""),
    ("a", NONE, "", "a"),
    ("", NONE, "", ""),
    # The last closing tag wins: the thought may speak of the tag.
    ("<think>I end it with </think> later.</think>a", CLOSED, "I end it with </think> later.", "a"),
    ("<think>a</think>b<think>c</think>d", CLOSED, "a</think>b<think>c", "d"),
    # A tag quoted in the answer's code does not swallow the answer.
    ("<think>t</think>End it with `</think>`.", CLOSED, "t", "End it with `</think>`."),
    ("<think>t</think>See `<think>x</think>` here.", CLOSED, "t", "See `<think>x</think>` here."),
    (f"<think>t</think>So:\n{FENCE}xml\n<think>x</think>\n{FENCE}\nend", CLOSED, "t",
     f"So:\n{FENCE}xml\n<think>x</think>\n{FENCE}\nend"),
    ("<think>end with `</think>` now</think>use `x`", CLOSED, "end with `</think>` now", "use `x`"),
    ("<think>it`s</think>use `x`", CLOSED, "it`s", "use `x`"),
    (f"<think>\n{FENCE}py\ncut</think>a\n{FENCE}py\nx\n{FENCE}\n", CLOSED,
     f"\n{FENCE}py\ncut", f"a\n{FENCE}py\nx\n{FENCE}\n"),
    ("<think>end with `</think>` but never do", UNCLOSED, "end with `</think>` but never do", ""),
    ("Put it in `<think>` tags.", NONE, "", "Put it in `<think>` tags."),
    # A later thought does not swallow the answer that was given before it.
    ("<think>a</think>5<think>more</think>", CLOSED, "a", "5<think>more</think>"),
    ("<think>a</think>5<think>more</think>\n<think>x</think>", CLOSED, "a", "5<think>more</think>\n<think>x</think>"),
    # One that is never closed is incomplete, whatever was answered before it.
    ("<think>a</think>5<think>more", UNCLOSED, "a</think>5<think>more", ""),
    ("a</think>5<think>more", UNCLOSED, "a</think>5<think>more", ""),
    ("<think>a</think>5<think>b</think>6<think>c", UNCLOSED, "a</think>5<think>b</think>6<think>c", ""),
    ("<think>a</think>Write `<think>` first.", CLOSED, "a", "Write `<think>` first."),
    ("a</think>b<think>c</think>d", NO_OPEN, "a</think>b<think>c", "d"),
    ("<think>a</think>\n<think>b</think>5", CLOSED, "a</think>\n<think>b", "5"),
    ("<think>a</think>\n<think>b", UNCLOSED, "a</think>\n<think>b", ""),
    ("<think>a</think></think>", CLOSED, "a</think>", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "state", "thought", "answer"), TABLE)
def test_states_thoughts_and_answers(text, state, thought, answer):
    trace = parse_trace(text)
    assert (trace.state, trace.thought, trace.answer) == (state, thought, answer)
    assert trace.before + trace.thought + trace.between + trace.answer == text


@pytest.mark.parametrize(
    ("text", "state", "thought", "answer"),
    [
        ("t</think>a", NO_OPEN, "t", "a"),
        ("t", UNCLOSED, "t", ""),
        ("", UNCLOSED, "", ""),
        ("t <think> u</think>a", NO_OPEN, "t <think> u", "a"),
        ("t</think>a<think>u</think>", NO_OPEN, "t", "a<think>u</think>"),
        ("t</think>a<think>u", UNCLOSED, "t</think>a<think>u", ""),
        ("<think>t</think>a", CLOSED, "t", "a"),  # the policy wrote the tag again
    ],
)
def test_a_prompt_that_opens_the_thought(text, state, thought, answer):
    trace = parse_trace(text, opened_in_prompt=True)
    assert (trace.state, trace.thought, trace.answer) == (state, thought, answer)


def test_only_a_thought_that_was_opened_counts_as_thinking():
    assert parse_trace("<think>t</think>18").thinks and parse_trace("t</think>18", opened_in_prompt=True).thinks
    assert not parse_trace("t</think>18").thinks and not parse_trace("<think> </think>18").thinks
    assert not parse_trace("<think>t").thinks and not parse_trace("t", opened_in_prompt=True).thinks
    assert parse_trace("t</think>18", opened_in_prompt=True).opened_in_prompt


def test_custom_tags_and_truncation():
    trace = parse_trace("[THINK]t</think>[/THINK]a", open_tag="[THINK]", close_tag="[/THINK]", is_truncated=True)
    assert (trace.thought, trace.answer, trace.is_complete) == ("t</think>", "a", False)
    with pytest.raises(ValueError, match="tag"):
        parse_trace("x", open_tag="", close_tag="]")


PIECES = st.lists(st.sampled_from(["<think>", "</think>", "`", "```", "\n", " ", "a", "5", "<th", "ink>"]), max_size=14)


@given(st.one_of(PIECES.map("".join), st.text()), st.booleans())
def test_the_parts_rebuild_the_text(text, opened):
    trace = parse_trace(text, opened_in_prompt=opened)
    assert trace.before + trace.thought + trace.between + trace.answer == text
    assert trace.state is not UNCLOSED or trace.answer == ""
    assert (trace.between == "</think>") == (trace.state in (CLOSED, NO_OPEN))


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", "`", "```\n", "\n```\n</think>", "`a </think>` ", "<think></think>", "(["]
)
def test_two_megabytes_of_anything_take_a_moment(piece):
    start = time.process_time()
    parse_trace(piece * (2_000_000 // len(piece)))
    assert time.process_time() - start < 5


def test_all_star1_traces_are_closed_and_answer():
    for row in shared_rows("star1/star1_safety_sft.jsonl"):
        trace = parse_trace(row["response"])
        is_right = trace.state is CLOSED and trace.thinks and trace.answer.strip() and trace.before == "<think>"
        assert is_right and trace.before + trace.thought + trace.between + trace.answer == row["response"], row["id"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("formula_MiP", "deepseek-reasoner (insufficient_question)"),
        ("math_MiP", "deepseek-reasoner (insufficient_question)"),
        ("math_normal", "deepseek-reasoner (question)"),
    ],
)
def test_all_r1_traces_lack_the_opening_tag(name, key):
    for row in shared_rows(f"mip_overthinking/responses/{name}_deepseekR1.jsonl"):
        trace = parse_trace(row[key])
        assert trace.state is NO_OPEN and trace.thought.strip() and trace.answer.strip()
        assert parse_trace(row[key], opened_in_prompt=True).thinks
        assert trace.thought + trace.between + trace.answer == row[key]
