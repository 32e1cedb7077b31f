"""What differs between pipelines of diffusers: how a prompt is told, how latents lie, what the transformer is asked.

All four are rectified flows by the conventions of equations.py: the transformer predicts eps - x_0, and its timestep is 1000 t.
Latents are kept as their VAE has them; where the transformer wants them cut into patches, that is done here.

Shape key: B samples, F frames, H, W pixels; c, f, h, w the same of a latent.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from sanmai.types import InputError

Size = tuple[int, int, int]
"""Frames, height, width."""


class Family(ABC):
    """One kind of pipeline, for samples of one size."""

    frames_per_latent = 1
    """Frames that a latent frame stands for, but the first, which stands for one; an image has one frame."""
    pixels_per_latent: int
    """Pixels along a side that one number of a latent stands for."""
    least_side: int
    """Height and width are multiples of it."""

    def __init__(self, pipe: Any, size: Size | None, name: str) -> None:
        """Args:
            size: of samples; None: what the pipeline draws by default.
            name: for messages.

        Raises:
            InputError: a size that it cannot draw.
        """
        self.pipe, self.transformer, self.vae = pipe, pipe.transformer, pipe.vae
        self._measure()
        self.size: Size = size or self._default_size()
        frames, height, width = self.size
        if height % self.least_side or width % self.least_side:
            raise InputError(
                f"model.size = {list(self.size)}: {name} draws heights and widths that are multiples of {self.least_side}"
            )
        if self.frames_per_latent == 1 and frames != 1:
            raise InputError(f"model.size = {list(self.size)}: {name} draws images; expected 1 frame")
        if (frames - 1) % self.frames_per_latent:
            raise InputError(f"model.size = {list(self.size)}: frames of {name} are a multiple of {self.frames_per_latent} and 1")

    @property
    def passes(self) -> int:
        """Patches of a sample, each of which goes through the transformer; the words of the prompt are left out."""
        frames, height, width = self.size
        return (1 + (frames - 1) // self.frames_per_latent) * (height // self.least_side) * (width // self.least_side)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        frames, height, width = self.size
        sides = (height // self.pixels_per_latent, width // self.pixels_per_latent)
        if self.frames_per_latent == 1:
            return (self._channels(), *sides)
        return (self._channels(), (frames - 1) // self.frames_per_latent + 1, *sides)

    @abstractmethod
    def _measure(self) -> None:
        """Set the ratios of this pipeline."""

    @abstractmethod
    def _default_size(self) -> Size: ...

    def _channels(self) -> int:
        return self.transformer.config.in_channels

    @abstractmethod
    def tell(self, prompt: str) -> tuple[Tensor, ...]:
        """What a prompt tells the transformer, tensors (1, ...)."""

    @abstractmethod
    def velocity(self, x: Tensor, time_B: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        """What the transformer says of latents in its dtype."""

    def to_pixels(self, latent: Tensor) -> Tensor:
        """What the VAE makes of latents, about -1..1: (B, F, H, W, 3)."""
        pixels = self.vae.decode(latent / self.vae.config.scaling_factor + self.vae.config.shift_factor, return_dict=False)[0]
        return pixels.permute(0, 2, 3, 1).unsqueeze(1)

    def to_latent(self, pixels: Tensor) -> Tensor:
        """The mean of what the VAE reads in pixels (B, F, H, W, 3) in -1..1."""
        found = self.vae.encode(pixels.squeeze(1).permute(0, 3, 1, 2)).latent_dist.mode()
        return (found - self.vae.config.shift_factor) * self.vae.config.scaling_factor


class StableDiffusion3(Family):
    def _measure(self) -> None:
        self.pixels_per_latent = self.pipe.vae_scale_factor
        self.least_side = self.pixels_per_latent * self.transformer.config.patch_size

    def _default_size(self) -> Size:
        side = self.pipe.default_sample_size * self.pixels_per_latent
        return (1, side, side)

    def tell(self, prompt: str) -> tuple[Tensor, ...]:
        words, _, pooled, _ = self.pipe.encode_prompt(
            prompt, prompt, prompt, device=self.transformer.device, do_classifier_free_guidance=False
        )
        return words, pooled

    def velocity(self, x: Tensor, time_B: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        words, pooled = told
        return self.transformer(
            hidden_states=x, timestep=1000.0 * time_B, encoder_hidden_states=words, pooled_projections=pooled, return_dict=False
        )[0]


class Flux(Family):
    guidance = 3.5
    """What a guidance-distilled transformer is told, as the pipeline does by default."""

    def _measure(self) -> None:
        self.pixels_per_latent = self.pipe.vae_scale_factor
        self.least_side = 2 * self.pixels_per_latent  # 2 x 2 latents are a patch

    def _default_size(self) -> Size:
        side = self.pipe.default_sample_size * self.pixels_per_latent
        return (1, side, side)

    def _channels(self) -> int:
        return self.transformer.config.in_channels // 4

    def tell(self, prompt: str) -> tuple[Tensor, ...]:
        words, pooled, _ = self.pipe.encode_prompt(prompt, prompt, device=self.transformer.device)
        return words, pooled

    def velocity(self, x: Tensor, time_B: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        words, pooled = told
        count, channels, height, width = x.shape
        ids = self.pipe._prepare_latent_image_ids(count, height // 2, width // 2, x.device, x.dtype)
        guidance = time_B.new_full((count,), self.guidance) if self.transformer.config.guidance_embeds else None
        found = self.transformer(
            hidden_states=self.pipe._pack_latents(x, count, channels, height, width), timestep=time_B.to(x.dtype),
            guidance=guidance, pooled_projections=pooled, encoder_hidden_states=words,
            txt_ids=ids.new_zeros(words.shape[1], 3), img_ids=ids, return_dict=False,
        )[0]
        pixels = (height * self.pixels_per_latent, width * self.pixels_per_latent)
        return self.pipe._unpack_latents(found, *pixels, self.pixels_per_latent)


class LtxVideo(Family):
    frame_rate = 25
    """Frames a second that positions are told in, as the pipeline does by default."""

    def _measure(self) -> None:
        self.frames_per_latent = self.pipe.vae_temporal_compression_ratio
        self.pixels_per_latent = self.pipe.vae_spatial_compression_ratio
        self.least_side = self.pixels_per_latent * self.pipe.transformer_spatial_patch_size
        if self.vae.config.timestep_conditioning:
            raise InputError("this LTX pipeline's VAE denoises while it decodes (timestep_conditioning); expected another")

    def _default_size(self) -> Size:
        return (161, 512, 704)

    def tell(self, prompt: str) -> tuple[Tensor, ...]:
        words, mask, _, _ = self.pipe.encode_prompt(prompt, do_classifier_free_guidance=False, device=self.transformer.device)
        return words, mask

    def velocity(self, x: Tensor, time_B: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        words, mask = told
        patch = (self.pipe.transformer_spatial_patch_size, self.pipe.transformer_temporal_patch_size)
        frames, height, width = x.shape[2:]
        scale = (self.frames_per_latent / self.frame_rate, self.pixels_per_latent, self.pixels_per_latent)
        found = self.transformer(
            hidden_states=self.pipe._pack_latents(x, *patch), encoder_hidden_states=words, timestep=1000.0 * time_B,
            encoder_attention_mask=mask, num_frames=frames, height=height, width=width, rope_interpolation_scale=scale,
            return_dict=False,
        )[0]
        return self.pipe._unpack_latents(found, frames, height, width, *patch)

    def to_pixels(self, latent: Tensor) -> Tensor:
        scale = self.vae.config.scaling_factor
        plain = self.pipe._denormalize_latents(latent, self.vae.latents_mean, self.vae.latents_std, scale)
        return self.vae.decode(plain, None, return_dict=False)[0].permute(0, 2, 3, 4, 1)

    def to_latent(self, pixels: Tensor) -> Tensor:
        found = self.vae.encode(pixels.permute(0, 4, 1, 2, 3)).latent_dist.mode()
        return self.pipe._normalize_latents(found, self.vae.latents_mean, self.vae.latents_std, self.vae.config.scaling_factor)


class WanVideo(Family):
    def _measure(self) -> None:
        self.frames_per_latent = self.pipe.vae_scale_factor_temporal
        self.pixels_per_latent = self.pipe.vae_scale_factor_spatial
        self.least_side = self.pixels_per_latent * self.transformer.config.patch_size[1]
        if getattr(self.pipe, "transformer_2", None) is not None or self.pipe.config.expand_timesteps:
            raise InputError("this Wan pipeline has two transformers or a time for each patch; expected one as of Wan 2.1")

    def _default_size(self) -> Size:
        return (81, 480, 832)

    def tell(self, prompt: str) -> tuple[Tensor, ...]:
        words, _ = self.pipe.encode_prompt(prompt, do_classifier_free_guidance=False, device=self.transformer.device)
        return (words,)

    def velocity(self, x: Tensor, time_B: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        return self.transformer(
            hidden_states=x, timestep=1000.0 * time_B, encoder_hidden_states=told[0], return_dict=False
        )[0]

    def to_pixels(self, latent: Tensor) -> Tensor:
        mean, deviation = self._scale(latent)
        return self.vae.decode(latent * deviation + mean, return_dict=False)[0].permute(0, 2, 3, 4, 1)

    def to_latent(self, pixels: Tensor) -> Tensor:
        found = self.vae.encode(pixels.permute(0, 4, 1, 2, 3)).latent_dist.mode()
        mean, deviation = self._scale(found)
        return (found - mean) / deviation

    def _scale(self, like: Tensor) -> tuple[Tensor, Tensor]:
        config = self.vae.config
        mean, deviation = (
            torch.tensor(values, device=like.device, dtype=like.dtype).reshape(1, -1, 1, 1, 1)
            for values in (config.latents_mean, config.latents_std)
        )
        return mean, deviation


FAMILIES: dict[str, type[Family]] = {
    "StableDiffusion3Pipeline": StableDiffusion3, "FluxPipeline": Flux, "LTXPipeline": LtxVideo, "WanPipeline": WanVideo,
}
"""By the name that a folder's model_index.json has."""
