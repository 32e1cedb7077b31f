"""Pixels as PNG files, without a library.

Shape key: F frames, H, W pixels, C 1 for grey, 3 for colour.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

_SECONDS = 2
"""A frame of an animation is shown for 1 / _SECONDS of a second."""


def png(clip: np.ndarray) -> bytes:
    """Pixels (F, H, W) or (F, H, W, 3) as a PNG; of several frames an animated one that never ends, of which old viewers show
    the first.

    Source:
        PNG third edition (W3C 2025) sections 5.3, 11.2 and 11.3.6: IHDR, acTL, fcTL, IDAT, fdAT, IEND.
    """
    clip_FHWC = clip.reshape(*clip.shape[:3], -1)
    frames, height, width, colours = clip_FHWC.shape
    kind = {1: 0, 3: 2}[colours]  # grey; red, green and blue
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, kind, 0, 0, 0))]
    if frames > 1:
        parts.append(_chunk(b"acTL", struct.pack(">2I", frames, 0)))
    number = 0
    for k, frame_HWC in enumerate(clip_FHWC):
        # Each row begins with the number of its filter: none.
        content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in frame_HWC), 9)
        if frames > 1:
            control = struct.pack(">5I2H2B", number, width, height, 0, 0, 1, _SECONDS, 0, 0)
            parts.append(_chunk(b"fcTL", control))
            number += 1
        if not k:
            parts.append(_chunk(b"IDAT", content))
        else:
            parts.append(_chunk(b"fdAT", struct.pack(">I", number) + content))
            number += 1
    return b"".join([*parts, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
