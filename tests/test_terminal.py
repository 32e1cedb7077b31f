"""What others wrote cannot steer a terminal."""

from __future__ import annotations

import io
import json

import pytest

from sanmai.terminal import printable, printable_json

STEERING = {
    "colour": "\x1b[31mred", "title": "\x1b]0;owned\x07", "C1 introducer": "\x9b2J", "clipboard": "\x1b]52;c;aGk=\x07",
    "over the line": "safe\rharm", "backspace": "no\x08\x08yes", "delete": "a\x7fb", "right to left": "abc\u202ecba",
    "isolate": "\u2066x\u2069", "line separator": "a\u2028b", "hidden tags": "a\U000e0041b", "nul": "a\x00b",
    "vertical tab": "a\x0bb",
}  # fmt: skip


@pytest.mark.parametrize("text", STEERING.values(), ids=STEERING)
def test_no_character_that_steers_a_terminal_is_printed_and_none_is_hidden(text):
    shown = printable(text)
    assert shown.isprintable() and shown != text
    assert shown.encode().decode("unicode_escape") == text  # every one is there to be read


@pytest.mark.parametrize("text", ["two\nlines\tand a tab", "加 等于 多少 ？", "naïve café 👍🏽", "שלום", "किताब", "a\u200db"])
def test_plain_text_of_any_language_stays_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize("text", STEERING.values(), ids=STEERING)
def test_json_holds_the_same_value_without_them(text):
    written = printable_json(json.dumps({"text": text}, ensure_ascii=False))
    assert json.loads(written) == {"text": text} and written.isprintable()


def test_a_model_that_writes_control_characters_does_not_steer_the_terminal_of_who_talks_to_it(monkeypatch):
    from rich.console import Console

    from sanmai.desk import chat
    from sanmai.policies.text.sampler import Completion
    from sanmai.types import StopReason

    monkeypatch.setattr(chat, "sample", lambda *_: [Completion(0, 0, [3, 4], [-1.0, -1.0], StopReason.LENGTH)])
    monkeypatch.setattr(chat, "parse_trace", lambda *_, **__: chat_trace("<think>\x1b[2J</think>\x1b]0;owned\x07hi"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"what is 3 plus 4 ?\n")))
    out = io.StringIO()
    chat.converse("tiny", temperature=1.0, max_tokens=4, device="cpu", seed=0, console=Console(file=out))
    assert "\\x1b[2J" in out.getvalue() and "\\x1b]0;owned\\x07hi" in out.getvalue() and "\x1b" not in out.getvalue()


def chat_trace(text):
    from sanmai.data.trace import parse_trace

    return parse_trace(text)


def test_chat_names_the_words_that_the_embedded_model_has_no_token_for():
    from sanmai.desk.chat import unknown_words
    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.load import load_policy

    tokenizer = load_policy(ModelConfig(), for_training=False).tokenizer
    assert unknown_words(tokenizer, "What is 37 + 45?") == '"What", "+"'
    assert unknown_words(tokenizer, "what is 37 plus 45 ?") == ""
