"""How flows and their reward models lie on the disk: config.json and model.safetensors; and what their prompts are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from sanmai.policies.flow.config import FlowModelConfig
from sanmai.policies.flow.network import Network
from sanmai.policies.text.checkpoints import newest_good_checkpoint
from sanmai.policies.text.resolve import chosen_model
from sanmai.types import InputError

SIZES = ("shape", "patch", "width", "depth", "heads")


def sizes_of(config: FlowModelConfig, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Sizes of a new network for clips of so many frames, rows and columns; InputError where its patches do not fit."""
    if shape[1] % config.patch or shape[2] % config.patch:
        raise InputError(f"model.patch = {config.patch} does not divide clips of {shape[1]} x {shape[2]} pixels")
    return {
        "shape": list(shape), "patch": config.patch, "width": config.width, "depth": config.depth, "heads": config.heads,
    }


def sizes_in(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Those that a config.json has; KeyError names one that is missing."""
    return {name: facts[name] for name in SIZES}


def passes_of(sizes: Mapping[str, Any]) -> int:
    """Patches of a clip, each of which goes through the network."""
    _, height, wide = sizes["shape"]
    return (height // sizes["patch"]) * (wide // sizes["patch"])


def network_of(sizes: Mapping[str, Any], num_words: int, *, is_velocity: bool) -> Network:
    shape, patch, width, depth, heads = (sizes[name] for name in SIZES)
    return Network(tuple(shape), patch, width, depth, heads, num_words, is_velocity=is_velocity)


def write_folder(
    folder: Path, kind: str, sizes: Mapping[str, Any], words: Sequence[str], tensors: Mapping[str, Tensor], **more: Any
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"kind": kind, **sizes, "words": list(words), **more}
    (folder / "config.json").write_text(json.dumps(facts, indent=1) + "\n")
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / "model.safetensors")


def model_folder(name: str) -> Path | None:
    """Where the model lies that a name stands for: the one that a gate chose, a run's newest checkpoint, or the folder itself.
    None of a run that has no complete checkpoint yet.

    Raises:
        InputError: its gate promoted none.
    """
    if (chosen := chosen_model(name)) is not None:
        return model_folder(chosen)
    folder = Path(name)
    return newest_good_checkpoint(folder) if (folder / "checkpoints").is_dir() else folder


def read_folder(name: str, kind: str, device: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """config.json and weights of a folder of that kind, or of a run folder's newest checkpoint.

    Raises:
        InputError: what is there instead.
    """
    folder = model_folder(name)
    if folder is None:
        raise InputError(f"{name}: this run folder has no complete checkpoint yet")
    try:
        facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found_kind = facts.get("kind") if isinstance(facts, dict) else None
        if found_kind != kind:
            raise InputError(f"{folder}: config.json is of kind {found_kind!r}; expected {kind!r}")
        return facts, load_file(folder / "model.safetensors", device=device)
    except InputError:
        raise
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{name}: no {kind} can be read there ({first_line(error)})") from None


def words_in(words: Sequence[str], prompts: Sequence[str], whose: str) -> Tensor:
    """Which of the words each prompt has, bool (B, K).

    Raises:
        InputError: a prompt has none of them.
    """
    told = []
    for prompt in prompts:
        own = set(prompt.lower().split())
        told.append([word in own for word in words])
        if not any(told[-1]):
            raise InputError(f"prompt {prompt!r}: {whose} knows none of its words; it knows {', '.join(words)}")
    return torch.tensor(told, dtype=torch.bool).reshape(len(told), len(words))


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
