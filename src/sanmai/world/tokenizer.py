"""The world's word-level tokenizer: one token per word, one per digit, one per object name."""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import WordLevel

from sanmai.world import arithmetic, requests

PAD, EOS, UNK, USER, ASSISTANT = "<pad>", "<eos>", "<unk>", "<user>", "<assistant>"
SPECIAL_TOKENS = (PAD, EOS, UNK, USER, ASSISTANT)
TAGS = ("<think>", "</think>")
"""Ordinary words: they stay visible in decoded text, where the trace parser reads them."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<assistant> ' + message['content'] + ' <eos>' if message['role'] == 'assistant'"
    " else '<user> ' + message['content'] }}{{ ' ' if not loop.last }}"
    "{% endfor %}{{ ' <assistant>' if add_generation_prompt }}"
)


def vocabulary() -> list[str]:
    """Every token, in the order of its id."""
    words = sorted({*arithmetic.vocabulary(), *requests.vocabulary()} - set(requests.OBJECTS))
    return [*SPECIAL_TOKENS, *TAGS, *"0123456789", *requests.OBJECTS, *words]


def build_tokenizer() -> Tokenizer:
    """The tokenizer, ready to be saved. decode(encode(text)) is the text if its words are known and single-spaced."""
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(vocabulary())}, unk_token=UNK))
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    # Every digit apart, but the one or two digits of an object's name stay with their letter.
    digit = Regex(r"(?<![a-z])(?<![a-z][0-9])[0-9]")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(digit, behavior="isolated")]
    )
    # WordPiece puts the spaces; then those between two digits go.
    tokenizer.decoder = decoders.Sequence(
        [decoders.WordPiece(cleanup=False), decoders.Fuse(), decoders.Replace(Regex(r"(?<=[0-9]) (?=[0-9])"), "")]
    )
    return tokenizer
