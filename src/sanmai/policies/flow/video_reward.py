"""A reward model of clips on a vision-language model of the Qwen2-VL kind, from a folder.

    <vision start> clip <vision end>  visual  motion  harm    prompt  alignment        what the language model reads

Each head is a number of the last hidden state at a place of its own, as in VideoReward (arXiv:2501.13918). Its special tokens are
trained vectors here, to which is added how noised the clip is. A causal model cannot see the prompt from the places before it, so
heads of quality and harm are blind by where they stand. The clip is made patches of as the library's processor makes them of a
picture, but by functions with a gradient: the model can guide a flow.

Shape key: B clips, F frames, H, W pixels, N patches, P numbers of a patch, V vectors of a clip, T tokens, D width, K tokens of
the longest prompt, R heads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from sanmai.policies.contract import Trained
from sanmai.policies.flow.config import FlowModelConfig
from sanmai.policies.flow.network import waves
from sanmai.policies.flow.reward import BLIND, HEADS, FlowReward, load_flow_reward
from sanmai.policies.text.checkpoints import newest_good_checkpoint
from sanmai.policies.text.config import DTYPES
from sanmai.policies.text.library import layers_of, merged_state
from sanmai.policies.text.loading import check_folder, loading, quiet_transformers, refuse_lacking
from sanmai.policies.text.vision import ARCHITECTURES

KIND = "video reward model"
_FACTS, _HEADS = "reward.json", "reward_heads.safetensors"
_ADAPTED = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj)"
"""Layers that get adapters: the attention of the language model."""
_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of pixels, where the folder's preprocessor_config.json names none: those of Qwen2-VL."""


class VideoNetwork(nn.Module):
    """The library's model without its output layer, a vector per head that it reads, and a row of weights per head."""

    body: Any
    mean_C: Tensor
    deviation_C: Tensor

    def __init__(self, body: Any, colours: tuple[Sequence[float], Sequence[float]], *, seed: int) -> None:
        super().__init__()
        self.body = body
        width = body.config.text_config.hidden_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            scale = body.get_input_embeddings().weight.detach().float().std().item()
            self.places_RD = nn.Parameter(torch.randn(len(HEADS), width) * scale)
            self.heads_RD = nn.Parameter(torch.randn(len(HEADS), width) * width**-0.5)
        self.offset_R = nn.Parameter(torch.zeros(len(HEADS)))
        self.noised = nn.Linear(2 * 32, width)
        nn.init.zeros_(self.noised.weight)
        nn.init.zeros_(self.noised.bias)
        for name, values in zip(("mean_C", "deviation_C"), colours, strict=True):
            self.register_buffer(name, torch.tensor(values), persistent=False)

    def forward(self, clip_BFHW: Tensor, time_B: Tensor, prompt_BK: Tensor) -> Tensor:
        """Scores (B, R), in the order of HEADS.

        Args:
            clip_BFHW: in -1..1, grey, with whatever noise; (B, F, H, W, 3) in colour.
            prompt_BK: token numbers plus 1; 0 after a shorter prompt's end.
        """
        body, config = self.body, self.body.config
        dtype, count = body.get_input_embeddings().weight.dtype, len(clip_BFHW)
        patches_NP, grid_3 = patches_of(clip_BFHW, config.vision_config, self.mean_C, self.deviation_C)
        grid_B3 = grid_3.to(clip_BFHW.device).expand(count, 3)
        seen_BVD = torch.stack(body.get_video_features(patches_NP, grid_B3, return_dict=True).pooler_output).to(dtype)
        place_BRD = (self.places_RD + self.noised(waves(time_B)).unsqueeze(1)).to(dtype)
        embed = body.get_input_embeddings()
        edge_2D = embed(torch.tensor([config.vision_start_token_id, config.vision_end_token_id], device=clip_BFHW.device))
        start_B1D, end_B1D = (edge_D.expand(count, 1, -1) for edge_D in edge_2D)
        parts = [
            start_B1D, seen_BVD, end_B1D, place_BRD[:, : len(BLIND)], embed((prompt_BK - 1).clamp(min=0)),
            place_BRD[:, len(BLIND) :],
        ]  # fmt: skip
        embeds_BTD = torch.cat(parts, dim=1)
        before = 2 + seen_BVD.shape[1] + len(BLIND)
        attention_BT = torch.ones(embeds_BTD.shape[:2], dtype=torch.long, device=clip_BFHW.device)
        attention_BT[:, before : before + prompt_BK.shape[1]] = (prompt_BK > 0).long()
        kind_BT = torch.zeros_like(attention_BT)
        kind_BT[:, 1 : 1 + seen_BVD.shape[1]] = 2  # a video
        more = {"second_per_grid_ts": torch.ones(count)} if config.model_type == "qwen2_5_vl" else {}
        position_3BT, _ = body.get_rope_index(
            torch.zeros_like(kind_BT), mm_token_type_ids=kind_BT, video_grid_thw=grid_B3, attention_mask=attention_BT, **more
        )
        hidden_BTD = body.language_model(
            inputs_embeds=embeds_BTD, position_ids=position_3BT, attention_mask=attention_BT, use_cache=False
        ).last_hidden_state
        at = [*range(before - len(BLIND), before), hidden_BTD.shape[1] - 1]
        return (hidden_BTD[:, at].float() * self.heads_RD).sum(dim=2) + self.offset_R


