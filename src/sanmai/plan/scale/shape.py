"""A model's sizes without its weights: what its config.json, or numbers given by hand, say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanmai.policies.text.flops import Arithmetic
from sanmai.types import InputError

NUMBERS = {
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_width": "head_dim",
    "ffn": "intermediate_size",
    "vocabulary": "vocab_size",
    "tied": "tie_word_embeddings",
}
"""What is given by hand, and what it is called in a config.json."""
_NEEDED = ("layers", "width", "heads", "ffn", "vocabulary")


@dataclass(frozen=True)
class Shape:
    """What memory and time follow from."""

    name: str
    parameters: int
    arithmetic: Arithmetic
    """Windows of attention are taken for full attention."""
    layers: int
    width: int
    ffn: int
    query_width: int
    """Heads x head width."""
    kv_width: int
    """Key heads x head width."""
    vocabulary: int
    largest_block: int
    """Parameters of the largest piece that is gathered at a time: a layer, or embedding and head."""

    def kv_bytes(self) -> int:
        """Keys and values of a token, in all layers, 2 bytes each."""
        return 2 * self.layers * self.kv_width * 2


def shape_of(what: str) -> Shape:
    """Of a model's folder, run folder, config.json, hub name, or numbers by hand.

    Args:
        what: "layers=32,width=4096,heads=32,kv_heads=8,ffn=14336,vocabulary=128256": a model of Llama's kind. kv_heads are as
            many as heads, head_width is width / heads and tied is 0 where they are not given.

    Raises:
        InputError: it says too little, or is of a kind that is not counted here (a mixture of experts).
    """
    if "=" in what and not Path(what).exists():
        return _shape(_by_hand(what), "the numbers given")
    if Path(what).is_file():
        return _shape(_config_of(_read(Path(what)), what), what)
    from sanmai.policies.text.resolve import resolve_model

    name = resolve_model(what)
    if Path(name).is_dir():
        return _shape(_config_of(_read(Path(name) / "config.json"), what), what)
    from transformers import AutoConfig

    try:
        return _shape(AutoConfig.from_pretrained(name), what)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what!r}: its config.json cannot be had ({reason}); give a folder, or numbers such as layers=32,"
                         "width=4096,heads=32,kv_heads=8,ffn=14336,vocabulary=128256") from None  # fmt: skip


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected a model's config.json ({type(error).__name__})") from None
    if not isinstance(values, dict) or not isinstance(values.get("model_type"), str):
        raise InputError(f"{path}: expected a model's config.json, which names its model_type")
    return values


def _config_of(values: dict[str, Any], what: str) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.for_model(**values)
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what}: {reason}") from None


def _by_hand(text: str) -> Any:
    values: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if name not in NUMBERS or not number.isdigit() or (int(number) < 1 and name != "tied"):
            raise InputError(f"{part.strip()!r}: expected NAME=NUMBER with NAME one of {', '.join(NUMBERS)}")
        values[name] = int(number)
    if missing := [name for name in _NEEDED if name not in values]:
        raise InputError(f"{text!r}: {', '.join(missing)} not given")
    values.setdefault("kv_heads", values["heads"])
    values.setdefault("head_width", max(values["width"] // values["heads"], 1))
    return _config_of({"model_type": "llama", **{NUMBERS[n]: v for n, v in values.items()}}, text)


def _shape(config: Any, name: str) -> Shape:
    import torch
    from transformers import AutoModelForCausalLM

    from sanmai.policies.text.flops import arithmetic_of

    text = config.get_text_config()
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except (ValueError, KeyError, AttributeError, TypeError, ZeroDivisionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{name}: no causal language model can be made of it ({reason})") from None
    arithmetic, why_not = arithmetic_of(model)
    ffn = getattr(text, "intermediate_size", None)
    if arithmetic is None or not isinstance(ffn, int):
        raise InputError(f"{name}: {why_not or 'its feed-forward width is not known here'}")
    full = arithmetic.attention + sum(each for _, each in arithmetic.windows)
    parameters = sum(p.numel() for p in model.parameters())
    layers, heads = text.num_hidden_layers, text.num_attention_heads
    head_width = getattr(text, "head_dim", None) or text.hidden_size // heads
    outside = sum(p.numel() for name, p in model.named_parameters() if ".layers." not in name)
    return Shape(
        name, parameters, Arithmetic(arithmetic.body, arithmetic.head, full, arithmetic.trained_share), layers,
        text.hidden_size, ffn, heads * head_width, (getattr(text, "num_key_value_heads", None) or heads) * head_width,
        text.vocab_size, max(outside, -(-(parameters - outside) // layers)),
    )  # fmt: skip
