"""A checkpoint as a folder that other tools load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from sanmai.attack.catalogue import families_named
from sanmai.policies.text.checkpoints import io_errors_as_oserror
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.gguf_files import write_gguf
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.loading import quiet_transformers
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.resolve import resolve_model
from sanmai.train.seen import GGUF_KEY, Seen, carried, write_seen
from sanmai.types import InputError, RunError


def export(model: str, out: Path, *, dtype: str = "float32") -> str:
    """Write the model, load it again with `transformers` alone, and compare; one sentence on what came out.

    Raises:
        InputError: `out` exists, cannot be written, or dtype is unknown.
        RunError: the folder does not give the same logits (a bug of ours or a broken disk).
    """
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in dtypes:
        raise InputError(f"--dtype {dtype}: expected one of {', '.join(dtypes)}")
    partial = out.with_name(f".partial-{out.name}")
    for path in (out, partial):
        if path.exists():
            raise InputError(f"{path}: already exists; choose a new folder, or remove it")
    source, seen = resolve_model(model), told_of(model)
    policy = load_policy(ModelConfig(name=source), for_training=False)
    for parameter in policy.model.parameters():  # buffers, such as rotary frequencies, stay float32 in transformers
        parameter.data = parameter.data.to(dtypes[dtype])
    try:
        if out.suffix == ".gguf":
            more = {GGUF_KEY: json.dumps(seen.to_json())} if seen else {}
            write_gguf(policy.model, policy.tokenizer, partial, dtype=dtype, more=more)
            # Read as float32, whatever it is written in.
            _check_logits(policy, source, out, partial.parent, dtype=torch.float32, gguf_file=partial.name)
        else:
            with io_errors_as_oserror():
                policy.save(partial)
            made = {"exported_from": published(source), "dtype": dtype}
            write_seen(partial, seen)
            (partial / "sanmai.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
            _check_logits(policy, source, out, partial, dtype=dtypes[dtype])
        partial.rename(out)
    except OSError as error:
        raise InputError(f"{out}: cannot write there ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True) if partial.is_file() else shutil.rmtree(partial, ignore_errors=True)
    return f"{out}: {dtype}, {policy.num_parameters:,} parameters, from {source}; loads in transformers with the same logits."


def told_of(model: str) -> Seen:
    """What a model was shown, to go where it goes: of tags those that name families, as other words in them are its maker's.

    Raises:
        InputError: its record is not what was written.
    """
    try:
        seen = carried(model)
        return Seen(frozenset(filter(families_named, seen.dress)), seen.looked)
    except ValueError as error:
        raise InputError(f"{error}; restore it: what this model was shown would be lost") from None


def published(source: str) -> str:
    """What others are told of where a model comes from: a hub's name, or of a folder of this machine its own names alone."""
    path = Path(source)
    if not path.exists():
        return source
    names = path.resolve().parts
    return "/".join(names[-3:] if "checkpoints" in names[-2:] else names[-1:])


def _check_logits(policy: TextPolicy, source: str, out: Path, folder: Path, **options: Any) -> None:
    """Load what was written with `transformers` alone; RunError where its logits are not the policy's."""
    from transformers import AutoModelForCausalLM

    tokens_BT = torch.arange(1, 9).remainder(policy.vocabulary).unsqueeze(0)
    with torch.no_grad(), quiet_transformers():
        loaded: Any = AutoModelForCausalLM.from_pretrained(folder, **options)
        expected_BTV = policy.model.to(options["dtype"])(tokens_BT).logits
        if not torch.equal(loaded.eval()(tokens_BT).logits, expected_BTV):
            raise RunError(f"{out}: the written model does not give the logits of {source}")
