"""Pictures of prompts: read and checked when a problem file is, and read again, bytes unchanged, whenever a model looks at them.

A picture is a PNG, JPEG, WebP, GIF or BMP file of 8 bits per channel, or a `data:` URI of one. It is shown as it is meant to be
seen: turned upright by its EXIF orientation, its first frame, on white where it is transparent (as Qwen's own loader does).
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import io
import os
import re
import struct
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanmai.extras import needs
from sanmai.types import Image, InputError

MAX_BYTES = 64 << 20
MAX_PIXELS = 40_000_000
"""Width times height; what is larger would be scaled down by any model's processor, at a cost in memory."""
_DAMAGED = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)
"""What Pillow's decoders raise of a damaged file."""
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


class ImageError(ValueError):
    """Why something is no picture that a model can be shown; one clause, to stand after where it was found."""


def read_image(entry: Any, folder: Path) -> Image:
    """A picture as a problem file names it, checked by decoding it whole.

    Args:
        entry: a path (relative to `folder`, or absolute) or a `data:` URI; or a mapping with one as `path`, or with `bytes`, as
            Parquet files of the hub have them. A `sha256` in it must be that of the bytes.
        folder: of the file that names it.

    Raises:
        ImageError: it cannot be read, is no picture, is cut off or too large, or has other bytes than were recorded.
        InputError: Pillow is not installed.
    """
    facts: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {"path": entry}
    path = facts.get("path")
    if isinstance(facts.get("bytes"), bytes):
        path = f"data:;base64,{base64.b64encode(facts['bytes']).decode()}"
    if not isinstance(path, str) or not path:
        raise ImageError(f"expected the path of a picture, found a value of type {type(entry).__name__}")
    if not path.startswith("data:"):
        path = os.path.abspath(folder / path)
    data = _bytes_of(path)
    sha256 = hashlib.sha256(data).hexdigest()
    if facts.get("sha256") not in (None, sha256):
        raise ImageError(f"{_shown(path)} is not the picture that was recorded: its bytes have changed")
    try:
        with warnings.catch_warnings():  # of a size that is refused anyway
            warnings.simplefilter("ignore", _pillow().Image.DecompressionBombWarning)
            width, height = _decode(data).size
    except ImageError as error:
        raise ImageError(f"{_shown(path)} {error}") from None
    return Image(path=path, sha256=sha256, width=width, height=height)


def load_pixels(image: Image) -> Any:
    """The picture as a PIL image in RGB.

    Raises:
        InputError: it cannot be read any more, or its bytes are not those that were recorded.
    """
    try:
        data = _bytes_of(image["path"])
        if hashlib.sha256(data).hexdigest() != image["sha256"]:
            raise ImageError(f"{_shown(image['path'])} has changed since the problems were read; restore it")
        return _decode(data)
    except ImageError as error:
        raise InputError(f"image {error}") from None


def require_pillow() -> None:
    """Refuse to go on without Pillow.

    Raises:
        InputError: it is not installed.
    """
    _pillow()


def _bytes_of(path: str) -> bytes:
    if path.startswith("data:"):
        header, comma, text = path.partition(",")
        try:
            if not comma or not header.endswith(";base64"):
                raise ValueError
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise ImageError("a data: URI is not data:TYPE;base64,TEXT") from None
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ImageError(f"{_shown(path)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise ImageError(f"{_shown(path)} has more than {MAX_BYTES >> 20} MiB")
    return data


def _decode(data: bytes) -> Any:
    pil = _pillow()
    try:
        picture = pil.Image.open(io.BytesIO(data), formats=_FORMATS)
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise ImageError(f"has {width} x {height} pixels; expected at most {MAX_PIXELS:,}")
        picture.load()
        picture = pil.ImageOps.exif_transpose(picture)
        if picture.mode.startswith(("I", "F")):
            raise ImageError(f"has pixels of mode {picture.mode}; expected 8 bits per channel")
        if "A" in picture.getbands() or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            picture = pil.Image.alpha_composite(pil.Image.new("RGBA", picture.size, "white"), picture)
        return picture.convert("RGB")
    except ImageError:
        raise
    except pil.UnidentifiedImageError:
        raise ImageError(f"is no {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]} picture") from None
    except pil.Image.DecompressionBombError:
        raise ImageError(f"has too many pixels; expected at most {MAX_PIXELS:,}") from None
    except _DAMAGED as error:
        reason = re.sub(r"\s+", " ", str(error) or type(error).__name__)[:100]
        raise ImageError(f"is damaged or cut off: {reason}") from None


@functools.cache
def _pillow() -> Any:
    try:
        import PIL
        import PIL.Image
        import PIL.ImageOps
    except ImportError:
        raise needs("a picture in a prompt", "vision") from None
    return PIL


def _shown(path: str) -> str:
    """A path for a message, where it looks like one: a file of problems may hold any text."""
    if path.startswith("data:"):
        return "a data: URI"
    return path if re.fullmatch(r"[\w./:~@+%=,-]{1,300}", path, re.ASCII) else f"a path of {len(path):,} characters"
