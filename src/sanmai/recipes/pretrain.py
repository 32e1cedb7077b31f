"""The embedded base model, rebuilt: a tiny Qwen3 learns the world's noisy corpus from random weights.

This is how the folder `policies/text/tiny` came about; `sanmai export RUN DIR` writes such a folder. Another
`architecture` gives a base of another size or family with the same tokenizer: a student for distillation
(`--config student-tiny`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from sanmai.cluster.config import TrainersConfig
from sanmai.cluster.trainers import Trainers
from sanmai.config import Config
from sanmai.data.chat import render_prompt
from sanmai.learn.evaluation import EvaluationConfig, Evaluator
from sanmai.learn.graders import make_rubric
from sanmai.learn.progress import Progress
from sanmai.learn.sources import problems_of_testbed
from sanmai.learn.supervised import Demonstration, fit
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.loading import quiet_transformers
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.policies.text.tiny import ArchitectureConfig, is_embedded, new_tiny_model, save_tokenizer
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.engine import GradingConfig
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import start_or_resume
from sanmai.train.step import OptimizerConfig
from sanmai.world import CorpusConfig, documents
from sanmai.world.settings import WorldConfig
from sanmai.world.testbed import WORLD


class PretrainConfig(Config):
    seed: int = Field(0, ge=0)
    """Names the starting weights and the corpus."""
    num_steps: int = Field(900, ge=1)
    """Optimizer updates."""
    documents_per_step: int = Field(64, ge=1)
    """Documents of the corpus in one update."""
    corpus: CorpusConfig = CorpusConfig()
    model: ModelConfig = ModelConfig(threads=1)
    """Device and dtype; what is trained is new."""
    architecture: ArchitectureConfig = ArchitectureConfig()
    world: WorldConfig = WorldConfig()
    """Held-out problems for evaluation."""
    optimizer: OptimizerConfig = OptimizerConfig(
        lr=3e-3, warmup_steps=50, schedule="cosine", weight_decay=0.1, micro_tokens=2048
    )
    sampling: SamplingConfig = SamplingConfig(max_tokens=64)
    """For evaluation only."""
    rewards: RewardsConfig = RewardsConfig()
    """For evaluation only."""
    grading: GradingConfig = GradingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    cluster: TrainersConfig = TrainersConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=100)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not is_embedded(self.model.name) or self.model.lora_rank:
            raise ValueError("model.name and model.lora_rank: pretrain makes the tiny model anew, all of its weights")
        self.cluster.check_trainers(self.model)
        return self


def run_pretrain(config: PretrainConfig, out: Path, *, progress: Progress | None = None) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder."""
    progress = progress or Progress.silent()
    with Run(out, "pretrain", config) as run, Trainers(config.cluster) as trainers:
        start = run.folder / "start"
        if run.checkpoint is None:
            with quiet_transformers():
                new_tiny_model(config.seed, config.architecture).save_pretrained(start)
                save_tokenizer(start)
        state = start_or_resume(
            run, config.model.model_copy(update={"name": str(start)}), config.optimizer, keep_reference=False,
            load=load_policy, team=trainers.team,
        )  # fmt: skip
        trainers.write_for(state.policy, config.cluster.num_writers)
        held_out = problems_of_testbed(WORLD, config, config.seed)[1]
        run.log_environment(
            describe_environment(state.policy, {"evaluation": held_out}, start_digest=state.start_digest)
        )
        corpus = _tokens(config, state.policy.tokenizer, skip=run.start_step * config.documents_per_step)
        rubric = make_rubric(
            config.rewards, None, [], held_out=held_out, device=config.model.device, gold=config.evaluation.gold, run=run
        )
        evaluator = Evaluator(
            run, config.evaluation, held_out, rubric, seed=config.seed, sampling=config.sampling, grading=config.grading,
            progress=progress,
        )
        fit(
            run,
            state,
            lambda step: [next(corpus) for _ in range(config.documents_per_step)],
            config.num_steps,
            optimizer=config.optimizer,
            evaluation=config.evaluation,
            evaluator=evaluator,
            checkpoints=config.checkpoints,
            progress=progress,
        )
    return run.folder


def _tokens(config: PretrainConfig, tokenizer, skip: int) -> Iterator[Demonstration]:
    """The corpus in tokens, without its first documents: those of the steps that are done."""
    for index, document in enumerate(documents(config.seed, config.corpus)):
        if index >= skip:
            completion = tokenizer.encode(document.completion, add_special_tokens=False)
            yield render_prompt(tokenizer, document.messages), [*completion, tokenizer.eos_token_id]
