"""What a checkpoint of several trainers takes of the leader's memory: gathered whole, in turn, and by PyTorch's own (DCP).

    python benchmarks/checkpoint_memory.py --smoke
    python benchmarks/checkpoint_memory.py              # 107 million random parameters, 2 trainers

Of each way: what the leader had at most above what it had before, its share of the moments, seconds. "in turn" is what a run
does (train/in_turn.py). DCP has every trainer write its part, and its `.metadata` is a pickle, which no run would load.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sanmai.cluster.config import TrainersConfig
from sanmai.cluster.trainers import Trainers
from sanmai.policies.team import Team, together

SHAPES = {
    False: dict(hidden_size=768, intermediate_size=2304, num_hidden_layers=12, num_attention_heads=12, num_key_value_heads=4,
                vocab_size=32000, head_dim=64),
    True: dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
               vocab_size=512, head_dim=32),
}  # fmt: skip


@together
def shared(team: Team, is_small: bool) -> tuple[Any, Any]:
    """A random policy and its optimizer after a step, spread over the trainers."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.policy import TextPolicy
    from sanmai.policies.text.tiny import tiny_tokenizer
    from sanmai.train.step import OptimizerConfig, make_optimizer

    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(**SHAPES[is_small], tie_word_embeddings=True))
    policy = TextPolicy(model, tiny_tokenizer(), ModelConfig(threads=1))
    policy.share(team)
    optimizer = make_optimizer(policy, OptimizerConfig())
    for p in policy.weights.values():
        p.grad = torch.full_like(p, 1e-3)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    team.share(optimizer)
    return policy, optimizer


@together
def measured(policy: Any, optimizer: Any, way: str, folder: Path) -> tuple[float, float]:
    """Of the leader: MB at most above those before, and seconds."""
    tensors = {f"{name}/{key}": value for name, p in policy.weights.items() for key, value in optimizer.state[p].items()}
    before, start = resident("VmRSS"), time.monotonic()
    Path("/proc/self/clear_refs").write_text("5")
    WAYS[way](policy, tensors, folder)
    return (resident("VmHWM") - before) / 1024, time.monotonic() - start


def gathered(policy: Any, tensors: dict[str, Any], folder: Path) -> None:
    from safetensors.torch import save_file

    found = policy.gathered(tensors)
    if policy.team.leads:
        save_file(found, folder / "state.safetensors")


def in_turn(policy: Any, tensors: dict[str, Any], folder: Path) -> None:
    from sanmai.train.in_turn import save_in_turn

    save_in_turn(tensors, folder / "state.safetensors", {}, writes=policy.team.leads)


def dcp(policy: Any, tensors: dict[str, Any], folder: Path) -> None:
    import torch.distributed.checkpoint as checkpoint

    checkpoint.save(tensors, checkpoint_id=folder / "dcp")


WAYS: dict[str, Callable[[Any, dict[str, Any], Path], None]] = {"in turn": in_turn, "DCP": dcp, "gathered": gathered}


def resident(name: str) -> float:
    """KB that this process has, or had at most."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return float(line.split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a small model: does it run?")
    parser.add_argument("--trainers", type=int, default=2)
    parser.add_argument("--way", choices=tuple(WAYS), help="this one alone, in this process")
    args = parser.parse_args()
    if not args.way:  # each in a process of its own: what one let go of is not given back at once
        for way in WAYS:
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--way", way], check=True)
        return
    config = TrainersConfig(trainers=args.trainers)
    with Trainers(config) as trainers, tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
        assert trainers.team is not None
        policy, optimizer = shared(trainers.team, args.smoke)
        count = sum(p.numel() for p in policy.weights.values())
        most, seconds = measured(policy, optimizer, args.way, Path(folder))
    size = 8 * count / 2**20
    print(f"{args.way:10} {most:8,.0f} MB, {most / size:5.2f} of the moments of {count:,} parameters, {seconds:6.1f} s")


if __name__ == "__main__":
    import checkpoint_memory  # what is called on all trainers has this module's name there

    checkpoint_memory.main()
