"""Does the scorer `ocr` tell the text that a prompt asks for from another text and from none, in pictures whose text is known?

    pip install -c constraints.txt ".[ocr]" matplotlib
    python benchmarks/rendered_text.py [--noise 0 0.1 0.2]

Five texts, each in two sizes and in two of the fonts that come with matplotlib, with normal noise on the pixels (deviations of
0..1): once the right text, once the next one's, once none. Printed are the mean reward of each kind and
how many pictures have a reward of 1.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

import sanmai

TEXTS = ("OPEN", "Grand opening", "Hello World", "Sale 50%", "Platform 9")
FONTS, SIZES = ("DejaVuSans", "DejaVuSerif-Bold"), (20, 40)
KINDS = ("right", "wrong", "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.1, 0.2])
    parser.add_argument("--judge", default="ocr")
    given = parser.parse_args()
    for noise in given.noise:
        with tempfile.TemporaryDirectory() as folder:
            rows = list(drawn(Path(folder), noise))
            path = Path(folder) / "rows.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            found = sanmai.score(path, "clips", judge=given.judge)
        print(f"noise {noise:g}; {found['summary']['judge']['by']}; {found['summary']['judge']['seconds']:.0f} s")
        for kind in KINDS:
            told = [row["score"] for row in found["rows"] if row["id"].startswith(kind)]
            known = [score for score in told if score is not None]
            share = sum(score == 1.0 for score in known)
            print(f"  {kind:5}  mean {np.mean(known):.3f}, {share} of {len(told)} at 1, {len(told) - len(known)} ungraded")


def drawn(folder: Path, noise: float):
    """A row per picture, which is written."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    rng = np.random.default_rng(0)
    for k, text in enumerate(TEXTS):
        for size in SIZES:
            for name in FONTS:
                font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")), size)
                for kind, shown in zip(KINDS, (text, TEXTS[(k + 1) % len(TEXTS)], ""), strict=True):
                    picture = Image.new("RGB", (384, 128), (200, 220, 240))
                    ImageDraw.Draw(picture).text((16, 40), shown, fill=(20, 20, 60), font=font)
                    values = np.asarray(picture) + rng.normal(0.0, 255.0 * noise, (128, 384, 3))
                    own = f"{kind}-{k}-{size}-{name}"
                    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / f"{own}.png")
                    yield {"id": own, "prompt": f'a sign that says "{text}"', "image": f"{own}.png"}


if __name__ == "__main__":
    main()
