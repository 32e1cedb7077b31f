"""What a training run owns besides its folder: policy, optimizer, reference policy. Saved and restored whole (law 6)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, cast

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from sanmai.policies.contract import Policy, Trained, TrainedT
from sanmai.policies.sharded import Parts
from sanmai.policies.team import Team, together
from sanmai.policies.text.checkpoints import (
    KEPT_STATE,
    STATE,
    checkpoint_folders,
    defect,
    drop_old_checkpoints,
    exchange_file,
)
from sanmai.train.best import FILE as BEST
from sanmai.train.in_turn import save_in_turn
from sanmai.train.runs import Run
from sanmai.train.step import OptimizerConfig, make_optimizer

_FOR_TRAINING = ("optimizer/", "reference/")


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
        """Write the model as a plain `transformers` folder, and beside it what resuming needs.

        What trainers share is gathered, a tensor at a time: the files are those of one process, and a run goes on with any number
        of trainers.
        """
        self.policy.save(folder)
        _write(self.policy, self.optimizer, self.reference, self.extra, folder / STATE, {"start_digest": self.start_digest})


@together
def _write(
    policy: Trained, optimizer: torch.optim.Optimizer, reference: dict[str, Tensor] | None, extra: dict[str, Tensor], path: Path,
    metadata: dict[str, str],
) -> None:
    tensors = {
        f"optimizer/{name}/{key}": value for name, p in policy.weights.items() for key, value in optimizer.state[p].items()
    }  # fmt: skip
    tensors |= {f"reference/{name}": tensor for name, tensor in (reference or {}).items()}
    if not policy.folder_is_whole:
        tensors |= {f"weights/{name}": p.detach() for name, p in policy.weights.items() if name not in policy.heads}
    tensors |= {f"heads/{name}": p.detach() for name, p in policy.heads.items()}
    tensors |= {f"extra/{name}": tensor for name, tensor in extra.items()}
    if policy.team is not None:
        save_in_turn(tensors, path, metadata, writes=policy.team.leads)
    else:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=metadata)


def state_file(checkpoint: Path) -> Path:
    """What a checkpoint holds beside its model: all that training needs, or what is kept of it."""
    return checkpoint / (STATE if (checkpoint / STATE).exists() else KEPT_STATE)


def keep_models_alone(run: Path) -> None:
    """Of a run that is at its end: its newest checkpoint and its best one, without what only training on would need.

    A third of the bytes of a checkpoint, where there were two or more. If the newest one is damaged, all stay. Again after a
    kill in the middle it leaves the same.

    Raises:
        OSError: not writable, or the disk is full; what is there is whole.
    """
    folders = checkpoint_folders(run)
    if not folders or defect(folders[0]) is not None:
        return
    best = _best_step(run)
    drop_old_checkpoints(run, 1, best)
    for folder in checkpoint_folders(run):
        if (folder / STATE).exists():
            exchange_file(folder, STATE, KEPT_STATE, lambda path, folder=folder: _write_kept(folder / STATE, path))


def _write_kept(whole: Path, path: Path) -> None:
    with safe_open(whole, "pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys() if not name.startswith(_FOR_TRAINING)}  # noqa: SIM118
        save_file(kept, path, metadata=file.metadata())


def _best_step(run: Path) -> int | None:
    try:
        return int(json.loads((run / BEST).read_text(encoding="utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def start_or_resume(
    run: Run,
    model: Any,
    optimizer: OptimizerConfig,
    *,
    keep_reference: bool,
    load: Callable[[Any], TrainedT],
    value_lr: float | None = None,
    team: Team | None = None,
) -> TrainingState[TrainedT]:
    """The state at the run's newest good checkpoint, or the starting one.

    Args:
        model: the settings that `load` takes, with a device; of one whose folder is whole (see policies/contract.py), a name.
        load: makes what is trained: a policy, or a reward model, which has what is needed here.
        value_lr: attach a value head to a policy, whose peak learning rate this is; None: none.
        team: trainers that share it.

    Raises:
        InputError: there is more to do, and what it would take was dropped when the run was at its end.
    """
    if not run.is_finished:
        run.check_goes_on()
    checkpoint = run.checkpoint.resolve() if run.checkpoint is not None and team is not None else run.checkpoint
    return _state(team, checkpoint, model, optimizer, keep_reference, load, value_lr)


@together
def _state(
    team: Team | None, checkpoint: Path | None, model: Any, optimizer: OptimizerConfig, keep_reference: bool,
    load: Callable[[Any], TrainedT], value_lr: float | None,
) -> TrainingState[TrainedT]:
    """Every trainer loads the same and keeps its part."""
    placed = model if team is None else team.placed(model)
    saved: dict[str, Tensor] = {}
    if checkpoint is None:
        policy = load(placed)
        digest = weights_digest(policy)
    else:
        # Of several trainers none has room for all of it on its GPU.
        saved = load_file(state_file(checkpoint), device=placed.device if team is None else "cpu")
        if weights := _part(saved, "weights"):
            policy = load(placed)
            digest = weights_digest(policy)
            policy.load_weights(weights)
        else:
            policy = load(placed.model_copy(update={"name": str(checkpoint)}))
            with safe_open(state_file(checkpoint), "pt") as file:
                digest = file.metadata()["start_digest"]
    policy.config = model
    if value_lr is not None:
        cast(Policy, policy).attach_value_head()
    if team is not None:
        policy.share(team)
    reference = policy.snapshot() if checkpoint is None and keep_reference else _reference(policy, _part(saved, "reference"))
    state = TrainingState(policy, _optimizer(policy, optimizer, value_lr), reference, digest, _part(saved, "extra"))
    for name, tensor in _part(saved, "heads").items():
        policy.weights[name].data.copy_(tensor)
    for name, tensor in _part(saved, "optimizer").items():
        parameter, key = name.rsplit("/", 1)
        # PyTorch keeps AdamW's step counter on the CPU.
        like = policy.weights[parameter]
        own = tensor.cpu() if key == "step" else policy.part_of(tensor, like).to(like.device)
        state.optimizer.state[policy.weights[parameter]][key] = own
    if team is not None:
        team.share(state.optimizer)
    return state


def _reference(policy: Trained, saved: dict[str, Tensor]) -> dict[str, Tensor] | None:
    if policy.team is None or not saved:
        return saved or None
    parts = {name: policy.part_of(tensor, policy.weights[name]).to(policy.device) for name, tensor in saved.items()}
    return policy.team.share(Parts(parts))


def _optimizer(policy: Any, config: OptimizerConfig, value_lr: float | None) -> torch.optim.Optimizer:
    """Of the policy's weights; with `value_lr` also of its value head, at a learning rate of its own."""
    made = make_optimizer(policy, config)
    if value_lr is not None:
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