def patches_of(clip_BFHW: Tensor, vision: Any, mean_C: Tensor, deviation_C: Tensor) -> tuple[Tensor, Tensor]:
    """Clips in -1..1 as the vision tower takes them: patches (B N, P), and the grid of each clip (3,): frames, rows, columns.

    Rows and columns are scaled to the nearest multiple of what a vector covers, at least one; the last frame is repeated until
    the frames are a multiple of those of a patch.

    Source:
        Order of the numbers: `transformers`, Qwen2VLImageProcessor.patchify.
    """
    side, merged, deep = vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size
    clip_BFHWC = clip_BFHW if clip_BFHW.dim() == 5 else clip_BFHW.unsqueeze(4).expand(*clip_BFHW.shape, len(mean_C))
    count, frames, height, width, colours = clip_BFHWC.shape
    unit = side * merged
    size = tuple(max(1, round(n / unit)) * unit for n in (height, width))
    pixels = ((clip_BFHWC + 1.0) / 2.0 - mean_C) / deviation_C
    pixels = pixels.permute(0, 1, 4, 2, 3).flatten(0, 1)
    if size != (height, width):
        pixels = interpolate(pixels, size, mode="bilinear", antialias=True)
    pixels = pixels.reshape(count, frames, -1)
    if missing := -frames % deep:
        pixels = pad(pixels.transpose(1, 2), (0, missing), mode="replicate").transpose(1, 2)
    grid = ((frames + missing) // deep, size[0] // side, size[1] // side)
    cut = pixels.reshape(count, grid[0], deep, colours, grid[1] // merged, merged, side, grid[2] // merged, merged, side)
    ordered = cut.permute(0, 1, 4, 7, 5, 8, 3, 2, 6, 9)
    return ordered.reshape(-1, colours * deep * side * side), torch.tensor(grid)


class VideoReward(FlowReward):
    """FlowReward on such a model: it reads clips of any size, and any words."""

    def __init__(
        self, network: VideoNetwork, tokenizer: Any, files: Mapping[str, bytes], config: FlowModelConfig,
        scale: Mapping[str, Sequence[float]],
    ) -> None:
        super().__init__(network, (), config, {}, scale)
        self.tokenizer, self._files = tokenizer, dict(files)
        self.at_once = config.draw_at_once
        self.weights = {name: p for name, p in network.named_parameters() if p.requires_grad}

    @property
    def dtype(self) -> str:
        return self.config.dtype

    @property
    def folder_is_whole(self) -> bool:
        return not self.config.lora_rank

    def tensors(self) -> dict[str, Tensor]:
        return {name: tensor.detach() for name, tensor in self.network.state_dict().items()}

    def told(self, prompts: Sequence[str]) -> Tensor:
        """Token numbers of the prompts plus 1, (B, K)."""
        found = [self.tokenizer.encode(prompt, add_special_tokens=False) for prompt in prompts]
        return nn.utils.rnn.pad_sequence([torch.tensor(own, dtype=torch.long) + 1 for own in found], batch_first=True)

    def facts(self) -> dict[str, Any]:
        return Trained.facts(self) | {"unit": self.unit}  # how much of it a clip goes through depends on the clip

    def save(self, folder: Path) -> None:
        """What `AutoModel` loads, adapters merged in, with the heads beside it."""
        body: Any = self.network.body
        state = body.state_dict()
        with quiet_transformers():
            if self.config.lora_rank:
                state = merged_state(body, state)
            body.save_pretrained(folder, state_dict=state)
            self.tokenizer.save_pretrained(folder)
        for name, data in self._files.items():
            (folder / name).write_bytes(data)
        own = {name: p.detach().contiguous() for name, p in self.network.named_parameters() if not name.startswith("body.")}
        save_file(own, folder / _HEADS)
        for path in folder.glob("*.safetensors"):  # written for the owner alone; the rest of the folder is not
            path.chmod((folder / "config.json").stat().st_mode)
        facts = {"kind": KIND, "heads": list(HEADS), "scale": {name: list(pair) for name, pair in self.scale.items()}}
        (folder / _FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def load_reward_of_clips(config: FlowModelConfig, shape: tuple[int, int, int], words: Sequence[str] = ()) -> FlowReward:
    """The reward model that the settings name: a folder of either kind, of a run of either, or "new", for clips of this shape.

    Raises:
        InputError: none is there, or it is one of other clips.
    """
    folder = Path(config.name)
    if config.name != "new" and (folder / "checkpoints").is_dir():
        folder = newest_good_checkpoint(folder) or folder
    return load_video_reward(config, folder) if is_vision_language(folder) else load_flow_reward(config, shape, words)


def is_vision_language(folder: Path) -> bool:
    """Whether it holds a model of the kinds that are known here."""
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type") in ARCHITECTURES
    except (OSError, ValueError, AttributeError):
        return False


def load_video_reward(config: FlowModelConfig, folder: Path) -> VideoReward:
    """That of a folder: with the heads that lie there, or with new ones.

    Raises:
        InputError: what is there instead.
    """
    from transformers import AutoModel, AutoTokenizer

    check_folder(config.name, folder)
    with loading(f"model.name = {config.name!r}: no reward model can be made of it"):
        with quiet_transformers():
            loaded: Any = AutoModel.from_pretrained(
                folder, dtype=DTYPES[config.dtype], use_safetensors=True, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder)
        body, found = loaded
        refuse_lacking(f"model.name = {config.name!r}", found["missing_keys"], tokenizer)
        path = folder / "preprocessor_config.json"
        files = {path.name: path.read_bytes()} if path.is_file() else {}
        read = json.loads(files[path.name]) if files else {}
        network = VideoNetwork(
            body, (read.get("image_mean", _MEAN), read.get("image_std", _DEVIATION)), seed=config.init_seed
        )
        scale = {name: (0.0, 1.0) for name in HEADS}
        if (folder / _FACTS).is_file():
            facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
            scale = {name: facts["scale"][name] for name in HEADS}
            missing, odd = network.load_state_dict(load_file(folder / _HEADS), strict=False)
            if odd or any(not name.startswith("body.") for name in missing):
                raise ValueError(f"{_HEADS} has other heads")
    _make_trainable(network, config)
    model = VideoReward(network.to(config.device), tokenizer, files, config, scale)
    if config.recompute_layers:
        body.activation_checkpointing_enable({"use_reentrant": False})
        for layer in layers_of(body):
            layer.training = True  # in evaluation mode the library recomputes nothing; what is in it stays in that mode
    return model


def _make_trainable(network: VideoNetwork, config: FlowModelConfig) -> None:
    """All weights, or adapters and heads; adapters change nothing until they are trained."""
    if not config.lora_rank:
        network.requires_grad_(True)
        return
    from peft import LoraConfig, inject_adapter_in_model

    network.body.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.init_seed)
        adapters = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=_ADAPTED)
        inject_adapter_in_model(adapters, network.body)
    for p in network.parameters():
        if p.requires_grad:
            p.data = p.data.float()

