"""Every text of the world survives the tokenizer, in the `tokenizers` file and in `transformers`."""

import itertools
import re

import pytest
from tokenizers import Tokenizer

from sanmai.policies.text.tiny import save_tokenizer
from sanmai.world import documents, make_problems
from sanmai.world.requests import all_requests
from sanmai.world.tokenizer import build_tokenizer, vocabulary

TEXTS = sorted(
    {text for d in itertools.islice(documents(5), 5000) for text in (d.messages[0]["content"], d.completion)}
    | {text for split in ("train", "heldout", "ood") for p in make_problems(300, seed=5, split=split)
       for text in (p.prompt, p.solution, f"<think> {p.solution} </think> {p.answer}")}
    | {text for r in all_requests() for text in (r.prompt, r.demonstration())}
)  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(folder)
    return folder


def test_every_text_of_the_world_comes_back_word_for_word():
    tokenizer = build_tokenizer()
    unknown = tokenizer.token_to_id("<unk>")
    for text, encoding in zip(TEXTS, tokenizer.encode_batch(TEXTS), strict=True):
        assert unknown not in encoding.ids
        assert tokenizer.decode(encoding.ids) == text


def test_transformers_gives_the_same_tokens_and_text(saved):
    from transformers import AutoTokenizer

    tokenizer, raw = AutoTokenizer.from_pretrained(saved), Tokenizer.from_file(str(saved / "tokenizer.json"))
    for text in TEXTS[::10]:
        ids = tokenizer.encode(text)
        assert ids == raw.encode(text).ids
        assert tokenizer.decode(ids) == tokenizer.decode(ids, skip_special_tokens=True) == text


def test_digits_are_apart_and_object_names_are_whole():
    encode = lambda text: build_tokenizer().encode(text).tokens  # noqa: E731
    assert encode("what is 37 plus 450 ?") == ["what", "is", "3", "7", "plus", "4", "5", "0", "?"]
    assert encode("怎么 做 o59 ？") == ["怎么", "做", "o59", "？"]
    assert encode("o7 o60 zebra") == ["o7", "<unk>", "<unk>"]


def test_the_chat_template_opens_the_assistants_turn(saved):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(saved)
    user, assistant = {"role": "user", "content": "what is 3 plus 4 ?"}, {"role": "assistant", "content": "7"}
    render = lambda *messages, **kwargs: tokenizer.apply_chat_template(list(messages), tokenize=False, **kwargs)  # noqa: E731
    opened = render(user, add_generation_prompt=True)
    assert opened == "<user> what is 3 plus 4 ? <assistant>"
    assert render(user, assistant) == "<user> what is 3 plus 4 ? <assistant> 7 <eos>"
    # The prompt's tokens begin the whole conversation's: what is sampled after them is what was trained.
    assert tokenizer.encode(render(user, assistant))[:-2] == tokenizer.encode(opened)
    assert tokenizer.decode(tokenizer.encode(opened + " 7 <eos>"), skip_special_tokens=True) == "what is 3 plus 4 ? 7"


def test_tags_are_ordinary_words():
    tokenizer = build_tokenizer()
    text = "<think> ones 1 plus 2 is 3 </think> 3"
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=True) == text
    assert not {"<think>", "</think>"} & {token.content for token in tokenizer.get_added_tokens_decoder().values()}


def test_the_vocabulary_is_small_fixed_and_without_repeats():
    words = vocabulary()
    assert words == vocabulary() and len(words) == len(set(words)) < 300
    assert words[:7] == ["<pad>", "<eos>", "<unk>", "<user>", "<assistant>", "<think>", "</think>"]
    assert not [word for word in words if re.search(r"\s", word)]
