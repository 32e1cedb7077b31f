"""Prompts and demonstrations as tokens; the fake tokenizer has one token per character."""

from __future__ import annotations

import pytest

from sanmai.data.chat import R1_ZERO_SYSTEM, demonstration, opened_in_prompt, render_demonstration, render_prompt
from sanmai.data.problems import load_problems
from sanmai.data.trace import parse_trace
from sanmai.types import InputError, Problem, TraceState

USER = ({"role": "user", "content": "2+3?"},)


class Characters:
    eos_token_id: int | None = 0

    def __init__(self, chat_template=None):
        self.chat_template = chat_template

    def encode(self, text, *, add_special_tokens=True):
        return [ord(c) for c in text] + [0] * add_special_tokens

    def decode(self, token_ids, *, skip_special_tokens=True):
        return "".join(map(chr, token_ids))

    def apply_chat_template(self, conversation, *, add_generation_prompt, return_dict):
        assert add_generation_prompt and not return_dict
        return [ord(c) for c in "".join(m["content"] for m in conversation) + self.chat_template]


def test_without_a_chat_template_the_prompt_is_r1_zeros_and_goes_on():
    text = Characters().decode(render_prompt(Characters(), USER))
    assert text == f"{R1_ZERO_SYSTEM}\nUser: 2+3?\nAssistant:"


def test_a_template_that_fails_is_told_with_roles_and_lengths_and_no_words():
    class Failing(Characters):
        def apply_chat_template(self, conversation, **rest):
            raise ValueError("roles must alternate")

    with pytest.raises(InputError, match=r"cannot render a conversation of user \(4 characters\): roles must alternate$"):
        render_prompt(Failing("x"), USER)


def test_a_chat_template_that_opens_the_thought_is_noticed():
    opening, plain = Characters("<think>\n"), Characters("|")
    assert opened_in_prompt(opening, render_prompt(opening, USER))
    assert not opened_in_prompt(plain, render_prompt(plain, USER))
    assert not opened_in_prompt(plain, [])


@pytest.mark.parametrize("mark", ["[THINK]", "<seed:think>", "<|START_THINKING|>", "<thinking>\n", "◁think▷"])
def test_a_template_that_opens_the_thought_with_any_known_mark_is_noticed_and_an_unclosed_one_answers_nothing(mark):
    opening = Characters(mark)
    is_open = opened_in_prompt(opening, render_prompt(opening, USER))
    assert is_open and parse_trace("so \\boxed{5}", opened_in_prompt=is_open).state is TraceState.UNCLOSED


def test_a_demonstration_fits_its_template_and_ends_with_the_stop_token():
    solved = Problem("a", USER, "5", solution="2+3=5")
    for tokenizer, completion in [
        (Characters("|"), "<think>\n2+3=5\n</think>\n5"),
        (Characters("<think>\n"), "2+3=5\n</think>\n5"),
        (Characters("<think>"), "\n2+3=5\n</think>\n5"),
        (Characters(), "<think>\n2+3=5\n</think> <answer>5</answer>"),
    ]:
        prompt, tokens = render_demonstration(tokenizer, solved)
        assert prompt == render_prompt(tokenizer, USER)
        assert tokens[-1] == 0 and tokenizer.decode(tokens[:-1]) == completion


def test_what_the_assistant_said_last_is_the_demonstration_word_for_word(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"},'
        ' {"role": "assistant", "content": "Sorry, no."}]}\n'
    )
    loaded = load_problems(path, needs_answer=False).problems[0]
    assert loaded.prompt == "u" and len(loaded.messages) == 2
    assert demonstration(loaded) == "Sorry, no."


def test_no_solution_and_no_stop_token_are_said():
    with pytest.raises(InputError, match="problem a: has no worked solution"):
        render_demonstration(Characters(), Problem("a", USER, "5"))
    endless = Characters("|")
    endless.eos_token_id = None
    with pytest.raises(InputError, match="stop token"):
        render_demonstration(endless, Problem("a", USER, "5", solution="s"))
