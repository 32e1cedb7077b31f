"""Does the reward of text in pictures move a flow that draws words? A small one, taught to draw the wrong word half the time.

    pip install -c constraints.txt ".[ocr]"
    python benchmarks/words_drawn.py --out FOLDER [--steps 1000] [--groups 42] [--method sft] [--seed 0]

Pictures of 24 x 48 pixels show OPEN, STOP or SALE in Pillow's own font; prompts are 'a sign "OPEN"' and so on. The base learns
from pictures of which half show another word than their prompt says. Then it learns from its own pictures, told apart by the
scorer `ocr` alone: from the better ones of pairs (sft), from all by reward (rwr), or from the pairs (dpo). Printed is the mean
reward before and after, on pictures of the same noise, and how often the later picture has the higher one. Nobody knows the truth
but the scorer: what it cannot read it cannot reward.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from sanmai.recipes.flow import FlowConfig, run_flow
from sanmai.types import Problem
from sanmai.world.clips import WORLDS

TEXTS = ("OPEN", "STOP", "SALE")
SHAPE = (1, 24, 48)


def picture(text: str) -> np.ndarray:
    """White on black, values in 0..1."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=18)
    made = Image.new("L", (SHAPE[2], SHAPE[1]), 0)
    left, top, right, bottom = font.getbbox(text)
    ImageDraw.Draw(made).text(((SHAPE[2] - right - left) // 2, (SHAPE[1] - bottom - top) // 2), text, fill=255, font=font)
    return np.asarray(made, dtype=np.float32)[None] / 255.0


def prompts() -> list[str]:
    return [f'a sign "{text}"' for text in TEXTS]


def flawed(count: int, *, seed: tuple) -> Any:
    """Pictures with prompts that half of them are wrong for."""
    draw = random.Random(repr(seed))
    shown = [draw.randrange(len(TEXTS)) for _ in range(count)]
    asked = [k if draw.random() < 0.5 else (k + draw.randrange(1, len(TEXTS))) % len(TEXTS) for k in shown]
    return SimpleNamespace(clips_BFHW=np.stack([picture(TEXTS[k]) for k in shown]), prompts=[prompts()[k] for k in asked])


WORLD = ModuleType("words")
vars(WORLD).update(
    SHAPE=SHAPE, WORDS=tuple(f'"{text.lower()}"' for text in TEXTS), prompts=prompts, flawed_clips=flawed,
    problems=lambda: [Problem(f"sign/{k}", ({"role": "user", "content": prompt},)) for k, prompt in enumerate(prompts())],
    scores=lambda clips, asked: {}, standardised=lambda found: found,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=42)
    parser.add_argument("--method", default="sft", choices=("sft", "rwr", "dpo"))
    parser.add_argument("--updates", type=int, default=150)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    WORLDS["digits"] = WORLD  # in the place of a world that there is: the recipe knows those alone
    shared = {"world": "digits", "seed": given.seed, "sampling": {"steps": 8}, "evaluation": {"clips_per_prompt": given.clips}}
    base = run_flow(FlowConfig.read({
        **shared, "num_steps": given.steps, "clips_per_step": 32, "model": {"width": 96, "depth": 3, "patch": 8},
        "optimizer": {"lr": 2e-3, "schedule": "cosine", "warmup_steps": 50, "micro_tokens": 32}, "checkpoints": {"every": 100},
    }), given.out / "base")  # fmt: skip
    print("the base is trained", flush=True)
    tuned = run_flow(FlowConfig.read({
        **shared, "method": given.method, "num_steps": given.updates, "clips_per_step": 32, "model": {"name": str(base)},
        "own": {"groups": given.groups, "tie_below": 0.2}, "reward": {"scorer": {"command": "ocr"}},
        "optimizer": {"lr": given.lr, "micro_tokens": 32}, "checkpoints": {"every": 20},
    }), given.out / given.method)  # fmt: skip
    lines = [json.loads(line) for line in (tuned / "metrics.jsonl").read_text().splitlines()]
    first, last = lines[0], lines[-1]
    print(f"{first['own/pairs']:.0f} pairs that are no tie, of {given.groups} groups")
    print(f"mean reward {first['eval/text']:.3f} before, {last['eval/text']:.3f} after, n = {len(TEXTS) * given.clips}")
    low, high = last["eval/win_reward_low"], last["eval/win_reward_high"]
    print(f"the later picture has the higher reward in {last['eval/win_reward']:.3f} [{low:.3f}, {high:.3f}]; ties are half")


if __name__ == "__main__":
    main()
