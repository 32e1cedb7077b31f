"""Two kinds of policy that are no text, each as a kind would be added: a bandit, and a flow in the plane.

They fill policies/contract.py and nothing else of Sanmai knows of them. A recipe of theirs stands at the end.

Shape key: B samples, T parts (1 of the bandit, denoising steps of the flow), K arms, D = 2 dimensions.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from sanmai.config import Config
from sanmai.learn.learner import Learner
from sanmai.learn.step_rollouts import Written
from sanmai.policies.contract import BatchT, Policy
from sanmai.policies.cores import Cores
from sanmai.policies.text.sampler import uniforms
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import training_metrics
from sanmai.train.components import LossConfig
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import start_or_resume
from sanmai.train.step import OptimizerConfig
from sanmai.types import Batch, Drawn, Graded, Problem, StopReason, Verdict


class Small(Policy[BatchT]):
    """What both share: weights made from a seed, on the CPU, saved as one file."""

    def __init__(self, config: SmallConfig, shapes: dict[str, tuple[int, ...]]) -> None:
        self.config, self.device, self.cores = config, torch.device("cpu"), Cores(1, is_cpu=True, is_one=True)
        chance = torch.Generator().manual_seed(config.seed)
        self.weights = {
            name: torch.nn.Parameter(torch.randn(shape, generator=chance) / math.sqrt(shape[0])) for name, shape in shapes.items()
        }

    def tensors(self) -> dict[str, Tensor]:
        return {name: p.detach() for name, p in self.weights.items()}

    def save(self, folder: Path) -> None:
        save_file(self.tensors(), folder / "model.safetensors")


class SmallConfig(Config):
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class Choices(Batch):
    arm_B: Tensor


class Bandit(Small[Choices]):
    """A distribution over arms; a sample is one arm, with one log-prob."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__(config, {"logits": (5,)})

    def draw(
        self, problems: Sequence[Problem], count: int, *, seed: tuple, version: int, sampling: Any, thought_tags: tuple[str, str]
    ) -> Iterator[tuple[int, Drawn]]:
        logp_K = torch.log_softmax(self.weights["logits"].detach(), dim=0)
        for index, problem in enumerate(problems):
            for k in range(count):
                chance = uniforms((*seed, problem.id, k), 1)[0]
                arm = min(int((logp_K.exp().cumsum(0) < chance).sum()), len(logp_K) - 1)
                yield index, Drawn(
                    problem.id, k, [], [], [logp_K[arm].item()], StopReason.STOP, version, f"arm {arm}", content=arm,
                    columns={"arm": arm},
                )

    def pack(self, rollouts: Sequence[Drawn], *, newest_alone: bool = False) -> Choices:
        mask_BT = torch.ones(len(rollouts), 1, dtype=torch.bool)
        logp_BT = torch.tensor([r.sampling_logp for r in rollouts])
        return Choices(mask_BT, logp_BT, {}, torch.tensor([r.content for r in rollouts]))

    def score(self, batch: Choices, *, temperature: float = 1.0, entropy_gradient: bool = False) -> tuple[Tensor, Tensor]:
        logp_K = torch.log_softmax(self.weights["logits"], dim=0)
        entropy = -(logp_K.exp() * logp_K).sum()
        return logp_K[batch.arm_B].unsqueeze(1), entropy.expand(len(batch), 1)


@dataclass(frozen=True)
class Paths(Batch):
    path_BTD: Tensor
    """T + 1 places: the noise, and where each step went."""


