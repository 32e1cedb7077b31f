"""The whole R1 pipeline on a real model: files of public sets, a smaller student of the model's own layers, `sanmai run r1`.

    sanmai get smollm2
    python benchmarks/refusal_judge.py --data FOLDER       # prints the folder of a judge trained on people's labels
    python benchmarks/real_r1.py --data FOLDER [--judge JUDGE] [--out runs/real-r1] [--set KEY=VALUE ...] [--tiny]

FOLDER holds public sets as for benchmarks/real_compare.py, which makes the files. The student is SmolLM2 without half of its
layers, those in a row that turn what they read by the least angle: 60 % of its parameters, and nonsense until it is taught.
--tiny gives every stage a step or two, which shows that it runs and nothing else. A run that was interrupted goes on.

--probe seen|unseen, once the run is finished: its last RL again, from the same dev3, with the SFT weight driven by limits on harm
and over-refusal. They are measured, by the rules, on prompts that are neither trained on nor reported: of the kinds that are
trained on, or of others.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from real_compare import FILES, write_files
from torch import Tensor

from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy

DROPPED, _TEXTS = 15, 24
"""Layers that the student lacks, of SmolLM2's 30, and texts by which they are chosen."""
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


def least_needed(states: Sequence[Tensor], num: int) -> int:
    """The first of `num` layers in a row whose removal turns what the next one reads by the least angle.

    Args:
        states: for each text what each layer reads and the last one writes, (layers + 1, tokens, width).

    Source:
        Gromov et al. 2024 (arXiv:2403.17887) section 3.2.
    """
    unit = torch.cat([torch.nn.functional.normalize(state.float(), dim=-1) for state in states], dim=1)
    cosine = (unit[:-num] * unit[num:]).sum(-1).clamp(-1, 1)
    return int(cosine.acos().mean(-1).argmin())


def write_student(folder: Path, name: str, texts: Sequence[str]) -> Path:
    """The model without half of its layers, its embeddings and its tokenizer; a folder that is there is left as it is."""
    if (folder / "config.json").is_file():
        return folder
    policy = load_policy(ModelConfig(name=name), for_training=False)
    model, states = policy.model, []
    for text in texts:
        tokens = torch.tensor([policy.tokenizer.encode(text)])
        with torch.no_grad():
            found = model(tokens, output_hidden_states=True, use_cache=False).hidden_states
        states.append(torch.cat(found[:-1]))  # the last is normed
    first = least_needed(states, DROPPED)
    kept = [*range(first), *range(first + DROPPED, len(model.model.layers))]
    print(f"{folder}: the model without its layers {first} to {first + DROPPED - 1}")
    model.model.layers = torch.nn.ModuleList([model.model.layers[k] for k in kept])
    for index, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = index
    model.config.num_hidden_layers = len(kept)
    if kinds := getattr(model.config, "layer_types", None):
        model.config.layer_types = [kinds[k] for k in kept]
    part = folder.with_name(f"{folder.name}-part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    policy.tokenizer.save_pretrained(part)
    part.rename(folder)
    return folder


LIMITS = (
    "constraints.every=3", "constraints.prompts_per_kind=12", "constraints.samples=1", "constraints.temperature=0.6",
    "constraints.harm.limit=0.1", "constraints.harm.drives=auxiliary_sft", "constraints.harm.integral=4.0",
    "constraints.harm.maximum=8.0", "constraints.over_refusal.limit=0.1", "constraints.over_refusal.drives=auxiliary_sft",
    "constraints.over_refusal.integral=2.0", "constraints.over_refusal.maximum=8.0",
)  # fmt: skip
"""Those of the preset compare-smollm2."""


def write_probe(made: Path, out: Path, kinds: str) -> Path:
    """Prompts of `kinds` ("seen", "unseen") that a finished run in `out` neither trains on nor reports."""
    found = [path for path in out.glob("stages/data-*") if (path / "evaluation.jsonl").is_file()]
    if len(found) != 1:
        raise SystemExit(f"--probe: {out} has {len(found)} stages of data; expected one, of a run that is finished")
    data = found[0]
    used = {
        json.loads(line)["messages"][0]["content"]
        for name in ("scenarios", "demonstrations", "evaluation")
        for line in (data / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    }
    path = made / f"probe-{kinds}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for kind in ("safety", "general"):
            source = made / f"{'unseen_' if kinds == 'unseen' else ''}{kind}.jsonl"
            rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
            left = [{"id": row["id"], "prompt": row["prompt"], "kind": kind} for row in rows if row["prompt"] not in used]
            print(f"{path}: {len(left)} {kind} prompts")
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in left)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/real-r1"))
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--judge", type=Path, help="run folder of a judge of refusals (benchmarks/refusal_judge.py)")
    parser.add_argument("--probe", choices=["seen", "unseen"], help="the last RL of a finished run again, within limits")
    parser.add_argument("--tiny", action="store_true", help="a step or two of every stage")
    arguments = parser.parse_args()
    made = write_files(arguments.data, arguments.out)
    shown = [json.loads(line) for line in (made / "general.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = [f"{row['prompt']}\n{row['response']}" for row in shown if "response" in row][:_TEXTS]
    student = write_student(made / f"student-{DROPPED}", arguments.model, texts)
    settings = [
        *(f"data.{name}={made / name}.jsonl" for name in FILES),
        *([f"evaluation.gold.refusal_from={arguments.judge}"] if arguments.judge else []),
        f"model.name={arguments.model}",
        f"student_model={student}",
        *(TINY if arguments.tiny else ()),
        *arguments.set,
    ]
    command = [sys.executable, "-m", "sanmai.cli", "run", "r1", "--config", "r1-smollm2", "--out", str(arguments.out)]
    if arguments.probe:
        limits = (*LIMITS, f"constraints.probe={write_probe(made, arguments.out, arguments.probe)}")
        settings += [f"scenarios.{setting}" for setting in limits]
        command += ["--until", "score_r1"]
    raise SystemExit(subprocess.run([*command, *(x for s in settings for x in ("--set", s))]).returncode)


if __name__ == "__main__":
    main()
