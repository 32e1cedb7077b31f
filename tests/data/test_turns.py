"""Thoughts that a template opens, and the token that it ends a turn with, on the templates of public models (shortened)."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from sanmai.data.chat import render_demonstration, render_prompt, thought_tags_of, thought_warnings
from sanmai.data.trace import parse_trace
from sanmai.data.turns import continues, opening_of, turn_end
from sanmai.types import InputError, Problem

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN3_THINKING = CHATML.replace("assistant\n'", "assistant\n<think>\n'")
QWEN3 = (  # the last assistant's turn gets an empty thought
    "{% for m in messages %}{% if m.role == 'assistant' %}<|im_start|>assistant\n<think>\n\n</think>\n\n"
    "{{ m.content }}<|im_end|>\n"
    "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% else %}"
    "{% set content = m['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}"
)
LLAMA3 = (
    "{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim "
    "+ '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}"
    "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)
PHI3 = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
PARTS = (  # content as parts alone
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}{{ part['text'] }}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HARMONY = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}<|start|>assistant<|channel|>final<|message|>{{ m['content'] }}"
    "{{ '<|return|>' if loop.last else '<|end|>' }}{% else %}<|start|>{{ m['role'] }}<|message|>"
    "{{ m['content'] }}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
ALPACA = (
    "{% for m in messages %}{{ '### ' + m['role'] + ':\n' + m['content'] + '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}### assistant:\n{% endif %}"
)
SPECIAL = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<｜User｜>", "<｜Assistant｜>", "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>", "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eot_id|>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<s>", "</s>", "[INST]", "[/INST]", "<|end|>",
    "<|user|>", "<|assistant|>", "<|start|>", "<|channel|>", "<|message|>", "<|return|>",
]  # fmt: skip
USER = ({"role": "user", "content": "2+3?"},)


def tokenizer_of(template: str, *, eos: str = "<|endoftext|>", bos: str = "<s>") -> PreTrainedTokenizerFast:
    """One token per byte, and the special ones."""
    words = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(vocab=words, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token=eos, bos_token=bos, extra_special_tokens=SPECIAL, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize(
    ("template", "eos", "end"),
    [
        (CHATML, "<|endoftext|>", "<|im_end|>"),
        (CHATML, "<|im_end|>", "<|im_end|>"),
        (QWEN3_THINKING, "<|endoftext|>", "<|im_end|>"),
        (QWEN3, "<|endoftext|>", "<|im_end|>"),
        (R1, "<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
        (LLAMA3, "<|end_of_text|>", "<|eot_id|>"),
        (GEMMA, "<eos>", "<end_of_turn>"),
        (MISTRAL, "</s>", "</s>"),
        (PHI3, "<|endoftext|>", "<|end|>"),
        (PARTS, "<|endoftext|>", "<|im_end|>"),
        (HARMONY, "<|endoftext|>", "<|return|>"),
        (ALPACA, "</s>", "</s>"),  # it ends turns with words: the eos_token stays
        ("{{ raise_exception('not today') }}", "</s>", "</s>"),
    ],
)
def test_a_completion_ends_with_the_token_that_the_template_ends_a_turn_with(template, eos, end):
    tokenizer = tokenizer_of(template, eos=eos)
    assert tokenizer.convert_ids_to_tokens(turn_end(tokenizer)) == end
    if "raise" not in template and template is not PARTS:
        _, tokens = render_demonstration(tokenizer, Problem("a", USER, "5", solution="2+3=5"))
        assert tokens[-1] == tokenizer.convert_tokens_to_ids(end)


def test_another_template_on_the_same_tokenizer_ends_turns_its_own_way():
    tokenizer = tokenizer_of(CHATML)
    assert turn_end(tokenizer) == tokenizer.convert_tokens_to_ids("<|im_end|>")
    tokenizer.chat_template = GEMMA
    assert turn_end(tokenizer) == tokenizer.convert_tokens_to_ids("<end_of_turn>")
    tokenizer.chat_template = None
    assert turn_end(tokenizer) == tokenizer.eos_token_id


def test_the_policy_stops_at_the_end_of_a_turn_and_at_all_that_the_generation_config_lists():
    from tests.tiny_models import random_model

    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.policy import TextPolicy

    tokenizer = tokenizer_of(CHATML)
    model = random_model("llama", len(tokenizer))
    model.generation_config.eos_token_id = [3, 4]
    names = ("<|im_end|>", "<|endoftext|>")
    found = TextPolicy(model.eval(), tokenizer, ModelConfig()).stop_tokens
    assert set(found) == {3, 4, *(tokenizer.convert_tokens_to_ids(name) for name in names)}


# The class: what follows a prompt that opened the thought. Each has the prompt's end, the demonstration, the completion.
@pytest.mark.parametrize(
    ("end", "text", "completion"),
    [
        ("<think>\n", "<think>\n2+3=5\n</think>\n5", "2+3=5\n</think>\n5"),
        ("<think>\n", "\n<think>\n2+3=5\n</think>\n\n5", "2+3=5\n</think>\n\n5"),
        ("<think>\n", "<think>2+3=5</think>5", "2+3=5</think>5"),
        ("<think>\n", "<think>\n\n2+3=5\n</think>5", "2+3=5\n</think>5"),
        ("<think>\n", "<think>\r\n2+3=5\r\n</think>5", "2+3=5\r\n</think>5"),
        ("<think>\n", "<think>\n    x = 1\n</think>5", "    x = 1\n</think>5"),
        ("<think>", "<think>\n2+3=5\n</think>\n5", "\n2+3=5\n</think>\n5"),
        ("<think>\n\n", "<think>\n\n2+3=5\n</think>\n5", "2+3=5\n</think>\n5"),
        ("<think>\n", "2+3=5\n</think>\n5", "2+3=5\n</think>\n5"),  # written inside the thought, as R1's outputs are stored
        ("<think>\n", "\n2+3=5\n</think>\n5", "2+3=5\n</think>\n5"),
        ("<think>\n", "<think>\n\n</think>\n\nHello.", "\n</think>\n\nHello."),
        ("<think>\n", "<think></think>Hello.", "</think>Hello."),
        ("<think>\n", "The sum is 5.", "\n</think>\n\nThe sum is 5."),
        ("<think>", "The sum is 5.", "\n\n</think>\n\nThe sum is 5."),
        ("<think>\n", "", "\n</think>\n\n"),
        ("<think>\n", "Sure! <think>\na\n</think>5", "Sure! \na\n</think>5"),
        ("<think>\n", "<thinking>\na\n</thinking>\n5", "a\n</think>\n5"),
        ("<think>\n", "[THINK]a[/THINK]5", "a</think>5"),
        ("<think>\n", "Use `<think>` in HTML.", "\n</think>\n\nUse `<think>` in HTML."),
        ("[THINK]", "<think>\na\n</think>\n5", "\na\n[/THINK]\n5"),
        ("[THINK]", "[THINK]a[/THINK]5", "a[/THINK]5"),
        ("<seed:think>", "5", "\n\n</seed:think>\n\n5"),
        ("◁think▷", "◁think▷a◁/think▷5", "a◁/think▷5"),
        ("<|begin_of_thought|>\n", "<think>a</think>5", "a<|end_of_thought|>5"),
        ("<|START_THINKING|>", "<think>a</think>5", "a<|END_THINKING|>5"),
        (
            "<|start|>assistant<|channel|>analysis<|message|>",
            "<think>a</think>5",
            "a<|end|><|start|>assistant<|channel|>final<|message|>5",
        ),
        # near misses: no thought is open
        ("assistant\n", "<think>\na\n</think>\n5", "<think>\na\n</think>\n5"),
        ("assistant\n", "The sum is 5.", "The sum is 5."),
        ("<think>\n\n</think>\n\n", "The sum is 5.", "The sum is 5."),
        ("</think>", "The sum is 5.", "The sum is 5."),
        ("the <think> tag?", "5", "5"),
    ],
)
def test_what_follows_an_opened_thought_opens_none_and_leaves_none_open(end, text, completion):
    assert continues(text, "..." + end, ("<think>", "</think>")) == completion


@pytest.mark.parametrize("text", ["<think>\n2+3", "<thinking>\nhm", "5 <think> no", "<think>a</think>5<think>b"])
def test_a_thought_that_is_never_closed_is_refused_where_the_prompt_opens_it(text):
    shown = Problem("row 7", USER, demonstration=text)
    with pytest.raises(InputError, match=r"problem row 7: the prompt opens the thought, .* never closed"):
        render_demonstration(tokenizer_of(R1), shown)
    render_demonstration(tokenizer_of(R1), shown, may_stay_open=True)


def test_prompt_and_completion_of_a_real_template_have_one_opening_tag():
    for template in (R1, QWEN3_THINKING):
        tokenizer = tokenizer_of(template)
        for problem in (
            Problem("a", USER, "5", solution="2+3=5"),
            Problem("b", USER, demonstration="\n<think>\n2+3=5\n</think>\n\n5"),
            Problem("c", USER, demonstration="The sum is 5."),
        ):
            prompt, tokens = render_demonstration(tokenizer, problem)
            text = tokenizer.decode([*prompt, *tokens], skip_special_tokens=False)
            assert text.count("<think>") == text.count("</think>") == 1 and "<think>\n\n2" not in text


def test_the_users_own_thought_tags_are_those_of_the_prompt():
    assert continues("<r>\na\n</r>5", "<r>\n", ("<r>", "</r>")) == "a\n</r>5"
    assert continues("<r>\na\n</r>5", "<think>\n", ("<r>", "</r>")) == "a\n</think>5"


def test_a_turn_to_go_on_with_opens_the_thought_once():
    tokenizer = tokenizer_of(R1)
    begun = (*USER, {"role": "assistant", "content": "<think>\nWell,"})
    text = tokenizer.decode(render_prompt(tokenizer, begun), skip_special_tokens=False)
    assert text.endswith("<｜Assistant｜><think>\nWell,")


def test_demonstrations_without_a_thought_are_counted_where_the_template_opens_one():
    shown = [
        Problem("a", USER, "5", solution="2+3=5"),
        Problem("b", USER, demonstration="Five."),
        Problem("c", USER, demonstration="<think>\n\n</think>\n\n5"),
    ]
    [said] = thought_warnings(tokenizer_of(R1), shown)
    assert "1 of 3 demonstrations have none (the first is b)" in said
    assert list(thought_warnings(tokenizer_of(CHATML), shown)) == []
    assert list(thought_warnings(tokenizer_of(R1), shown[::2])) == []


@pytest.mark.parametrize(
    ("tokens", "template", "tags"),
    [
        (["[THINK]", "[/THINK]"], "", ("[THINK]", "[/THINK]")),
        ([], "{% if '</seed:think>' in m %}{% endif %}<seed:think>", ("<seed:think>", "</seed:think>")),
        ([], "{{ '◁think▷' }}{{ '◁/think▷' }}", ("◁think▷", "◁/think▷")),
        (["<think>", "</think>"], "", ("<think>", "</think>")),
        (["[THINK]", "[/THINK]"], "<think></think>", None), (["[THINK]"], "", None), ([], "", None),
        ([], "<|channel|>analysis<|message|> <|channel|>final<|message|>", None),
    ],
)  # fmt: skip
def test_demonstrations_with_other_marks_than_the_model_has_are_named(tokens, template, tags):
    tokenizer = tokenizer_of("{% for m in messages %}{{ m['content'] }}{% endfor %}{# " + template + " #}")
    tokenizer.add_special_tokens({"additional_special_tokens": tokens})
    assert thought_tags_of(tokenizer) == tags
    shown = [Problem("a", USER, "5", solution="2+3=5")]
    said = list(thought_warnings(tokenizer, shown))
    assert len(said) == (tags not in (None, ("<think>", "</think>"))) and all(f"{tags[0]} and {tags[1]}" in text for text in said)
    assert tags is None or list(thought_warnings(tokenizer, shown, tags)) == []

@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ("a</think>5", "<think>"), ("a[/THINK]5", "[THINK]"), ("a◁/think▷5", "◁think▷"), ("a</seed:think>5", "<seed:think>"),
        ("a<|end_of_thought|>5", "<|begin_of_thought|>"), ("a<|END_THINKING|>5", "<|START_THINKING|>"), ("a", "<think>"),
    ],
)  # fmt: skip
def test_the_tag_that_a_prompt_opened_is_told_from_the_one_that_closes_the_thought(text, opening):
    trace = parse_trace(text, opened_in_prompt=True)
    assert opening_of(trace, "<think>") == opening
    assert continues(opening + text, opening, ("<think>", "</think>"), may_stay_open=True) == text
