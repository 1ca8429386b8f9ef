"""Stable Diffusion and Auffusion folders in the layout of the hub, tiny and random, for tests."""

import json
import shutil
import string
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from itskit.models.hifigan import Generator

ROWS, HOP, LENGTH = 32, 8, 32  # mel rows, samples a column, tokens of a prompt
VOCODER = {
    "num_mels": ROWS,
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [9, 4],  # one odd, one even difference
    "upsample_initial_channel": 8,
    "resblock": "1",
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3, 5]],
}
UNET = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 16,
    "attention_head_dim": 4,
    "norm_num_groups": 4,
}
VAE = {
    "block_out_channels": (4, 4, 8, 8),  # f = 8, as in the real one
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "scaling_factor": 0.18215,
}
# Stable Diffusion 1.5's own, with the fields that only other schedulers read.
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}


def stable_diffusion(folder: Path, unet_seed=0, vae_seed=0, text_seed=0, **vae_changes) -> Path:
    """A folder as Stable Diffusion 1.5's repository has it."""
    with torch.random.fork_rng():
        torch.manual_seed(unet_seed)
        UNet2DConditionModel(**UNET).save_pretrained(folder / "unet")
        torch.manual_seed(vae_seed)
        AutoencoderKL(**{**VAE, **vae_changes}).save_pretrained(folder / "vae")
        torch.manual_seed(text_seed)
        CLIPTextModel(_text_config()).save_pretrained(folder / "text_encoder")
    tokenizer(folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(SCHEDULER), encoding="utf-8")
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": "StableDiffusionPipeline"}), encoding="utf-8"
    )
    return folder


def auffusion(folder: Path, unet_seed=1, config=VOCODER, **seeds) -> Path:
    """The same with Auffusion's vocoder, under weight norm."""
    stable_diffusion(folder, unet_seed=unet_seed, **seeds)
    (folder / "vocoder").mkdir()
    (folder / "vocoder/config.json").write_text(json.dumps(config), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(5)
        plain = Generator(config).state_dict()
    weights = {name: value for name, value in plain.items() if name.endswith("bias")}
    for name in plain.keys() - weights.keys():
        weights[f"{name}_v"] = plain[name]
        norm = plain[name].flatten(1).norm(dim=1)
        weights[f"{name}_g"] = 1.5 * norm.view(-1, 1, 1)
    torch.save({"generator": weights}, folder / "vocoder/vocoder.pt")
    return folder


def _text_config():
    return CLIPTextConfig(
        vocab_size=len(vocabulary()),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        bos_token_id=vocabulary()["<|startoftext|>"],
        eos_token_id=vocabulary()["<|endoftext|>"],
        pad_token_id=vocabulary()["<|endoftext|>"],
    )


def vocabulary() -> dict[str, int]:
    """Letters, letters that end a word, a few joined ones, and CLIP's two marks."""
    letters = list(string.ascii_lowercase + string.digits + ",.")
    tokens = [*letters, *(f"{c}</w>" for c in letters), "be", "bell</w>", "ll</w>"]
    return {t: i for i, t in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}


def tokenizer(folder: Path) -> None:
    """CLIP's tokenizer of `vocabulary`."""
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary()), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nb e\nl l</w>\nbe ll</w>\n", encoding="utf-8")
    marks = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"}
    marks |= {"unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(marks), encoding="utf-8")
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, **marks}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def copy(folder: Path, to: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(folder, to))


def scheduler(folder: Path):
    return DDIMScheduler.from_pretrained(folder / "scheduler")
