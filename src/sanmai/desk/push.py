"""A folder that was exported, sent to the Hugging Face hub; or what would be sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanmai.types import InputError, RunError

_TRAINING = ("training_state.safetensors", "manifest.json")
"""Of a checkpoint, and of no use to who loads the model."""


@dataclass(frozen=True)
class Shipment:
    """What goes where."""

    folder: Path
    repository: str
    files: tuple[tuple[str, int], ...]
    """Name and bytes of each."""
    has_card: bool
    private: bool

    @property
    def lines(self) -> list[str]:
        total = sum(size for _, size in self.files)
        kind = "private" if self.private else "PUBLIC"
        found = [f"To {self.repository} ({kind}): {len(self.files)} files, {total:,} bytes, from {self.folder}"]
        found += [f"  {size:>15,}  {name}" for name, size in self.files]
        if not self.has_card:
            found.append("Warning: no README.md: nobody will know what this model is, or what was measured of it.")
        return found


def shipment(folder: Path, repository: str, *, private: bool = True) -> Shipment:
    """What a folder would send; nothing is asked of the hub.

    Raises:
        InputError: not a folder with a model in it, or no repository's name.
    """
    if not re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", repository):
        raise InputError(f"{repository!r}: expected OWNER/NAME")
    if not (folder / "config.json").is_file() and not any(folder.glob("*.gguf")):
        raise InputError(f"{folder}: no model to push (no config.json, no .gguf); `sanmai export RUN FOLDER` writes one")
    if bad := [path.name for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pkl", ".pickle", ".ckpt")]:
        raise InputError(f"{folder}: {bad[0]} may be a pickle, which runs code where it is loaded; expected safetensors or GGUF")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _TRAINING)
    paths = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    files = tuple((path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths)
    return Shipment(folder, repository, files, (folder / "README.md").is_file(), private)


def push(sent: Shipment, *, api: Any = None, say: Callable[[str], None] = lambda line: None) -> str:
    """Send it in one commit; the address.

    Args:
        api: stands in for `huggingface_hub.HfApi()`, which takes its token from the environment or `hf auth login`.

    Raises:
        RunError: the hub refused it or cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api = api or HfApi()
    try:
        address = api.create_repo(sent.repository, private=sent.private, exist_ok=True)
        say(f"Sending {len(sent.files)} files to {address}")
        api.upload_folder(
            repo_id=sent.repository, folder_path=str(sent.folder), allow_patterns=[name for name, _ in sent.files],
            commit_message="Model and card, by sanmai push",
        )  # fmt: skip
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{sent.repository}: not pushed: {reason}") from error
    return str(address)
