"""Steps: one cut whether it is made while tokens come or afterwards, never through a token, never by tokenizing again."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from sanmai.data.steps import Cutter, StepRule, aggregate, boundaries, character_ends, decoder, token_ends
from sanmai.world.arithmetic import addition_chain
from sanmai.world.tokenizer import build_tokenizer

RULES = ("text:\\n\\n", "text:ки", "line", "sentence", "tokens:3", "world", "thought")


def pieces(*texts: str):
    """Tokens 0, 1, ... that decode to these bytes, and their decoder: what is cut inside a character comes out as \\ufffd."""
    parts = [text.encode() if isinstance(text, str) else text for text in texts]
    return list(range(len(parts))), lambda tokens: b"".join(parts[t] for t in tokens).decode(errors="replace")


def steps(rule: str, *texts: str, is_finished: bool = True) -> list[str]:
    tokens, decode = pieces(*texts)
    ends = boundaries(tokens, decode, StepRule.parse(rule), is_finished=is_finished)
    return [decode(tokens[a:b]) for a, b in zip([0, *ends], ends, strict=False)]


def test_a_separator_inside_a_token_belongs_to_the_step_that_it_ends():
    assert steps("text:\\n\\n", "One", ".\n", "\nTwo", " more", "\n\n", "Three") == ["One.\n\nTwo", " more\n\n", "Three"]


def test_blank_steps_are_none_and_what_a_budget_cut_off_is_no_step():
    assert steps("text:\\n\\n", "\n\n", "A", "\n\n", "\n\n", " B") == ["\n\nA\n\n", "\n\n B"]
    assert steps("text:\\n\\n", "A", "\n\n", "B", is_finished=False) == ["A\n\n"]
    assert steps("line", "\n", " ", "\n") == [] and steps("line") == []
    assert steps("line", "A", "\n", "") == ["A\n"]  # a stop token, which decodes to nothing, is no step of its own


def test_a_fence_is_kept_whole_by_paragraphs_and_sentences_but_not_by_lines():
    code = ("Code:\n\n", "```py\n", "a. b\n\n", "c\n", "```\n", "\n", "Done")
    assert steps("text:\\n\\n", *code) == ["Code:\n\n", "```py\na. b\n\nc\n```\n\n", "Done"]
    assert steps("line", *code[:4]) == ["Code:\n\n", "```py\n", "a. b\n\n", "c\n"]
    assert steps("sentence", *code[1:4], "```\n", "x") == ["```py\na. b\n\nc\n```\n", "x"]


def test_sentences_end_before_a_blank_not_in_numbers_and_in_chinese_at_once():
    assert steps("sentence", "It is 3", ".", "5", ".", " Then", " 1", ".", "\n", "Yes", "!") == [
        "It is 3.5.", " Then 1.", "\nYes!",
    ]  # fmt: skip
    assert steps("sentence", "1", ".", " Add", " them", ".", " 2", ".", " Stop") == ["1. Add them.", " 2. Stop"]
    assert steps("sentence", "一", "。", "」", "二", "！", "！", "三") == ["一。」", "二！！", "三"]


def test_a_thought_is_cut_by_its_paragraphs_and_the_answer_is_one_step():
    written = ("<think>", "\n\n", "a", "\n\n", "b", "\n</think>", "\n\n", "x", "\n\n", "y")
    assert steps("thought", *written) == ["<think>\n\na\n\n", "b\n</think>", "\n\nx\n\ny"]


def test_in_the_world_a_step_ends_where_the_next_column_begins():
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=build_tokenizer(), eos_token="<eos>")
    decode = decoder(tokenizer)
    for numbers, language in (((37, 45), "en"), ((999, 7), "zh")):
        thought, answer = addition_chain(numbers, language)
        text = f"<think> {thought} </think> {answer}"
        tokens = [*tokenizer.encode(text), tokenizer.eos_token_id]
        ends = boundaries(tokens, decode, StepRule.parse("world"))
        found = [decode(tokens[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
        if language == "en":
            assert found == ["<think> ones 7 plus 5 is 2 carry 1", "tens 3 plus 4 plus 1 is 8", "</think> 82"]
        else:
            assert [s.split()[0] for s in found] == ["<think>", "十位", "百位", "千位", "</think>"]
        # At the word that begins the next step its end is known, not before.
        cutter = Cutter(StepRule.parse("world"), decode)
        known = [cutter.push(token) for token in tokens]
        assert known[ends[0]] == [ends[0]] and not any(known[: ends[0]])


def plain_boundaries(tokens, decode, rule):
    """The rules once more, by decoding every prefix from its start: slow, and without memory of tokens before."""
    whole, ends, n = [], [], len(tokens)
    held = 0
    for i in range(n + 1):
        text = decode(tokens[:i])
        if not text.endswith("\ufffd"):
            held = 0
        elif len(text.rstrip("\ufffd")) > len(whole[-1]):
            text, held = text.rstrip("\ufffd"), 1
        elif held < 3:
            text, held = whole[-1], held + 1
        else:
            held = 0
        whole.append(text)
    start = 0
    if rule.kind == "tokens":
        return list(range(rule.tokens, n + 1, rule.tokens))
    sign = {"text": re.escape(rule.separator), "line": "\n", "thought": "\n\n|</think>"}[rule.kind]
    while True:
        base = len(whole[start])
        is_answer = rule.kind == "thought" and "</think>" in whole[start]
        at = None
        for match in [] if is_answer else re.finditer(sign, whole[n][base:]):
            before = whole[n][base:][: match.start()]
            words = before.replace("<think>", "") if rule.kind == "thought" else before
            fences = sum(line.lstrip(" \t").startswith("```") for line in whole[n][: base + match.start()].split("\n"))
            if words.strip() and (rule.kind == "line" or fences % 2 == 0 or match[0] == "</think>"):
                at = base + match.end()
                break
        if at is None:
            return ends
        start = next(i for i in range(start, n + 1) if len(whole[i]) >= at)
        ends.append(start)


def test_a_mark_that_is_cut_through_by_a_step_s_end_is_one():
    tokens, decode = pieces(b"<think>\n\n`", b"``\n\n", b"x\n\n```\n\ny")
    for name, ends in (("text:\\n\\n", [1, 3]), ("thought", [3])):
        rule = StepRule.parse(name)
        assert boundaries(tokens, decode, rule, is_finished=False) == plain_boundaries(tokens, decode, rule) == ends
    tokens, decode = pieces(b"a\n\n</th", b"ink>\n\n", b"b\n\n", b"c\n\n")
    rule = StepRule.parse("thought")
    assert boundaries(tokens, decode, rule, is_finished=False) == plain_boundaries(tokens, decode, rule) == [1, 2]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "é", "加", "ки", "\n", "\n\n", ".", " ", "```", "<think>", "</think>", "1"]), max_size=24),
    st.data(),
)
def test_the_cutter_and_a_plain_reading_of_every_prefix_agree_wherever_tokens_are_cut(parts, data):
    text = "".join(parts).encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=20)) | {0, len(text)})
    tokens, decode = pieces(*[text[a:b] for a, b in itertools.pairwise(cuts)])
    for name in ("text:\\n\\n", "text:ки", "line", "tokens:3", "thought"):
        rule = StepRule.parse(name)
        assert boundaries(tokens, decode, rule, is_finished=False) == plain_boundaries(tokens, decode, rule), name


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="aé加😀 \n", max_size=14), st.data())
def test_the_whole_characters_after_each_token_are_counted_wherever_tokens_are_cut(text, data):
    """A token may end one character and begin the next, as those of byte-level tokenizers do."""
    content = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(content)), max_size=14)) | {0, len(content)})
    tokens, decode = pieces(*[content[a:b] for a, b in itertools.pairwise(cuts)])
    assert character_ends(tokens, decode) == [len(content[:cut].decode(errors="ignore")) for cut in cuts[1:]]


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="aB1. !?\n。」`加", max_size=40), st.integers(1, 5), st.integers(0, 40))
def test_a_copied_cutter_goes_on_as_the_original_would_have(text, width, at):
    tokens, decode = pieces(*[text[i : i + width] for i in range(0, len(text), width)])
    for name in RULES:
        rule = StepRule.parse(name)
        whole = boundaries(tokens, decode, rule)
        assert whole == sorted(set(whole)) and (not whole or whole[-1] <= len(tokens))
        first = Cutter(rule, decode)
        found = first.extend(tokens[:at])
        other = first.copy()
        first.extend(tokens[:1])  # goes its own way
        assert [*found, *other.extend(tokens[at:]), *other.finish()] == whole


def test_rules_are_read_from_settings_and_written_back():
    for name in RULES:
        assert str(StepRule.parse(name)) == name and StepRule.parse(str(StepRule.parse(name))) == StepRule.parse(name)
    assert StepRule.parse("text:\n\n") == StepRule.parse(r"text:\n\n") and StepRule.parse(r"text:\\n").separator == r"\n"
    for wrong in ("", "text", "text:", "tokens:0", "tokens:x", "tokens:²", "line:2", "words"):
        with pytest.raises(ValueError, match=r"expected text:SEPARATOR .*, line, sentence"):
            StepRule.parse(wrong)


def test_steps_that_are_known_as_text_end_at_tokens_and_two_in_one_token_are_refused():
    tokens, decode = pieces("ab", "c\n", "\nd", "e")
    assert token_ends(tokens, decode, [5, 7]) == [3, 4]  # "abc\n\n" ends inside the third token
    with pytest.raises(ValueError, match="steps 1 and 2 end in one token"):
        token_ends(tokens, decode, [5, 6])
    with pytest.raises(ValueError, match="step 2 ends at character 9 of 7"):
        token_ends(tokens, decode, [5, 9])


def test_what_is_made_of_step_scores_is_what_is_named_and_each_has_its_bias():
    scores = [0.9, 0.9, 0.1, 0.9]
    assert aggregate(scores, "min") == 0.1 and aggregate(scores, "last") == 0.9 and aggregate(scores, "max") == 0.9
    assert aggregate(scores, "product") == pytest.approx(0.0729) and aggregate(scores, "mean") == pytest.approx(0.7)
    assert aggregate([0.95] * 20, "product") == pytest.approx(0.358, abs=5e-4)  # many good steps below one doubtful
    assert aggregate(scores, "min") <= aggregate(scores, "product") ** (1 / 4)
    for wrong in ([], [0.5, float("nan")]):
        with pytest.raises(ValueError, match="at least one, all finite"):
            aggregate(wrong, "min")
    with pytest.raises(ValueError, match="expected min, product, last, mean, max"):
        aggregate(scores, "prod")  # ty: ignore[invalid-argument-type]


def test_a_literal_replacement_character_is_whole_where_it_stands():
    # U+FFFD is also what a decoder says while the rest of a character is lacking; what follows tells the two apart.
    spelt = {1: b"ab", 2: "\ufffd".encode(), 3: b"c", 4: "\u00e9".encode()[:1], 5: "\u00e9".encode()[1:], 6: b""}
    spelt |= {7 + k: "\ufffd".encode()[k : k + 1] for k in range(3)}
    decode = lambda tokens: b"".join(spelt[t] for t in tokens).decode("utf-8", errors="replace")  # noqa: E731
    assert character_ends([1, 2, 3], decode) == [2, 3, 4]
    assert token_ends([1, 2, 3, 3], decode, [3, 4]) == [2, 3]  # it was "two steps end in one token"
    assert character_ends([2, 2, 2, 3], decode) == [1, 2, 3, 4]
    assert character_ends([1, 4, 5, 3], decode) == [2, 2, 3, 4]  # half an e with an accent is none
    assert character_ends([1, 7, 8, 9, 3], decode) == [2, 2, 2, 3, 4]  # in three pieces
    assert character_ends([1, 2, 6], decode)[-1] == 3
