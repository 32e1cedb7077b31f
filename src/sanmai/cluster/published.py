"""The weights that samplers are to write with: published as a file with its digest, and found to be what a sampler holds.

Shape key: C fixed sequences of a canary, T tokens.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load, load_file, save_file
from torch import Tensor

from sanmai.cluster.canary import Canary
from sanmai.policies.text.policy import TextPolicy
from sanmai.types import InputError

_THREADS = 8


@dataclass(frozen=True)
class Publication:
    """One set of weights."""

    version: int
    """Counted by who publishes, from 1."""
    digest: str
    """Of the trained weights as the trainer holds them; see `digest_of`."""
    path: Path
    canary: Canary
    model: Path | None = None
    """The policy as a plain `transformers` folder, adapters merged in, for engines that know no other form."""

    def remove(self) -> None:
        """Its files, which nobody will read any more."""
        self.path.unlink(missing_ok=True)
        if self.model is not None:
            shutil.rmtree(self.model, ignore_errors=True)


def trained(policy: TextPolicy) -> dict[str, Tensor]:
    """What a policy samples with and training changes: its weights or adapters, without a value head."""
    return {name: p.detach() for name, p in policy.weights.items() if name not in policy.heads}


def frozen(policy: TextPolicy) -> dict[str, Tensor]:
    """What it samples with and training does not change: the model below adapters, tables of positions."""
    known = {p.data_ptr() for p in policy.weights.values()}
    return {name: tensor for name, tensor in policy.tensors().items() if tensor.data_ptr() not in known}


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes, in order of name."""

    def one(name: str) -> bytes:
        tensor = tensors[name].detach()
        facts = f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode()
        content = tensor.contiguous().flatten().view(torch.uint8)
        # A copy: what NumPy has seen can never be let go of again, as gathered weights are.
        copy = torch.empty(content.shape, dtype=torch.uint8).copy_(content)
        return hashlib.sha256(facts + copy.numpy().tobytes()).digest()

    with ThreadPoolExecutor(_THREADS) as pool:
        return hashlib.sha256(b"".join(pool.map(one, sorted(tensors)))).hexdigest()[:32]


def publish(
    policy: TextPolicy, digest: str, version: int, folder: Path, canary: Canary, *, is_plain: bool = False
) -> Publication:
    """Write the policy's weights, whose digest is known, as a file of a folder.

    Args:
        is_plain: the whole model as a folder, too.
    """
    model = None
    if is_plain:
        model = folder.resolve() / digest
        policy.save(model)
    path = folder / f"{digest}.safetensors"
    partial = path.with_suffix(".partial")
    tensors = {name: tensor.cpu().contiguous() for name, tensor in trained(policy).items()}
    save_file(tensors, partial, metadata={"digest": digest, "version": str(version)})
    partial.rename(path)
    return Publication(version, digest, path, canary, model)


def take(policy: TextPolicy, source: Path | bytes) -> str:
    """Load published weights into a sampler's policy; the digest of what it holds then.

    Raises:
        InputError: the file cannot be read, or its weights are not this model's.
    """
    try:
        tensors = load(source) if isinstance(source, bytes) else load_file(source)
    except Exception as error:  # noqa: BLE001 - safetensors raises several kinds on a damaged file
        raise InputError(f"{'weights' if isinstance(source, bytes) else source}: cannot be read: {error}") from None
    own = trained(policy)
    if odd := sorted(tensors.keys() ^ own.keys()):
        raise InputError(f"published weights are not this model's: they differ in {odd[0]!r} and {len(odd) - 1} other names")
    for name, tensor in own.items():
        if tensor.shape != tensors[name].shape:
            raise InputError(f"published weights are not this model's: {name!r} has another shape")
        tensor.copy_(tensors[name])
    return digest_of(own)
