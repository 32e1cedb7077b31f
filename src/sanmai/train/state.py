"""What a training run owns besides its folder: policy, optimizer, reference policy. Saved and restored whole (law 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from sanmai.policies.contract import Trained, TrainedT
from sanmai.train.runs import Run
from sanmai.train.step import OptimizerConfig, make_optimizer

_FILE = "training_state.safetensors"


@dataclass
class TrainingState(Generic[TrainedT]):
    policy: TrainedT
    optimizer: torch.optim.Optimizer
    reference: dict[str, Tensor] | None
    """Weights of the reference policy; None when nothing is measured to it."""
    start_digest: str
    """Of the weights that the run started from: a LoRA run that resumes loads them again."""
    extra: dict[str, Tensor] = field(default_factory=dict)
    """Small numbers of the recipe that a resume needs: the multipliers of constraints, tokens spent. Replaced before a save."""
    has_parity: bool = False
    """Sampler and trainer have been found to agree since this process began."""

    def save(self, folder: Path) -> None:
        """Write the model as a plain `transformers` folder, and beside it what resuming needs."""
        self.policy.save(folder)
        tensors = {
            f"optimizer/{name}/{key}": value
            for name, p in self.policy.weights.items()
            for key, value in self.optimizer.state[p].items()
        }
        if self.reference is not None:
            tensors |= {f"reference/{name}": tensor for name, tensor in self.reference.items()}
        if not self.policy.folder_is_whole:
            tensors |= {f"weights/{name}": p.detach() for name, p in self.policy.weights.items() if name not in self.policy.heads}
        tensors |= {f"heads/{name}": p.detach() for name, p in self.policy.heads.items()}
        tensors |= {f"extra/{name}": tensor for name, tensor in self.extra.items()}
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, folder / _FILE, metadata={"start_digest": self.start_digest})


def start_or_resume(
    run: Run,
    model: Any,
    optimizer: OptimizerConfig,
    *,
    keep_reference: bool,
    load: Callable[[Any], TrainedT],
    value_lr: float | None = None,
) -> TrainingState[TrainedT]:
    """The state at the run's newest good checkpoint, or the starting one.

    Args:
        model: the settings that `load` takes, with a device; of one whose folder is whole (see policies/contract.py), a name.
        load: makes what is trained: a policy, or a reward model, which has what is needed here.
        value_lr: attach a value head to a policy, whose peak learning rate this is; None: none.
    """
    if run.checkpoint is None:
        policy = load(model)
        reference = policy.snapshot() if keep_reference else None
        return TrainingState(policy, _optimizer(policy, optimizer, value_lr), reference, weights_digest(policy))
    saved = load_file(run.checkpoint / _FILE, device=model.device)
    if weights := _part(saved, "weights"):
        policy = load(model)
        digest = weights_digest(policy)
        policy.load_weights(weights)
    else:
        policy = load(model.model_copy(update={"name": str(run.checkpoint)}))
        policy.config = model
        with safe_open(run.checkpoint / _FILE, "pt") as file:
            digest = file.metadata()["start_digest"]
    reference = _part(saved, "reference") or None
    state = TrainingState(policy, _optimizer(policy, optimizer, value_lr), reference, digest, _part(saved, "extra"))
    for name, tensor in _part(saved, "heads").items():
        policy.weights[name].data.copy_(tensor)
    for name, tensor in _part(saved, "optimizer").items():
        parameter, key = name.rsplit("/", 1)
        # PyTorch keeps AdamW's step counter on the CPU.
        state.optimizer.state[policy.weights[parameter]][key] = tensor.cpu() if key == "step" else tensor
    return state


def _optimizer(policy: Any, config: OptimizerConfig, value_lr: float | None) -> torch.optim.Optimizer:
    """Of the policy's weights; with `value_lr` also of a value head, which it then has, at a learning rate of its own."""
    made = make_optimizer(policy, config)
    if value_lr is not None:
        policy.attach_value_head()
        made.add_param_group({"params": list(policy.heads.values()), "own_lr": value_lr, "weight_decay": 0.0})
    return made


def weights_digest(policy: Trained) -> str:
    """SHA-256 of every weight's bytes, in order of name."""
    sha = hashlib.sha256()
    for name, tensor in sorted(policy.tensors().items()):
        sha.update(name.encode() + tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()[:16]


def _part(saved: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}/"): t for name, t in saved.items() if name.startswith(f"{prefix}/")}
