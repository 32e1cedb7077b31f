"""VideoReward as a scorer of a flow's clips, in a process of its own: VQ, MQ and TA, standardised by what its checkpoint says.

    sanmai run flow --config flow.toml, with

    [reward.scorer]
    command = "VENV/bin/python examples/scorers/videoreward.py CHECKPOINT --videoalign REPOSITORY --device cuda:0"

With --videoalign CHECKPOINT is that of KwaiVGI/VideoReward, REPOSITORY a clone of KwaiVGI/VideoAlign, and VENV a Python with what
its environment.yaml asks for and imageio[ffmpeg]. Without it CHECKPOINT is a reward model of `sanmai run flow_reward` of either
kind, and VENV one that has Sanmai. The lines that are read and written are told in sanmai/rewards/scorer.py; a scorer of another
model needs its own `load_...` here and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

DIMENSIONS = ["VQ", "MQ", "TA"]
Score = Callable[[list[dict[str, Any]]], list[dict[str, float]]]
"""Items to scores by dimension."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--videoalign")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the libraries print is no answer

    def say(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    load = load_videoalign if given.videoalign else load_own
    score, version = load(given.checkpoint, given.device, *filter(None, [given.videoalign]))
    say({"scorer": "VideoReward", "version": version, "dimensions": DIMENSIONS})
    for line in sys.stdin:  # ends with the run that asks
        request = json.loads(line)
        found = score(request["items"])
        say({"batch": request["batch"], "scores": [row(item, own) for item, own in zip(request["items"], found, strict=True)]})


def row(item: dict[str, Any], scores: dict[str, float]) -> dict[str, Any]:
    """The answer to one item; what is not finite cannot be graded."""
    told = {name: scores[name] if math.isfinite(scores[name]) else None for name in DIMENSIONS}
    return {"id": item["id"], "scores": told, "reason": "not finite" if None in told.values() else ""}


def digest_of(folder: str, pattern: str) -> str:
    """Of the sizes and first bytes of a checkpoint's files: another checkpoint has another."""
    sha = hashlib.sha256()
    for path in sorted(Path(folder).rglob(pattern)):
        with path.open("rb") as file:
            sha.update(f"{path.name} {path.stat().st_size} ".encode() + file.read(1 << 20))
    return sha.hexdigest()[:12]


def load_videoalign(checkpoint: str, device: str, repository: str) -> tuple[Score, str]:
    """The authors' own class, which subtracts the checkpoint's mean and divides by its deviation (inference_config)."""
    import imageio.v3 as imageio
    import torch

    sys.path.insert(0, repository)
    os.chdir(repository)  # it finds its own files from there
    from inference import VideoVLMRewardInference

    model = VideoVLMRewardInference(checkpoint, device=device, dtype=torch.bfloat16)

    @torch.no_grad()
    def score(items: list[dict[str, Any]]) -> list[dict[str, float]]:
        with tempfile.TemporaryDirectory() as folder:
            videos = [f"{folder}/{k}.mp4" for k in range(len(items))]
            for path, item in zip(videos, items, strict=True):  # it reads video files
                imageio.imwrite(path, [imageio.imread(frame) for frame in item["frames"]], fps=item["fps"])
            return model.reward(videos, [item["prompt"] for item in items], use_norm=True)

    return score, f"VideoAlign {digest_of(checkpoint, '*.pth')}"


def load_own(checkpoint: str, device: str) -> tuple[Score, str]:
    """A reward model of Sanmai's: its heads of visual quality, motion and alignment."""
    import numpy as np
    import torch
    from PIL import Image

    from sanmai.policies.flow.config import FlowModelConfig
    from sanmai.policies.flow.video_reward import is_vision_language, load_reward_of_clips

    folder = max(Path(checkpoint, "checkpoints").glob("step-*"), default=Path(checkpoint))
    is_colour = is_vision_language(folder)
    facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = load_reward_of_clips(FlowModelConfig(name=checkpoint, device=device), tuple(facts.get("shape", (1, 1, 1))))

    def score(items: list[dict[str, Any]]) -> list[dict[str, float]]:
        clips = [np.stack([np.asarray(Image.open(frame)) for frame in item["frames"]]) for item in items]
        clips_BFHWC = torch.from_numpy(np.stack(clips)).float() / 255.0
        found = model.scores_of(clips_BFHWC if is_colour else clips_BFHWC[..., 0], [item["prompt"] for item in items])
        named = {"VQ": found["visual"].tolist(), "MQ": found["motion"].tolist(), "TA": found["alignment"].tolist()}
        return [{name: values[k] for name, values in named.items()} for k in range(len(items))]

    return score, f"{facts.get('kind', facts.get('model_type'))} {digest_of(str(folder), '*.safetensors')}"


if __name__ == "__main__":
    main()
