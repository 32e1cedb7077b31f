"""Image and video pipelines of diffusers as flows: loaded from a folder or the hub, trained, and saved as diffusers loads them.

What is trained is the transformer, or adapters (LoRA) in its attention; text encoders and VAE stay as they are. diffusers is
imported here alone, and only when such a model is asked for.

Shape key: B samples, K numbers that a prompt tells, F frames, H, W pixels, C = 3 colours.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import math
import os
import re
import shutil
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import save_file
from torch import Tensor

from sanmai.extras import needs
from sanmai.policies.cores import Cores
from sanmai.policies.flow.config import FlowModelConfig
from sanmai.policies.flow.families import FAMILIES, Family
from sanmai.policies.flow.folders import first_line, model_folder
from sanmai.policies.flow.rectified import RectifiedFlow
from sanmai.policies.text.config import DTYPES
from sanmai.policies.text.library import merged_state
from sanmai.policies.text.loading import quiet_transformers, refuse_lacking
from sanmai.types import InputError

INDEX = "model_index.json"
ADAPTED = ("to_q", "to_k", "to_v", "to_out.0")
"""Layers of a transformer that get adapters: the projections of its attention."""
_WEIGHTS = "diffusion_pytorch_model.safetensors"


class PipelinePolicy(RectifiedFlow):
    """A pipeline, of which the transformer or its adapters are trained."""

    def __init__(self, pipe: Any, family: Family, config: FlowModelConfig, folder: Path) -> None:
        """Args:
            folder: where the pipeline lies.
        """
        self.pipe, self.family, self.config, self.folder = pipe, family, config, folder
        self.transformer = family.transformer
        self.device = torch.device(config.device)
        self.cores = Cores(0, is_cpu=self.device.type == "cpu", is_one=True)
        self.at_once = config.draw_at_once
        self.weights = {name: p for name, p in self.transformer.named_parameters() if p.requires_grad}
        self.notes = _notes(pipe)
        self._told: dict[str, tuple[Tensor, ...]] = {}
        self._is_plain = False

    @property
    def dtype(self) -> str:
        return self.config.dtype

    @property
    def folder_is_whole(self) -> bool:
        return not self.config.lora_rank

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return self.family.latent_shape

    @property
    def clip_shape(self) -> tuple[int, ...]:
        return (*self.family.size, 3)

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"{part}.{name}": tensor.detach()
            for part, module in _modules(self.pipe).items()
            for name, tensor in module.state_dict().items()
        }

    def facts(self) -> dict[str, Any]:
        trained = sum(p.numel() for p in self.weights.values())
        return super().facts() | {
            "name": self.config.name, "kind": type(self.pipe).__name__, "trained_parameters": trained,
            "size": list(self.family.size), "unit": self.unit, "passes": self.family.passes,
            "passed_parameters": sum(p.numel() for p in self.transformer.parameters()),
        }

    def as_started(self) -> Self | None:
        """The same pipeline with its adapters off."""
        if not self.config.lora_rank:
            return None
        plain = copy.copy(self)
        plain._is_plain = True
        return plain

    def told(self, prompts: Sequence[str]) -> Tensor:
        return torch.stack([torch.cat([t.flatten().float() for t in self._tell(prompt)]) for prompt in prompts])

    def untold(self, prompt_BK: Tensor) -> Tensor:
        return self.told([""]).to(prompt_BK).expand_as(prompt_BK)

    @torch.no_grad()
    def _tell(self, prompt: str) -> tuple[Tensor, ...]:
        """What the text encoders make of a prompt, on the CPU; each prompt is read once."""
        if prompt not in self._told:
            self._told[prompt] = tuple(t[0].cpu() for t in self.family.tell(prompt))
        return self._told[prompt]

    def velocity(self, x: Tensor, time_B: Tensor, prompt_BK: Tensor) -> Tensor:
        dtype = DTYPES[self.config.dtype]
        like = self._tell("")
        parts = prompt_BK.split([t.numel() for t in like], dim=1)
        told = tuple(
            part.unflatten(1, tuple(t.shape)).to(t.dtype) for part, t in zip(parts, like, strict=True)
        )
        with self._adapters():
            return self.family.velocity(x.to(dtype), time_B, told).float()

    @contextlib.contextmanager
    def _adapters(self) -> Generator[None]:
        """Within, the adapters are off where this is the flow as it started."""
        if not self._is_plain:
            yield
            return
        self.transformer.disable_adapters()
        try:
            yield
        finally:
            self.transformer.enable_adapters()

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        found = [self.family.to_pixels(one.unsqueeze(0).to(self.device, self.family.vae.dtype)).float().cpu() for one in latent]
        return ((torch.cat(found) + 1.0) / 2.0).clamp(0.0, 1.0)

    @torch.no_grad()
    def encode(self, clip: Tensor) -> Tensor:
        """Of clips (F, H, W, C) or several (B, F, H, W, C)."""
        several = clip if clip.dim() == 5 else clip.unsqueeze(0)
        pixels = several * 2.0 - 1.0
        found = [self.family.to_latent(one.unsqueeze(0).to(self.device, self.family.vae.dtype)).float().cpu() for one in pixels]
        return torch.cat(found) if clip.dim() == 5 else found[0][0]

    def save(self, folder: Path) -> None:
        """The pipeline's folder with the trained transformer in it; adapters are merged into its weights, and stand alone in
        lora/ as well, as `load_lora_weights` takes them. What was not trained is linked, or copied where links cannot be."""
        folder.mkdir(parents=True, exist_ok=True)
        state = self.transformer.state_dict()
        if self.config.lora_rank:
            state = merged_state(self.transformer, state)
        self.transformer.save_config(folder / "transformer")
        save_file(
            {name: t.detach().cpu().contiguous() for name, t in state.items()}, folder / "transformer" / _WEIGHTS,
            metadata={"format": "pt"},
        )
        shutil.copyfile(self.folder / INDEX, folder / INDEX)
        for part in _parts(self.folder):
            if part != "transformer":
                _link(self.folder / part, folder / part)
        if self.config.lora_rank:
            from peft.utils import get_peft_model_state_dict

            metadata = _diffusers(".training_utils")._collate_lora_metadata({"transformer": self.transformer})

            self.pipe.save_lora_weights(
                folder / "lora", transformer_lora_layers=get_peft_model_state_dict(self.transformer),
                **metadata,
            )

    def bytes_of_step(self, parts: int) -> dict[str, float]:
        """Bytes by what they are for, of an update that scores so many steps or points of samples at a time.

        "activations" are what the transformer keeps for a part's backward pass, counted in one forward pass.
        """
        trained = sum(p.numel() for p in self.weights.values())
        found = {
            name: float(sum(t.numel() * t.element_size() for t in module.state_dict().values()))
            for name, module in _modules(self.pipe).items()
        }
        return found | {"gradients": 4.0 * trained, "optimizer": 8.0 * trained, "activations": parts * self._kept_bytes()}

    def _kept_bytes(self) -> float:
        """Bytes that the backward pass of one part needs beside the weights."""
        own = {p.untyped_storage().data_ptr() for p in self.transformer.parameters()}
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        x = torch.zeros(1, *self.latent_shape, device=self.device)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            out = self.velocity(x, x.new_full((1,), 0.5), self.told([""]).to(self.device))
        del out
        return float(sum(kept.values()))


def is_pipeline(name: str) -> bool:
    """Whether a name is a folder of a pipeline of diffusers, a run that trained one, or may be one of the hub.

    What would stand in a folder that there is, such as runs/flow-1, is a path that is wrong and no name of the hub.
    """
    folder = Path(name)
    if folder.is_dir():
        found = model_folder(name)
        return found is not None and (found / INDEX).is_file()
    return not folder.exists() and not folder.parent.is_dir() and re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None


def load_pipeline(config: FlowModelConfig) -> PipelinePolicy:
    """The pipeline that the settings name.

    Raises:
        InputError: diffusers is not there, or no pipeline of a known kind is; or it cannot draw what `size` asks for.
    """
    try:
        pipelines = _diffusers().DiffusionPipeline
    except ImportError as error:
        raise needs(f"model.name = {config.name!r}: a pipeline ({first_line(error)})", "flow") from None
    with _quiet():
        folder = _folder(config.name)
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        kind = index.get("_class_name")
        if kind not in FAMILIES:
            raise InputError(f"{config.name}: is a {kind}; expected one of {', '.join(FAMILIES)}")
        try:
            encoders = _encoders(folder, index, config)
            pipe = pipelines.from_pretrained(folder, torch_dtype=DTYPES[config.dtype], **encoders)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
            raise InputError(f"{config.name}: diffusers cannot load it ({first_line(error)})") from None
    for part, component in pipe.components.items():
        if hasattr(component, "all_special_ids"):
            refuse_lacking(f"{config.name}: {part}", tokenizer=component)
    for part, module in _modules(pipe).items():
        if empty := next((name for name, t in module.state_dict().items() if t.is_meta), None):
            raise InputError(f"{config.name}: {part} has no weights for {empty}; was it saved with its adapters attached?")
        module.requires_grad_(False).eval()
    pipe.to(config.device)
    family = FAMILIES[kind](pipe, config.size, config.name)
    if config.recompute_layers:
        family.transformer.enable_gradient_checkpointing()
    _make_trainable(family.transformer, config)
    return PipelinePolicy(pipe, family, config, folder)


def _make_trainable(transformer: Any, config: FlowModelConfig) -> None:
    """All weights, or adapters whose starting weights `init_seed` names: they change nothing until they are trained."""
    if not config.lora_rank:
        transformer.requires_grad_(True)
        return
    from peft import LoraConfig

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.init_seed)
        adapters = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=list(ADAPTED))
        transformer.add_adapter(adapters)
    for p in transformer.parameters():
        if p.requires_grad:
            p.data = p.data.float()


def _encoders(folder: Path, index: Mapping[str, Any], config: FlowModelConfig) -> dict[str, Any]:
    """The parts that are models of `transformers`: loaded by diffusers, weights that they lack are random, without a word."""
    import transformers

    found: dict[str, Any] = {}
    for part, place in index.items():
        library, name = place if isinstance(place, list) and len(place) == 2 else (None, None)
        kind: Any = getattr(transformers, str(name), None) if library == "transformers" else None
        if isinstance(kind, type) and issubclass(kind, torch.nn.Module):
            with quiet_transformers():
                loaded: Any = kind.from_pretrained(folder / part, dtype=DTYPES[config.dtype], output_loading_info=True)
            found[part], told = loaded
            refuse_lacking(f"{config.name}: {part}", told["missing_keys"])
    return found


def _folder(name: str) -> Path:
    """Where a named pipeline lies; one of the hub is fetched.

    Raises:
        InputError: nothing is there.
    """
    if Path(name).is_dir():
        found = model_folder(name)
        if found is None:
            raise InputError(f"{name}: this run folder has no complete checkpoint yet")
        return found
    try:
        return Path(_diffusers().DiffusionPipeline.download(name))
    except Exception as error:  # noqa: BLE001 - whatever a network, a proxy or the hub raises
        raise InputError(f"{name}: no such folder, and the hub gives no pipeline of that name ({first_line(error)})") from None


def _diffusers(part: str = "") -> Any:
    """The library, or a part of it; ImportError where the extra is not installed."""
    return importlib.import_module(f"diffusers{part}")


def _parts(folder: Path) -> list[str]:
    """Folders that a pipeline's index names."""
    index: Mapping[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return [name for name in index if not name.startswith("_") and (folder / name).is_dir()]


def _modules(pipe: Any) -> dict[str, torch.nn.Module]:
    """Its networks by name."""
    return {name: part for name, part in sorted(pipe.components.items()) if isinstance(part, torch.nn.Module)}


def _link(source: Path, made: Path) -> None:
    """The same files without a second copy of their bytes, where the disk can do that."""
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        target = made / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path.resolve(), target)
        except OSError:
            shutil.copyfile(path, target)


def _notes(pipe: Any) -> tuple[str, ...]:
    """What a user should set that its scheduler was made for."""
    shift = pipe.scheduler.config.get("shift", pipe.scheduler.config.get("flow_shift"))
    if shift is None or math.isclose(shift, 1.0):
        return ()
    return (f"its scheduler shifts times by {shift:g}; sampling.shift and drawing.shift have values of their own",)


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """No progress bars or advice from diffusers within."""
    logging = _diffusers(".utils").logging
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with quiet_transformers():
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
