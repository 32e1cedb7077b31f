"""GGUF files of llama.cpp: read as a plain `transformers` folder, and written.

Reading is `transformers`' own, which dequantises to float32; what it makes is kept in the user's cache, since it refuses to
train the object as it is loaded. Writing follows llama.cpp's converter for the architectures of `WRITTEN`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from sanmai.policies.text.loading import loading, quiet_transformers
from sanmai.policies.text.places import cache_folder
from sanmai.scratch import scratch
from sanmai.types import InputError

WRITTEN = ("llama", "qwen2", "qwen3")
ABOUT = "gguf.json"
"""What stands beside a model that came from a GGUF file: {"file", "sha256", "tensors": {"Q4_1": 210, ...}}."""


def is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf") and Path(name).is_file()


def gguf_note(folder: Path) -> str | None:
    """What a user should know of a model that came from a GGUF file; None of any other."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        kinds = ", ".join(f"{count} of {kind}" for kind, count in about["tensors"].items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return f"its weights come from {about['file']} (tensors: {kinds}), dequantised to float32"


def unpacked(file: Path) -> Path:
    """The file's model as a `transformers` folder in the cache, made on first use.

    Raises:
        InputError: no `gguf` package, no GGUF file, or one that `transformers` cannot read; no room for it.
    """
    digest = _digest(file)
    folder = cache_folder("models") / f"{file.stem}-{digest[:12]}"
    if (folder / ABOUT).is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch(folder.parent) as made:
            unpacked_into(made / "model", file)
            if not folder.exists():
                (made / "model").rename(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot keep the weights of {file} there ({error.strerror or error})") from None
    return folder


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise InputError(f"{file}: no GGUF file (it does not begin with the letters GGUF)")
        opened.seek(0)
        return hashlib.file_digest(opened, "sha256").hexdigest()


def unpacked_into(made: Path, file: Path) -> None:
    """Write the file's model into a folder; raises InputError as `unpacked`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with loading(f"{file}: cannot read its weights"):
        kinds = _kinds(file)
    with loading(f"{file}: cannot load it as a causal language model with a tokenizer"), quiet_transformers():
        options: dict[str, Any] = {"gguf_file": file.name}
        model: Any = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **options)
        tokenizer: Any = AutoTokenizer.from_pretrained(file.parent, **options)
        # What says that the weights are quantised has to go, or they can neither be saved nor trained.
        del model.config.quantization_config
        model.hf_quantizer = None
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
    about = {"file": file.name, "sha256": _digest(file), "tensors": kinds}
    (made / ABOUT).write_text(json.dumps(about) + "\n")


def _kinds(file: Path) -> dict[str, int]:
    """How many tensors there are of each way of storing them."""
    try:
        from gguf import GGUFReader
    except ImportError:
        raise InputError(f"{file}: reading a GGUF file needs the package gguf (pip install gguf)") from None
    reader = GGUFReader(file)
    return dict(Counter(tensor.tensor_type.name for tensor in reader.tensors).most_common())


def gguf_value(file: Path, key: str) -> str | None:
    """A text among a file's metadata; None where there is none, or the file cannot be read."""
    try:
        import gguf

        field = gguf.GGUFReader(file).get_field(key)
        return None if field is None else str(field.contents())
    except (ImportError, OSError, ValueError, IndexError, KeyError):
        return None  # whoever loads it says what is wrong with it


def write_gguf(
    model: Any, tokenizer: Any, path: Path, *, dtype: str, more: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Write a model as llama.cpp's converter would.

    Args:
        dtype: of matrices, float32, bfloat16 or float16; vectors are float32.
        more: texts for the metadata, by key.

    Raises:
        InputError: an architecture or a tokenizer that this does not know how to write.
    """
    try:
        import gguf
    except ImportError:
        raise InputError(f"{path}: writing a GGUF file needs the package gguf (pip install gguf)") from None
    config, backend = model.config, json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    if config.model_type not in WRITTEN:
        raise InputError(f"{path}: no GGUF file is written of {config.model_type}; expected one of {', '.join(WRITTEN)}")
    if backend["type"] != "BPE":
        raise InputError(f"{path}: its tokenizer is of kind {backend['type']}; expected byte-level BPE")
    rotation = config.rope_parameters or {}
    if rotation.get("rope_type", "default") != "default":
        raise InputError(f"{path}: no GGUF file is written of rotary positions of type {rotation['rope_type']!r}")
    writer = gguf.GGUFWriter(path, config.model_type)
    _write_settings(writer, config, rotation)
    for key, text in more.items():
        writer.add_string(key, text)
    _write_tokenizer(gguf, writer, tokenizer, backend, config)
    stored = {"float32": gguf.GGMLQuantizationType.F32, "bfloat16": gguf.GGMLQuantizationType.BF16,
              "float16": gguf.GGMLQuantizationType.F16}[dtype]  # fmt: skip
    architecture = getattr(gguf.MODEL_ARCH, config.model_type.upper())
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = tensor.detach().float().cpu().numpy()
        if config.model_type == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = config.num_attention_heads if name.endswith("q_proj.weight") else config.num_key_value_heads
            values = _permuted(values, heads)
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise InputError(f"{path}: no GGUF name is known for {name}")
        kind = stored if values.ndim > 1 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(found, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_settings(writer: Any, config: Any, rotation: dict[str, Any]) -> None:
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_width)
    writer.add_value_length(head_width)
    if config.model_type == "llama":
        writer.add_rope_dimension_count(head_width)
    writer.add_rope_freq_base(float(rotation.get("rope_theta", 10000.0)))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _write_tokenizer(gguf: Any, writer: Any, tokenizer: Any, backend: dict[str, Any], config: Any) -> None:
    words = dict(backend["vocab"]) | tokenizer.get_added_vocab()
    known, special = {number: word for word, number in words.items()}, set(tokenizer.all_special_ids)
    listed = [known.get(number, f"[PAD{number}]") for number in range(config.vocab_size)]
    kinds = [
        gguf.TokenType.CONTROL if number in special
        else gguf.TokenType.NORMAL if number in known else gguf.TokenType.UNUSED
        for number in range(config.vocab_size)
    ]  # fmt: skip
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm" if config.vocab_size == 49152 else "qwen2" if config.model_type != "llama" else "gpt-2")
    writer.add_token_list(listed)
    writer.add_token_types(kinds)
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in backend["merges"]])
    for name in ("bos", "eos", "pad"):
        if (number := getattr(tokenizer, f"{name}_token_id")) is not None:
            getattr(writer, f"add_{name}_token_id")(number)
    writer.add_add_bos_token(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _permuted(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key projection as llama.cpp's rotary positions have them: pairs side by side, not half a head apart."""
    rows, columns = values.shape
    return values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
