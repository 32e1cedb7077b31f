"""The class: a completion whose thought is marked in another family's way; right answers count, unclosed thoughts never."""

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.trace import opens_thought, pair_of, parse_trace
from sanmai.data.turns import tags_opened
from sanmai.types import Problem, TraceState

PROBLEM = Problem("1", ({"role": "user", "content": "p"},), "5", "math")
MARKS = [
    ("<Think>", "</Think>"), ("<THINK>", "</THINK>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"), ("<Reasoning>", "</Reasoning>"), ("[THINK]", "[/THINK]"), ("[think]", "[/think]"),
    ("<seed:think>", "</seed:think>"), ("◁think▷", "◁/think▷"), ("<scratchpad>", "</scratchpad>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"), ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel|>analysis <|message|>", "<|end|><|start|>assistant <|channel|>final <|message|>"), ("analysis", "assistantfinal"),
    ("Here is my thought process:\n", "\n\nHere is my response:\n"),
    ("Here are my reasoning steps:\n", "\n[BEGIN FINAL RESPONSE]\n"), ("## Thinking\n\n", "\n\n## Final Response\n\n"),
    # Not in the table: the name tells.
    ("<mm:think>", "</mm:think>"), ("<longcat_think>", "</longcat_think>"), ("<think_fast>", "</think_fast>"),
    ("<think_start>", "<think_end>"), ("<|think_start|>", "<|think_end|>"), ("<|startofthink|>", "<|endofthink|>"),
    ("<|reasoning_start|>", "<|reasoning_end|>"), ("<|begin_of_reasoning|>", "<|end_of_reasoning|>"),
    ("<|reasoning|>", "<|/reasoning|>"), ("<SCRATCHPAD_REASONING>", "</SCRATCHPAD_REASONING>"),
    ("&lt;think&gt;", "&lt;/think&gt;"), ("<think>", "</think >"),
]  # fmt: skip


@pytest.mark.parametrize(("opening", "closing"), MARKS)
def test_a_thought_in_any_marks_counts_for_nothing_and_an_unclosed_one_earns_nothing(opening: str, closing: str) -> None:
    text = f"{opening}maybe \\boxed{{4}}; no{closing}So \\boxed{{5}}"
    trace = parse_trace(text)
    assert trace.state is TraceState.CLOSED
    assert trace.before + trace.thought + trace.between + trace.answer == text
    assert verify_math(PROBLEM, trace).score == 1.0
    assert parse_trace(f"{opening}so \\boxed{{5}}").state is TraceState.UNCLOSED
    assert verify_math(PROBLEM, parse_trace(f"{opening}so \\boxed{{5}}")).score == 0.0


def test_a_second_thought_in_other_marks_does_not_hide_in_the_answer() -> None:
    assert parse_trace("<think>a</think><thinking>so \\boxed{5}").answer == ""
    assert parse_trace("<think>a</think><thinking>b</thinking>5").answer == "5"
    assert parse_trace("<think>a <reasoning>b</reasoning> \\boxed{5}").answer == ""


def test_plain_words_and_quoted_marks_are_no_marks() -> None:
    for text in ("analysis shows that it is 5", "Use `<thinking>` here: 5", "Analysis: 5", "The assistantfinal word 5",
                 "5. Here is my thought process: 2+3", "My steps:\n## Thinking ahead\n5", "Here is my response: 5",
                 "Add a <user_thought> element: 5",
                 "<think_mode>5", "<weekend>5</weekend>", "Set `<|think_start|>` first: 5",
                 "<reasoning_effort>high</reasoning_effort>"):
        assert parse_trace(text).state is TraceState.NONE


def test_a_prompt_may_end_in_any_opening_mark() -> None:
    assert opens_thought("<|assistant|><seed:think>\n") and opens_thought("[THINK]") and opens_thought("<think>\n")
    assert opens_thought("<mm:think>") and opens_thought("x<|begin_of_reasoning|>\n")
    assert not opens_thought("</mm:think>") and not opens_thought("<think_off>") and not opens_thought("a <weekend_thoughts> b")
    assert not opens_thought("What is 2 + 3? analysis")


def test_a_mark_with_a_telling_name_tells_the_other_one() -> None:
    for opening, closing in (("<a_think>", "</a_think>"), ("<|BEGIN_OF_THOUGHT|>", "<|END_OF_THOUGHT|>"),
                             ("<|think_start|>", "<|think_end|>")):
        assert pair_of(opening) == (opening, closing)
        assert pair_of(closing) == (opening, closing)
        assert tags_opened(f"Question {opening}\n", ("<think>", "</think>")) == (opening, closing)
    assert pair_of("<answer>") is None and pair_of("<cancellation_reason>") is None


def test_a_cut_closing_or_second_opening_mark_leaves_the_thought_open() -> None:
    for text in ("<mm:think>5</mm:thi", "<mm:think>5<mm:think>5", "<think>5</thi"):
        assert parse_trace(text).state is TraceState.UNCLOSED
