"""When a loss or gradient is not finite: keep everything that shows why, and replay it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from sanmai.policies.contract import Policy
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.train.components import LossConfig, rl_components, sft_component
from sanmai.train.step import Component, accumulate
from sanmai.types import Batch, Credited, Drawn, Image, InputError, TokenBatch


def write_bundle(
    folder: Path,
    policy: Policy,
    batch: Batch,
    *,
    reason: str,
    loss: LossConfig | None,
    temperature: float,
    max_tokens: int,
    rollouts: Sequence[Drawn] = (),
    reference: Mapping[str, torch.Tensor] | None = None,
) -> Path:
    """Save weights, batch, settings and the rollouts' names into a folder that `replay` takes.

    Args:
        loss: the policy loss of the step; None for supervised fine-tuning.
    """
    folder.mkdir(parents=True, exist_ok=True)
    policy.save(folder / "model")
    tensors = {
        **{name: value for name, value in vars(batch).items() if isinstance(value, torch.Tensor)},
        **{f"stream/{name}": s for name, s in batch.streams.items()},
    }
    tensors |= {f"reference/{name}": t for name, t in (reference or {}).items()}
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / "batch.safetensors")
    facts = {
        "reason": reason,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "model": policy.config.model_dump(mode="json"),
        "loss": loss.model_dump(mode="json") if loss else None,
        "rows": [
            {"problem_id": r.problem_id, "sample": r.sample, "advantage": r.advantage if isinstance(r, Credited) else None}
            for r in rollouts
        ],
    }
    if isinstance(batch, TokenBatch) and batch.images:
        facts["images"] = batch.images
    (folder / "bundle.json").write_text(json.dumps(facts, indent=1) + "\n")
    return folder


@dataclass(frozen=True)
class Replay:
    reason: str
    rows: list[dict[str, Any]]
    """Per sequence: name, loss, mean and worst log-ratio, and the tokens whose log-prob is not finite."""
    parameters: list[str]
    """Trained tensors that hold, or whose gradient holds, a value that is not finite."""


def replay(folder: Path) -> Replay:
    """Compute the step of a bundle again, row by row.

    Raises:
        InputError: the folder is not a bundle.
    """
    try:
        facts = json.loads((folder / "bundle.json").read_text())
        facts["reason"], facts["model"], facts["loss"], facts["rows"]  # what replay needs
        tensors = load_file(folder / "batch.safetensors")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: not a bundle of a failed step ({error})") from None
    if "tokens_BT" not in tensors:
        raise InputError(f"{folder}: a step of a policy that is no text; read its batch.safetensors and model by hand")
    streams = {name.removeprefix("stream/"): t for name, t in tensors.items() if name.startswith("stream/")}
    reference = {name.removeprefix("reference/"): t for name, t in tensors.items() if name.startswith("reference/")}
    tokens_BT, attention_BT, mask_BT, logp_BT = (
        tensors[f"{n}_BT"] for n in ("tokens", "attention", "mask", "sampling_logp")
    )
    images = tuple(tuple(Image(**image) for image in row) for row in facts.get("images", ()))
    batch = TokenBatch(mask_BT, logp_BT, streams, tokens_BT, attention_BT, images)
    # The saved model is a folder, with its adapters merged in.
    merged = {"name": str(folder / "model"), "revision": None, "lora_rank": 0, "lora_alpha": 32}
    policy = load_policy(ModelConfig.read({**facts["model"], **merged}, stated={}))
    if reference.keys() != policy.weights.keys():  # of LoRA adapters, which the saved model has merged in
        reference = {}
    components: dict[str, Component] = {"sft": sft_component()}
    if facts["loss"] is not None:
        components = rl_components(LossConfig(**facts["loss"]), facts["max_tokens"], has_cost="cost" in streams)
    # The value head is in the run's state and not in the model's folder.
    components = {n: c for n, c in components.items() if (not c.needs_reference or reference) and c.reads_values == "no"}
    rows: list[dict[str, Any]] = []
    for row in range(len(batch)):
        one = batch.select([row])
        with torch.no_grad():
            logp_BT, _ = policy.score(one.to(policy.device), temperature=facts["temperature"])
        ratios = (logp_BT.cpu() - one.sampling_logp_BT)[one.mask_BT]
        bad = (~torch.isfinite(ratios)).nonzero().flatten().tolist()
        name = facts["rows"][row] if row < len(facts["rows"]) else {"problem_id": f"row {row}"}
        inputs_finite = all(bool(torch.isfinite(s).all()) for s in one.streams.values())
        rows.append(
            {
                **name,
                "mean_log_ratio": float(ratios.mean()),
                "worst_log_ratio": float(ratios.abs().max()),
                "bad_tokens": bad,
                "streams_finite": inputs_finite,
            }
        )
    accumulate(policy, batch, components, facts["temperature"], micro_tokens=8192, reference=reference or None)
    broken = [
        name
        for name, p in policy.weights.items()
        if not bool(torch.isfinite(p).all()) or (p.grad is not None and not bool(torch.isfinite(p.grad).all()))
    ]
    rows.sort(key=lambda r: (r["streams_finite"], math.isfinite(r["worst_log_ratio"]), -abs(r["worst_log_ratio"])))
    return Replay(facts["reason"], rows, broken)
