"""The adapters of a LoRA run as a folder that `peft` loads onto the base; merged, they are in every checkpoint."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from sanmai.desk.export import published, told_of
from sanmai.policies.text.checkpoints import io_errors_as_oserror, newest_good_checkpoint
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.loading import quiet_transformers
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.resolve import resolve_model
from sanmai.train.places import as_named, began_in
from sanmai.train.seen import write_seen
from sanmai.train.state import state_file, weights_digest
from sanmai.types import InputError, RunError


def export_adapter(run: str, out: Path) -> str:
    """Write a run's adapters with its tokenizer, load them with `peft` alone, and compare; one sentence on what came out.

    Raises:
        InputError: not the folder of a run with model.lora_rank, its base is not there or another now, or `out` exists.
        RunError: what was written does not give the same logits (a bug of ours or a broken disk).
    """
    partial = out.with_name(f".partial-{out.name}")
    for path in (out, partial):
        if path.exists():
            raise InputError(f"{path}: already exists; choose a new folder, or remove it")
    if out.suffix == ".gguf":
        raise InputError(f"{out}: adapters are written as a folder; without --adapter they are merged, also into a GGUF file")
    policy, checkpoint = _policy(Path(run))
    base = published(resolve_model(policy.config.name))
    try:
        with io_errors_as_oserror(), quiet_transformers():
            policy.model.save_pretrained(partial)
            policy.tokenizer.save_pretrained(partial)
            (partial / "README.md").unlink(missing_ok=True)  # peft's own, which tells the base's folder
            _publish(partial / "adapter_config.json", base)
            write_seen(partial, told_of(run))
            made = {"exported_from": published(str(checkpoint)), "adapter": True, "base": base}
            (partial / "sanmai.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        _check(policy, partial, out)
        partial.rename(out)
    except OSError as error:
        raise InputError(f"{out}: cannot write there ({error.strerror})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    count = sum(parameter.numel() for parameter in policy.weights.values())
    made_of = f"{count:,} parameters, from {checkpoint}, for the base {base}"
    return f"{out}: adapters of {made_of}; peft loads them with the same logits."


def _policy(run: Path) -> tuple[TextPolicy, Path]:
    """The run's policy as its newest checkpoint has it, adapters apart from the base; and that checkpoint."""
    try:
        settings = tomllib.loads((run / "config.toml").read_text(encoding="utf-8"))
        own = {**settings["model"], "name": as_named(began_in(run), str(settings["model"]["name"])), "device": "cpu"}
        config = ModelConfig.read(own, source=f"{run}/config.toml")
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"--adapter: {run} is no run folder of a model; expected that of a run with model.lora_rank") from None
    if not config.lora_rank:
        raise InputError(f"--adapter: {run} trained all weights (model.lora_rank = 0); without --adapter the model is exported")
    checkpoint = newest_good_checkpoint(run)
    if checkpoint is None:
        raise InputError(f"--adapter: {run} has no complete checkpoint yet")
    policy = load_policy(config)
    with safe_open(state_file(checkpoint), "pt") as file:
        began = (file.metadata() or {}).get("start_digest")
    if began != weights_digest(policy):
        raise InputError(f"--adapter: {config.name} is not the model any more that {run} began with; its adapters fit no other")
    saved = load_file(state_file(checkpoint))
    policy.load_weights({n.removeprefix("weights/"): t for n, t in saved.items() if n.startswith("weights/")})
    return policy, checkpoint


def _publish(path: Path, base: str) -> None:
    """The adapters' configuration with the base as others know it."""
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**found, "base_model_name_or_path": base}, indent=2) + "\n", encoding="utf-8")


def _check(policy: TextPolicy, folder: Path, out: Path) -> None:
    """RunError where a base loaded anew, with what was written on it, gives other logits."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tokens_BT = torch.arange(1, 9).remainder(policy.vocabulary).unsqueeze(0)
    with torch.no_grad(), quiet_transformers():
        dtype = next(policy.model.parameters()).dtype
        base: Any = AutoModelForCausalLM.from_pretrained(resolve_model(policy.config.name), dtype=dtype)
        loaded: Any = PeftModel.from_pretrained(base, str(folder)).eval()
        if not torch.equal(loaded(tokens_BT).logits, policy.model(tokens_BT).logits):
            raise RunError(f"{out}: the written adapters do not give the run's logits")
