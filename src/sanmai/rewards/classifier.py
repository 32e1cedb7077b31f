"""Sequence classifiers of a local `transformers` folder: the probabilities of their labels for texts.

Shape key: B texts, T tokens, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import torch

from sanmai.policies.text.loading import check_folder, loading, quiet_transformers, refuse_lacking
from sanmai.rewards.reward_model import similar_lengths
from sanmai.types import InputError

_BATCH_TOKENS = 8192


@dataclass(frozen=True)
class LabelProbabilities:
    """What a classifier says of one text."""

    probabilities: tuple[float, ...]
    """By label; they add up to 1. nan where the text has no token, or the model is broken."""
    num_tokens: int
    """Of the text, special tokens included."""
    num_read: int
    """Of these, how many the model has positions for; it reads the beginning."""


class TextClassifier:
    """A classifier with several labels that exclude each other.

    Example:
        TextClassifier.load("refusals").labels                      # ("NORMAL", "REJECTION")
        TextClassifier.load("refusals")(["I can't help."])[0]       # LabelProbabilities((0.02, 0.98), 8, 8)
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        names = model.config.id2label
        self.labels = tuple(str(names[k]) for k in range(model.config.num_labels))
        self.max_tokens = _room(model, tokenizer)

    @classmethod
    def load(cls, folder: str | Path) -> TextClassifier:
        """The classifier of a folder. Only safetensors are read, no code of the folder is run, and nothing is fetched.

        Raises:
            InputError: it is no folder, holds no sequence classifier with at least two labels that exclude each other, or cannot
                be loaded.
        """
        if not Path(folder).is_dir():
            raise InputError(f"{str(folder)!r}: no such folder")
        tokenizer, (model, found) = _load(str(folder))
        refuse_lacking(repr(str(folder)), found["missing_keys"], tokenizer)
        return cls(model, tokenizer)

    def __call__(self, texts: Sequence[str]) -> list[LabelProbabilities]:
        """Probabilities of each text, in order, in float32. What looks like a special token in a text is text."""
        options = {"split_special_tokens": True, "verbose": False}
        encoded = [self.tokenizer.encode(text, **options) for text in texts]
        cut = [self._cut(text, tokens, options) for text, tokens in zip(texts, encoded, strict=True)]
        # Without a padding token some architectures cannot tell where a text in a batch ends.
        pad = self.model.config.get_text_config().pad_token_id
        lengths = [len(tokens) for tokens in cut]
        parts = [[k] for k in range(len(cut))] if pad is None else similar_lengths(lengths, _BATCH_TOKENS)
        found: list[tuple[float, ...]] = [(nan,) * len(self.labels)] * len(cut)
        for rows in ([row for row in part if cut[row]] for part in parts):
            if rows:
                for row, values in zip(rows, self._forward([cut[row] for row in rows], pad or 0), strict=True):
                    found[row] = values
        return [LabelProbabilities(*item) for item in zip(found, map(len, encoded), lengths, strict=True)]

    def _cut(self, text: str, tokens: list[int], options: dict[str, bool]) -> list[int]:
        if self.max_tokens is None or len(tokens) <= self.max_tokens:
            return tokens
        return self.tokenizer.encode(text, truncation=True, max_length=self.max_tokens, **options)

    def _forward(self, sequences: Sequence[Sequence[int]], pad: int) -> list[tuple[float, ...]]:
        width = max(map(len, sequences))
        tokens_BT = torch.tensor([[*s, *[pad] * (width - len(s))] for s in sequences])
        attention_BT = torch.tensor([[1] * len(s) + [0] * (width - len(s)) for s in sequences])
        with torch.no_grad():
            logits_BC = self.model(input_ids=tokens_BT, attention_mask=attention_BT).logits
        return [tuple(row) for row in logits_BC.float().softmax(dim=-1).tolist()]


def _load(folder: str) -> tuple[Any, Any]:
    """Tokenizer, and the model with what was found of its weights; the settings are looked at first."""
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    check_folder(folder, Path(folder))
    failed = f"{folder!r}: cannot load it as a sequence classifier"
    with loading(failed), quiet_transformers(), torch.random.fork_rng(devices=[]):  # a lacking head is drawn at random
        config = AutoConfig.from_pretrained(folder, **options)
        _check(folder, config)
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        loaded = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **options
        )
    return tokenizer, loaded


def _check(folder: str, config: Any) -> None:
    architectures = list(config.architectures or ())
    if not any("ForSequenceClassification" in name for name in architectures):
        raise InputError(
            f"{folder!r}: expected a sequence classifier, found {', '.join(architectures) or 'no architecture in its config'}"
        )
    if config.num_labels < 2 or config.problem_type not in (None, "single_label_classification"):
        raise InputError(
            f"{folder!r}: expected at least two labels that exclude each other, found {config.num_labels} of problem_type "
            f"{config.problem_type!r}"
        )


def _room(model: Any, tokenizer: Any) -> int | None:
    """Tokens that model and tokenizer were made for; None when neither says."""
    config = model.config.get_text_config()
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    for name, module in model.named_modules():
        # RoBERTa counts its positions from padding_idx + 1, so that it has fewer than its table has rows.
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            positions = module.num_embeddings - module.padding_idx - 1
    known = [limit for limit in (positions, tokenizer.model_max_length) if limit is not None and 0 < limit < 10**9]
    return min(known, default=None)
