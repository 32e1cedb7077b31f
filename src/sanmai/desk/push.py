"""A folder that was exported, sent to the Hugging Face hub; or what would be sent."""

from __future__ import annotations

import glob
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanmai.policies.text.checkpoints import KEPT_STATE, MANIFEST, STATE
from sanmai.types import InputError, RunError

_TRAINING = (STATE, KEPT_STATE, MANIFEST)
"""Of a checkpoint, and of no use to who loads the model."""
_PICKLES = frozenset({
    ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".npy", ".npz", ".mar", ".th", ".t7", ".ot", ".p",
})  # fmt: skip
"""Names of files that are pickles, or may hold some."""
_TEXTS, _MOST_BYTES = (".json", ".md", ".txt", ".toml"), 2**20
"""Files that are looked through for the sender's own folders."""


@dataclass(frozen=True)
class Shipment:
    """What goes where."""

    folder: Path
    repository: str
    files: tuple[tuple[str, int], ...]
    """Name and bytes of each."""
    has_card: bool
    private: bool
    telling: tuple[str, ...] = ()
    """Names of files that tell a folder of this machine."""

    @property
    def lines(self) -> list[str]:
        total = sum(size for _, size in self.files)
        kind = "private" if self.private else "PUBLIC"
        found = [f"To {self.repository} ({kind}): {len(self.files)} files, {total:,} bytes, from {self.folder}"]
        found += [f"  {size:>15,}  {name}" for name, size in self.files]
        if self.telling:
            found.append(f"Warning: {', '.join(self.telling)} tells folders of this machine; `sanmai export` writes none.")
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
    is_model = any((folder / name).is_file() for name in ("config.json", "adapter_config.json"))
    if not is_model and not any(folder.glob("*.gguf")):
        raise InputError(f"{folder}: no model to push (no config.json, no .gguf); `sanmai export RUN FOLDER` writes one")
    if bad := [path.name for path in sorted(folder.rglob("*")) if path.is_file() and _may_be_pickle(path)]:
        raise InputError(f"{folder}: {bad[0]} may be a pickle, which runs code where it is loaded; expected safetensors or GGUF")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _TRAINING)
    paths = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    files = tuple((path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths)
    return Shipment(folder, repository, files, (folder / "README.md").is_file(), private, _telling(folder, paths))


def _telling(folder: Path, paths: list[Path]) -> tuple[str, ...]:
    """Files in which the sender's home, or the folder that is worked in, is named."""
    own = {text.encode() for text in (str(Path.home()), str(Path.cwd()), str(folder.resolve().parent)) if text.count("/") > 1}
    texts = [path for path in paths if path.suffix in _TEXTS and path.stat().st_size <= _MOST_BYTES]
    return tuple(p.relative_to(folder).as_posix() for p in texts if any(text in p.read_bytes() for text in own))


def _may_be_pickle(path: Path) -> bool:
    """By its name, or by what it begins with: a pickle's mark, or an archive with a pickle in it."""
    if path.suffix.lower() in _PICKLES:
        return True
    with path.open("rb") as file:
        head = file.read(4)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    if head not in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(Path(name).suffix.lower() in (".pkl", ".npy") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return True  # an archive that cannot be looked into here, others may still load


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
            repo_id=sent.repository, folder_path=str(sent.folder), allow_patterns=[glob.escape(name) for name, _ in sent.files],
            commit_message="Model and card, by sanmai push",
        )  # fmt: skip
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{sent.repository}: not pushed: {reason}") from error
    return str(address)
