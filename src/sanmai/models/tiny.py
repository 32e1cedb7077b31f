"""The embedded base model: its architecture, its tokenizer folder, and the weights shipped with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

TINY_PATH = Path(__file__).parent / "tiny"
"""The shipped base: an ordinary `transformers` folder, written by `sanmai run pretrain`."""
MAX_POSITIONS = 512


def new_tiny_model(seed: int) -> Qwen3ForCausalLM:
    """A Qwen3 of 0.62 M parameters with random weights, float32, on the CPU; the global generator is untouched."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from sanmai.world.tokenizer import EOS, PAD, vocabulary

    words = vocabulary()
    config = Qwen3Config(
        vocab_size=len(words),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        # vLLM loads no head smaller than 32.
        head_dim=32,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=words.index(EOS),
        pad_token_id=words.index(PAD),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen3ForCausalLM(config).float()


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
