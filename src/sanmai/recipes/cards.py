"""Cards: what made a data set and what was left out of it, beside the data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sanmai.train.runs import storing, write_whole


def write_card(folder: Path, card: Mapping[str, Any], lines: Iterable[str] = ()) -> None:
    """card.json in a folder, and card.md where there are lines of it; each whole or not at all."""
    text = "\n".join(lines)
    with storing(folder):
        write_whole(folder / "card.json", json.dumps(card, ensure_ascii=False, indent=1) + "\n")
        if text:
            write_whole(folder / "card.md", text + "\n")
