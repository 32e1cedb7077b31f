"""The embedded models: their architecture, their tokenizer folder, and the base's weights, shipped with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, Qwen3ForCausalLM

EMBEDDED_MODEL = "tiny"
"""Its name, where a model is named; presets for it end in it."""
TINY_PATH = Path(__file__).parent / "tiny"
"""The shipped base: an ordinary `transformers` folder, written by `sanmai run pretrain`."""
MAX_POSITIONS = 512


def is_embedded(name: object) -> bool:
    """Whether a model's name is that of the shipped base."""
    return name == EMBEDDED_MODEL


HEAD_WIDTH = 32
"""Of every attention head: vLLM loads no smaller one."""


class ArchitectureConfig(Config):
    """Size and kind of an embedded model; as it stands, those of the shipped base (0.62 M parameters)."""

    family: Literal["qwen3", "llama"] = "qwen3"
    """What the layers are: Qwen3's or Llama's."""
    layers: int = Field(4, ge=1)
    """Transformer layers."""
    width: int = Field(128, ge=8)
    """Width of the residual stream."""
    heads: int = Field(4, ge=1)
    """Attention heads of a layer, each 32 wide."""
    key_value_heads: int = Field(2, ge=1)
    """Heads that keep keys and values; the attention heads share them evenly."""
    mlp_width: int = Field(256, ge=8)
    """Inner width of a layer's MLP."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.heads % self.key_value_heads:
            raise ValueError(f"heads = {self.heads} cannot share key_value_heads = {self.key_value_heads} evenly")
        return self


def new_tiny_model(seed: int, architecture: ArchitectureConfig | None = None) -> Qwen3ForCausalLM | LlamaForCausalLM:
    """A model of the world's words with random weights, float32, on the CPU; the global generator is untouched.

    Args:
        architecture: None for the shipped base's.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

    from sanmai.world.tokenizer import EOS, PAD, vocabulary

    chosen, words = architecture or ArchitectureConfig(), vocabulary()
    families: dict[str, tuple[Any, Any]] = {
        "qwen3": (Qwen3Config, Qwen3ForCausalLM),
        "llama": (LlamaConfig, LlamaForCausalLM),
    }
    config_class, model_class = families[chosen.family]
    config = config_class(
        vocab_size=len(words),
        hidden_size=chosen.width,
        intermediate_size=chosen.mlp_width,
        num_hidden_layers=chosen.layers,
        num_attention_heads=chosen.heads,
        num_key_value_heads=chosen.key_value_heads,
        head_dim=HEAD_WIDTH,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=words.index(EOS),
        pad_token_id=words.index(PAD),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model_class(config).float()


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """The world's tokenizer as `transformers` sees it, chat template included."""
    from transformers import PreTrainedTokenizerFast

    from sanmai.world.tokenizer import ASSISTANT, CHAT_TEMPLATE, EOS, PAD, UNK, USER, build_tokenizer

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=build_tokenizer(),
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNK,
        extra_special_tokens=[USER, ASSISTANT],
        model_max_length=MAX_POSITIONS,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def save_tokenizer(folder: Path) -> None:
    """Write the tokenizer files that a checkpoint folder of the tiny model needs."""
    tiny_tokenizer().save_pretrained(folder)