class Flow(Small[Paths]):
    """Noise moved to a place in the plane by steps with a learned drift and a fixed noise, so that each has a Gaussian log-prob.

    x_{t+1} ~ N(x_t + v(x_t, t) / T, sigma^2 / T), as Flow-GRPO (arXiv:2505.05470) makes a flow's ODE an SDE.
    """

    T, SIGMA, WIDTH = 6, 0.5, 16
    tells_entropy = False

    def __init__(self, config: SmallConfig) -> None:
        super().__init__(config, {"in": (3, self.WIDTH), "out": (self.WIDTH, 2)})

    def mean_BD(self, place_BD: Tensor, step_B: Tensor) -> Tensor:
        read_BX = torch.cat([place_BD, step_B.unsqueeze(1) / self.T], dim=1)
        return place_BD + torch.tanh(read_BX @ self.weights["in"]) @ self.weights["out"] / self.T

    def logp_B(self, place_BD: Tensor, step_B: Tensor, next_BD: Tensor) -> Tensor:
        variance = self.SIGMA**2 / self.T
        distance_B = (next_BD - self.mean_BD(place_BD, step_B)).square().sum(dim=1)
        return -distance_B / (2 * variance) - math.log(2 * math.pi * variance)

    @torch.no_grad()
    def draw(
        self, problems: Sequence[Problem], count: int, *, seed: tuple, version: int, sampling: Any, thought_tags: tuple[str, str]
    ) -> Iterator[tuple[int, Drawn]]:
        for index, problem in enumerate(problems):
            for k in range(count):
                chance = torch.from_numpy(uniforms((*seed, problem.id, k), 2 * (self.T + 1))).float().clamp(1e-6, 1 - 1e-6)
                noise_TD = torch.special.ndtri(chance).reshape(self.T + 1, 2)
                path, logp = [noise_TD[0]], []
                for t in range(self.T):
                    place_BD, step_B = path[-1].unsqueeze(0), torch.tensor([float(t)])
                    path.append(self.mean_BD(place_BD, step_B)[0] + noise_TD[t + 1] * self.SIGMA / math.sqrt(self.T))
                    logp.append(self.logp_B(place_BD, step_B, path[-1].unsqueeze(0)).item())
                x, y = path[-1].tolist()
                yield index, Drawn(
                    problem.id, k, [], [], logp, StopReason.STOP, version, f"({x:.2f}, {y:.2f})", content=torch.stack(path),
                    columns={"x": x, "y": y},
                )

    def pack(self, rollouts: Sequence[Drawn], *, newest_alone: bool = False) -> Paths:
        logp_BT = torch.tensor([r.sampling_logp for r in rollouts])
        return Paths(torch.ones_like(logp_BT, dtype=torch.bool), logp_BT, {}, torch.stack([r.content for r in rollouts]))

    def score(self, batch: Paths, *, temperature: float = 1.0, entropy_gradient: bool = False) -> tuple[Tensor, None]:
        steps = [
            self.logp_B(batch.path_BTD[:, t], torch.full((len(batch),), float(t)), batch.path_BTD[:, t + 1])
            for t in range(self.T)
        ]
        return torch.stack(steps, dim=1), None


class Nearness:
    """Grades both: the third arm, and places near (1, 1)."""

    def grade(self, problem: Problem, drawn: Drawn) -> Graded:
        if isinstance(drawn.content, int):
            found = Verdict(float(drawn.content == 2), f"drew {drawn.text}")
        else:
            found = Verdict(-float((drawn.content[-1] - 1.0).square().sum()), f"went to {drawn.text}")
        return drawn.graded({"near": found}, {"near": found.score or 0.0}, {"near": 1.0})

    def grade_together(self, rollouts: Sequence[tuple[Problem, Graded]]) -> list[Graded]:
        return [r for _, r in rollouts]

    def check(self) -> None:
        pass


KINDS = {"bandit": Bandit, "flow": Flow}
PROBLEMS = [Problem(f"p/{k}", ({"role": "user", "content": f"try {k}"},)) for k in range(3)]


class OtherConfig(Config):
    seed: int = 3
    num_steps: int = 12
    kind: str = "bandit"
    model: SmallConfig = SmallConfig()
    loss: LossConfig = LossConfig(kl_weight=0.01)
    optimizer: OptimizerConfig = OptimizerConfig(lr=0.05, micro_tokens=40)
    grading: GradingConfig = GradingConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=4, keep=2)


def run_other(config: OtherConfig, out: Path, *, dies_after: int | None = None) -> list[float]:
    """Train in a run folder, or go on with it, as `run_zero` does; the mean reward of each step."""
    rewards = []
    with Run(out, "zero", config) as run:
        state = start_or_resume(run, config.model, config.optimizer, keep_reference=True, load=KINDS[config.kind])
        run.log_environment(describe_environment(state.policy, {"train": PROBLEMS}, start_digest=state.start_digest))
        learner = Learner(
            run, state, config.loss, config.optimizer, seed=config.seed, num_updates=2, temperature=1.0, max_tokens=1,
            newest_alone=False, auxiliary_sft=None, constraints=None,
        )
        for step in run.steps(config.num_steps):
            graded, stats = rollout(
                state.policy, PROBLEMS, Nearness(), rollouts_per_prompt=8, seed=(config.seed, step), policy_version=step - 1,
                sampling=None, grading=config.grading,
            )
            groups, found = learner.update(Written(graded, stats), step, config.num_steps)
            metrics = training_metrics(groups) | stats.metrics() | found
            rewards.append(metrics["reward/mean"])
            run.log_step(step, metrics, groups)
            if step == dies_after:
                os.kill(os.getpid(), signal.SIGKILL)
            if run.commits(step, config.num_steps, config.checkpoints):
                run.save(step, state.save, config.checkpoints)
    return rewards


def tensor_fields(batch: Batch) -> set[str]:
    return {f.name for f in fields(batch) if isinstance(getattr(batch, f.name), Tensor)}


if __name__ == "__main__":
    run_other(OtherConfig(kind=sys.argv[1]), Path(sys.argv[2]), dies_after=int(sys.argv[3]))
