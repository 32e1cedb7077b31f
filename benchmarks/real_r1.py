"""The whole R1 pipeline on a real model: files of public sets, a smaller student of the model's own layers, `sanmai run r1`.

    sanmai get smollm2
    python benchmarks/refusal_judge.py --data FOLDER       # prints the folder of a judge trained on people's labels
    python benchmarks/real_r1.py --data FOLDER [--judge JUDGE] [--out runs/real-r1] [--set KEY=VALUE ...] [--tiny]

FOLDER holds public sets as for benchmarks/real_compare.py, which makes the files. The student is SmolLM2 with every third of its
layers alone: less than half of its parameters, and nonsense until it is taught. --tiny gives every stage a step or two, which
shows that it runs and nothing else. A run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from real_compare import FILES, write_files

from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy

EVERY = 3
"""The student has the layers 0, 3, 6, ... of the model."""
_RL = ("num_steps=2", "prompts_per_step=3", "rollouts_per_prompt=2", "problems.evaluation_limit=3", "sampling.max_tokens=16")
_SFT = ("problems.evaluation_limit=3", "demonstrations_per_step=4", "sampling.max_tokens=16")
TINY = (
    "data.cold_start_limit=8", "data.demonstrations_limit=8", "data.reasoning_limit=8", "data.evaluation_limit=2",
    "data.stories.heldout=8", "rejection.problems.limit=6", "rejection.sampling.max_tokens=32",
    "lessons.problems.limit=12", "lessons.sampling.max_tokens=32", "evaluation.sampling.max_tokens=16",
    "evaluation.problems.limit=6",
    *(f"{part}.{value}" for part in ("reasoning", "scenarios") for value in _RL),
    *(f"{part}.{value}" for part in ("cold_start", "sft", "student") for value in _SFT),
)  # fmt: skip


def write_student(folder: Path, name: str) -> Path:
    """The model with every third of its layers, its embeddings and its tokenizer; a folder that is there is left as it is."""
    if (folder / "config.json").is_file():
        return folder
    import torch

    policy = load_policy(ModelConfig(name=name), for_training=False)
    model = policy.model
    model.model.layers = torch.nn.ModuleList(list(model.model.layers)[::EVERY])
    for index, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = index
    model.config.num_hidden_layers = len(model.model.layers)
    kinds = getattr(model.config, "layer_types", None)
    if kinds:
        model.config.layer_types = kinds[::EVERY]
    part = folder.with_name(f"{folder.name}-part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    policy.tokenizer.save_pretrained(part)
    part.rename(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/real-r1"))
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--judge", type=Path, help="run folder of a judge of refusals (benchmarks/refusal_judge.py)")
    parser.add_argument("--tiny", action="store_true", help="a step or two of every stage")
    arguments = parser.parse_args()
    made = write_files(arguments.data, arguments.out)
    student = write_student(made / "student", arguments.model)
    settings = [
        *(f"data.{name}={made / name}.jsonl" for name in FILES),
        *([f"evaluation.gold.refusal_from={arguments.judge}"] if arguments.judge else []),
        f"model.name={arguments.model}",
        f"student_model={student}",
        *(TINY if arguments.tiny else ()),
        *arguments.set,
    ]
    command = [sys.executable, "-m", "sanmai.cli", "run", "r1", "--config", "r1-smollm2", "--out", str(arguments.out)]
    raise SystemExit(subprocess.run([*command, *(x for s in settings for x in ("--set", s))]).returncode)


if __name__ == "__main__":
    main()
