"""Small random pipelines of diffusers, of the architectures that real ones have, in folders as diffusers saves them."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = ("<pad>", "</s>", "<unk>", "a", "red", "blue", "dot", "square", "moving", "left", "right")
SIZES = {"wan": (5, 16, 16), "ltx": (5, 32, 32), "sd3": (1, 16, 16), "flux": (1, 16, 16)}


def make_pipeline(kind: str, folder: Path) -> Path:
    """A pipeline of random weights; the folder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        MAKERS[kind]().save_pretrained(folder)
    return folder


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.WordLevel({word: k for k, word in enumerate(WORDS)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=16
    )


def scheduler():
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(shift=1.0)


def encoder(width: int = 32):
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(vocab_size=16, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2)).eval()


def clip_encoder(*, with_projection: bool):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=16, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, projection_dim=16,
        max_position_embeddings=16, bos_token_id=0, eos_token_id=1, pad_token_id=0,
    )
    return (CLIPTextModelWithProjection if with_projection else CLIPTextModel)(config).eval()


def image_vae():
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(4, 4), layers_per_block=1, latent_channels=4, norm_num_groups=1, use_quant_conv=False,
        use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5, down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
    )


def wan():
    from diffusers import AutoencoderKLWan, WanPipeline, WanTransformer3DModel
    from transformers import UMT5Config, UMT5EncoderModel

    text = UMT5Config(vocab_size=16, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16, text_dim=16,
        freq_dim=16, ffn_dim=32, num_layers=2, cross_attn_norm=True, rope_max_seq_len=32,
    )
    vae = AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    return WanPipeline(
        tokenizer=tokenizer(), text_encoder=UMT5EncoderModel(text).eval(), transformer=transformer, vae=vae,
        scheduler=scheduler(),
    )


def ltx():
    from diffusers import AutoencoderKLLTXVideo, LTXPipeline, LTXVideoTransformer3DModel

    vae = AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False), decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5, upsample_residual=(False,) * 4, upsample_factor=(1,) * 4,
        timestep_conditioning=False, patch_size=1, patch_size_t=1,
    )
    transformer = LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, num_attention_heads=4, attention_head_dim=8, cross_attention_dim=32, num_layers=1,
        caption_channels=32,
    )
    return LTXPipeline(
        tokenizer=tokenizer(), text_encoder=encoder(), transformer=transformer, vae=vae, scheduler=scheduler()
    )


def sd3():
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

    transformer = SD3Transformer2DModel(
        sample_size=8, patch_size=1, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=4,
        joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=32,
    )
    return StableDiffusion3Pipeline(
        transformer=transformer, vae=image_vae(), scheduler=scheduler(), text_encoder=clip_encoder(with_projection=True),
        text_encoder_2=clip_encoder(with_projection=True), text_encoder_3=encoder(), tokenizer=tokenizer(),
        tokenizer_2=tokenizer(), tokenizer_3=tokenizer(),
    )


def flux():
    from diffusers import FluxPipeline, FluxTransformer2DModel

    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=16, axes_dims_rope=[4, 4, 8],
    )
    return FluxPipeline(
        transformer=transformer, vae=image_vae(), scheduler=scheduler(), text_encoder=clip_encoder(with_projection=False),
        text_encoder_2=encoder(), tokenizer=tokenizer(), tokenizer_2=tokenizer(),
    )


MAKERS = {"wan": wan, "ltx": ltx, "sd3": sd3, "flux": flux}
