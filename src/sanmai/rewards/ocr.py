"""Whether a picture shows the text that its prompt asks for: a scorer (rewards/scorer.py) on RapidOCR, whose package has weights.

    r = max(1 - N_e / N_ref, 0)

N_e is the edit distance between what is read and what is asked for, N_ref the length of the latter, both without spaces and in
one case. Asked for is the problem's `answer`, or else what stands first in quotes in its prompt; without either a picture
cannot be graded. A picture in which nothing can be read has 0. Of a clip the mean over at most 4 of its frames counts.

Source:
    Liu et al. 2025, Flow-GRPO (arXiv:2505.05470), the reward of visual text rendering. Its published code takes a text that is
    contained in what is read for right, whatever else is written there; this one follows the paper, so that filling the picture
    with text is no way to a reward.

It is run by its path in a process of its own, with nothing of Sanmai imported: by this Python, which then needs the extra
`ocr`, or by another one that has rapidocr and onnxruntime (`OTHER/bin/python -I .../sanmai/rewards/ocr.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import unicodedata
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»|「([^」]+)」|『([^』]+)』')
_MOST_FRAMES = 4
DIMENSION = "text"


def wanted_text(prompt: str, answer: str | None = None) -> str | None:
    """What a picture shall show; None where nothing is asked for.

    Example:
        wanted_text('a shop with the sign "Open 24h"') == "Open 24h"
    """
    if answer is None:
        found = _QUOTED.search(prompt)
        answer = next(filter(None, found.groups()), None) if found else None
    return answer if answer and _compared(answer) else None


def similarity(read: str, wanted: str) -> float:
    """max(1 - N_e / N_ref, 0): 1 for the text itself, 0 for nothing or for as many errors as it has characters.

    Raises:
        ValueError: nothing is wanted.
    """
    a, b = _compared(read), _compared(wanted)
    if not b:
        raise ValueError(f"wanted = {wanted!r}: expected a text with a character that is no space")
    return max(1.0 - edit_distance(a, b) / len(b), 0.0)


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions and replacements of single characters at least that make b of a (Levenshtein 1966)."""
    before = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        now = [i]
        for j, y in enumerate(b, 1):
            now.append(min(before[j] + 1, now[j - 1] + 1, before[j - 1] + (x != y)))
        before = now
    return before[-1]


def _compared(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()


def frames_read(count: int) -> list[int]:
    """Which frames of a clip are read: at most 4, evenly apart, the first and the last among them."""
    if count <= _MOST_FRAMES:
        return list(range(count))
    return [round(k * (count - 1) / (_MOST_FRAMES - 1)) for k in range(_MOST_FRAMES)]


class Reader:
    """RapidOCR with the models of its package."""

    def __init__(self) -> None:
        """Raises ImportError: it is not installed."""
        rapidocr: Any = import_module("rapidocr")
        threads = int(os.environ.get("OMP_NUM_THREADS") or -1)
        self._engine = rapidocr.RapidOCR(
            params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": threads}
        )
        models = sorted(Path(rapidocr.__file__).parent.glob("models/*.onnx"))
        sha = hashlib.sha256(b"".join(path.read_bytes() for path in models)).hexdigest()[:12]
        self.version = f"rapidocr {version('rapidocr')}, onnxruntime {version('onnxruntime')}, weights {sha}"

    def read(self, path: str) -> str:
        """The lines of a picture, from top to bottom, as one text."""
        import numpy as np
        from PIL import Image

        with Image.open(path) as picture:
            found = self._engine(np.asarray(picture.convert("RGB"))[:, :, ::-1])  # it takes OpenCV's order of colours
        return " ".join(found.txts or ())


def scored(item: dict[str, Any], reader: Reader) -> dict[str, Any]:
    """The answer to one item."""
    wanted = wanted_text(item["prompt"], item.get("answer"))
    if wanted is None:
        return {"id": item["id"], "scores": {DIMENSION: None}, "reason": "neither quotes in its prompt nor an answer"}
    frames = item["frames"]
    read = [reader.read(frames[k]) for k in frames_read(len(frames))]
    score = sum(similarity(text, wanted) for text in read) / len(read)
    return {"id": item["id"], "scores": {DIMENSION: score}, "reason": f"reads {read[0][:200]!r}"}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer

    def say(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    try:
        reader = Reader()
    except ImportError as error:
        how = 'pip install -c constraints.txt ".[ocr]"'
        sys.exit(f"{error}; the scorer `ocr` needs the extra `ocr`, in the folder of Sanmai's clone: {how}")
    say({"scorer": "ocr", "version": reader.version, "dimensions": [DIMENSION]})
    for line in sys.stdin:
        request = json.loads(line)
        say({"batch": request["batch"], "scores": [scored(item, reader) for item in request["items"]]})


if __name__ == "__main__":
    main()
