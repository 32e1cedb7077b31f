"""Packages that only some things need: pyproject's extras for users, what each is for, and how one is installed."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from sanmai.types import InputError


@dataclass(frozen=True)
class Extra:
    """One of pyproject.toml's extras."""

    use: str
    modules: dict[str, str]
    """By package, the module that it brings."""

    @property
    def missing(self) -> list[str]:
        """Packages that this Python does not find; what it finds is not imported."""
        return [package for package, module in self.modules.items() if importlib.util.find_spec(module) is None]


EXTRAS = {
    "data": Extra("data sets of the hub (hub:NAME)", {"datasets": "datasets"}),
    "gym": Extra("problems of reasoning-gym (gym:NAME)", {"reasoning-gym": "reasoning_gym"}),
    "redteam": Extra("the red team's archive", {"ribs": "ribs"}),
    "vision": Extra("pictures in prompts", {"pillow": "PIL"}),
    "track": Extra("trackers (--track)", {"tensorboard": "tensorboard", "wandb": "wandb"}),
    "flow": Extra(
        "moving digits, pipelines of diffusers", {"scikit-learn": "sklearn", "diffusers": "diffusers", "pillow": "PIL"}
    ),
    "ocr": Extra(
        "text in pictures as a reward", {"rapidocr": "rapidocr", "onnxruntime": "onnxruntime", "pillow": "PIL"}
    ),
    "cluster": Extra("samplers on Ray", {"ray": "ray"}),
    "serve": Extra("serve, watch, annotate", {"fastapi": "fastapi", "uvicorn": "uvicorn"}),
}  # fmt: skip


def install(extra: str) -> str:
    """How it is installed. Sanmai is on no index: by its name alone pip might fetch what somebody else calls so."""
    return f'in the folder of Sanmai\'s clone: pip install -c constraints.txt ".[{extra}]"'


def needs(what: str, extra: str) -> InputError:
    """The error of something that an extra is missing for."""
    packages = ", ".join(EXTRAS[extra].missing or EXTRAS[extra].modules)
    return InputError(f"{what} needs the extra `{extra}` ({packages}); {install(extra)}")
