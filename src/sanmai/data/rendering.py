"""Questions as pictures: the same words, drawn, to see whether a model's answer depends on how it is asked.

{"content": "What is 2 + 3?"}   ->   {"content": "<image>", "images": [a picture that says "What is 2 + 3?"]}
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from sanmai.data.images import require_pillow
from sanmai.data.testbeds import TESTBEDS
from sanmai.types import IMAGE_MARK, Image, InputError, Problem

RENDERED_OF = "rendered_of"
"""The tag of a rendered problem: the id of the one in words."""
MAX_CHARS = 4000
"""Of a question in one picture."""


class RenderingError(ValueError):
    """Why a question has no picture that says the same; `str` of it is a reason to count."""


def rendered(problem: Problem, path: Path, *, font: Path | None = None) -> Problem:
    """The problem with its question in a picture and nowhere else, and the tag `rendered_of`; the picture is written to `path`.

    Answer, solution and demonstration are those of the problem: it is the same question.

    Args:
        path: of the PNG file; its folder exists. The problem names it by folder and name, relative to a file beside the folder.
        font: a TrueType or OpenType file; None for Pillow's own, which has little more than ASCII.

    Raises:
        RenderingError: there is no such picture, and why.
        InputError: Pillow is not installed, or the font cannot be read.
        OSError: the picture cannot be written.
    """
    if problem.images:
        raise RenderingError("it has pictures already")
    if problem.verifier not in ("math", "number", *TESTBEDS):
        raise RenderingError(f"its verifier ({problem.verifier}) reads the question's words")
    if problem.kind != "reasoning":
        raise RenderingError("it is no problem with a right answer")
    if re.search(r"percent|%|百分", problem.prompt, re.IGNORECASE):
        raise RenderingError("it speaks of percentages, and grading looks for that in the question's words")
    draw_text(problem.prompt, font=font).save(path, format="PNG")
    data = path.read_bytes()
    image = Image(path=f"{path.parent.name}/{path.name}", sha256=hashlib.sha256(data).hexdigest())
    last = max(k for k, message in enumerate(problem.messages) if message["role"] == "user")
    messages = list(problem.messages)
    messages[last] = {"role": "user", "content": IMAGE_MARK, "images": [image]}
    tags = {**problem.tags, RENDERED_OF: problem.id}
    return replace(problem, id=f"{problem.id}/rendered", messages=tuple(messages), tags=tags)


_SIZE, _WIDTH = 28, 640
"""Of letters and of a line at most, in pixels."""


def draw_text(text: str, *, font: Path | None = None, margin: int = 16) -> Any:
    """A PIL image of the text: black on white, lines broken at blanks, as wide and high as it needs.

    Args:
        margin: pixels around.

    Raises:
        RenderingError: the font has no glyph for a character, or there is no text, or too much.
        InputError: Pillow is not installed, or the font cannot be read.
    """
    require_pillow()
    from PIL import Image as Picture
    from PIL import ImageDraw

    if not text.strip() or len(text) > MAX_CHARS:
        raise RenderingError(f"a text of {len(text):,} characters; expected 1 to {MAX_CHARS:,}")
    face = _face(font)
    missing = bytes(face.getmask("\U0010ffff"))  # what stands for characters that a font does not know
    if unknown := sorted(c for c in set(text) if not c.isspace() and bytes(face.getmask(c)) == missing):
        raise RenderingError(f"the font has no glyph for U+{ord(unknown[0]):04X}; another --font may")
    lines = [line for paragraph in text.expandtabs(4).splitlines() for line in _broken(paragraph, face, _WIDTH)]
    height = sum(face.getmetrics())
    widest = max(round(face.getlength(line)) for line in lines)
    picture = Picture.new("RGB", (max(widest, 1) + 2 * margin, height * len(lines) + 2 * margin), "white")
    for k, line in enumerate(lines):
        ImageDraw.Draw(picture).text((margin, margin + k * height), line, fill="black", font=face)
    return picture


def _face(font: Path | None) -> Any:
    from PIL import ImageFont

    if font is None:
        return ImageFont.load_default(_SIZE)
    try:
        return ImageFont.truetype(str(font), _SIZE)
    except OSError as error:
        raise InputError(f"--font {font}: {error}; expected a TrueType or OpenType file") from None


def _broken(paragraph: str, face: Any, width: int) -> list[str]:
    """The lines of a paragraph; a word that is wider than a line is broken anywhere."""
    lines = [""]
    for word in re.findall(r"\s*\S+", paragraph):
        if face.getlength(lines[-1] + word) <= width:
            lines[-1] += word
            continue
        lines.append("")
        for character in word.lstrip() if lines[-2] else word:
            if face.getlength(lines[-1] + character) > width and lines[-1]:
                lines.append("")
            lines[-1] += character
    return lines[1:] if len(lines) > 1 and not lines[0] else lines
