"""Pictures for vision-language models of the Qwen2-VL kind: from a prompt's images to embeddings and positions in its place.

    render:  <|vision_start|> <|image_pad|> <|vision_end|> What is this?      the chat template: one placeholder per picture
    room:    <|vision_start|> <|image_pad|> x n <|vision_end|> What is this?  n = patches / merge_size^2, from the picture's size
    embed:   the n placeholders' embeddings are the vision tower's n vectors; their positions are (time, row, column)

The `transformers` image processor of the model's folder makes the patches, in its Pillow version whether or not torchvision is
installed, so that a picture is the same numbers everywhere. Model and positions are the library's own; what is done here in its
stead is the merging, because it takes every placeholder for a picture, and a policy may write that token like any other.

Shape key: B rows, T tokens, D model width, N patches of a picture, I pictures.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sanmai.data.images import load_pixels, require_pillow
from sanmai.types import Image, InputError

ARCHITECTURES = ("qwen2_vl", "qwen2_5_vl")
"""Model types whose pictures can be read: merged into the embeddings once, with positions in three dimensions."""
_FILES = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json", "chat_template.json")
_KEPT_PICTURES = 32
"""Prepared pictures that are kept: a group's rollouts and its update look at the same ones."""


class Vision:
    """What a vision-language policy has besides a text one."""

    def __init__(self, processor: Any, token: int, files: Mapping[str, bytes]) -> None:
        """Args:
        processor: a `transformers` image processor.
        token: the placeholder's number in the vocabulary.
        files: of the processor, by name; saved with every checkpoint.
        """
        self.processor, self.token, self._files = processor, token, dict(files)
        self._patches = functools.lru_cache(maxsize=_KEPT_PICTURES)(self._read_patches)

    @classmethod
    def of(cls, name: str, model: Any, tokenizer: Any, options: Mapping[str, Any]) -> Vision:
        """That of a folder or hub model; its tokenizer learns to make room for pictures (see data/chat.py).

        Raises:
            InputError: Pillow is not installed.
            OSError, ValueError, KeyError: the image processor or its chat template cannot be loaded.
        """
        from transformers import AutoImageProcessor
        from transformers.utils import cached_file

        require_pillow()
        processor: Any = AutoImageProcessor.from_pretrained(name, backend="pil", **options)
        files = {}
        for file in _FILES:
            found = cached_file(name, file, revision=options["revision"], _raise_exceptions_for_missing_entries=False)
            if found is not None:
                files[file] = Path(found).read_bytes()
        vision = cls(processor, int(model.config.image_token_id), files)
        if tokenizer.chat_template is None and "chat_template.json" in files:
            tokenizer.chat_template = json.loads(files["chat_template.json"])["chat_template"]
        tokenizer.make_room = vision.make_room
        return vision

    def make_room(self, tokens: Sequence[int], images: Sequence[Image]) -> list[int]:
        """A rendered prompt with as many placeholders for each picture as the model has vectors for it.

        Raises:
            InputError: there are more or fewer placeholders than pictures, or the processor refuses a picture's shape.
        """
        if (found := list(tokens).count(self.token)) != len(images):
            raise InputError(
                f"the rendered prompt has {found} image placeholders for {len(images)} images: the chat template knows no "
                "images, or a text holds the placeholder itself"
            )
        sizes = iter([self.num_tokens(image) for image in images])
        return [token for t in tokens for token in ([t] * next(sizes) if t == self.token else [t])]

    def num_tokens(self, image: Image) -> int:
        """Placeholders of a picture."""
        try:
            patches = self.processor.get_number_of_image_patches(image["height"], image["width"])
        except ValueError as error:
            raise InputError(
                f"an image of {image['width']} x {image['height']} pixels does not suit the model's processor: {error}"
            ) from None
        return patches // self.processor.merge_size**2

    def embed(
        self, model: Any, tokens_BT: Tensor, attention_BT: Tensor, images: Sequence[Sequence[Image]]
    ) -> dict[str, Tensor]:
        """What the model's forward takes in place of tokens, padded on either side.

        Args:
            images: of each row; their placeholders are its first ones. Later ones were written by a policy, and are text.

        Returns:
            `inputs_embeds` (B, T, D), with gradient to the vision tower and the embedding; `position_ids` (3, B, T).

        Raises:
            ValueError: a row has too few placeholders for its pictures.
        """
        device = tokens_BT.device
        rooms = [sum(map(self.num_tokens, row)) for row in images]
        is_placeholder_BT = (tokens_BT == self.token) & attention_BT.bool()
        room_B1 = torch.tensor(rooms, device=device).unsqueeze(1)
        is_image_BT = is_placeholder_BT & (is_placeholder_BT.cumsum(dim=1) <= room_B1)
        if (found := is_image_BT.sum(dim=1).tolist()) != rooms:
            raise ValueError(f"images: expected rows with {rooms} placeholders, found {found}")
        shown = [image for row in images for image in row]
        paths = {image["sha256"]: image["path"] for image in shown}
        patches = [self._patches(path, sha256) for sha256, path in paths.items()]
        grid_I3 = torch.cat([grid for _, grid in patches]).to(device)
        pixels_NP = torch.cat([pixels for pixels, _ in patches]).to(device)
        # Each picture passes through the tower once, however many rollouts look at it.
        vectors = model.base_model.get_image_features(pixels_NP, grid_I3, return_dict=True).pooler_output
        order = [list(paths).index(image["sha256"]) for image in shown]
        seen_ND = torch.cat([vectors[k] for k in order])
        if len(seen_ND) != sum(rooms):
            raise ValueError(f"images: the vision tower gives {len(seen_ND)} vectors for {sum(rooms)} placeholders")
        embeds_BTD = model.get_input_embeddings()(tokens_BT)
        positions_3BT, _ = model.base_model.get_rope_index(
            tokens_BT,
            mm_token_type_ids=is_image_BT.int(),
            image_grid_thw=grid_I3[order],
            attention_mask=attention_BT.long(),
        )
        embeds_BTD = embeds_BTD.masked_scatter(is_image_BT.unsqueeze(-1), seen_ND.to(embeds_BTD.dtype))
        return {"inputs_embeds": embeds_BTD, "position_ids": positions_3BT}

    def save(self, folder: Path) -> None:
        """Write the processor's files as they were read."""
        for name, data in self._files.items():
            (folder / name).write_bytes(data)

    def _read_patches(self, path: str, sha256: str) -> tuple[Tensor, Tensor]:
        """Pixels of a picture's patches, pixels_NP, and their grid (1, 3)."""
        read = self.processor(images=[load_pixels(Image(path=path, sha256=sha256))], return_tensors="pt")
        return read["pixel_values"], read["image_grid_thw"]
