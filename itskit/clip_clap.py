"""CLIP and CLAP: how much a picture looks, and a sound sounds, like words.

As "Images that Sound" (Chen et al. 2024, arXiv 2405.12221) uses them; they are downloaded when they
are first used.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .media import Picture, Sound, resample

CLIP = "openai/clip-vit-base-patch16"
CLAP = "laion/clap-htsat-unfused"
CLAP_RATE, CLAP_SECONDS = 48000, 10


# --- CLIP ---------------------------------------------------------------------------------------


def clip_score(picture, prompt: str, model: str | Path = CLIP) -> float:
    """Cosine between a picture and words, by CLIP: the mean over overlapping squares.

    Parameters
    ----------
    picture : Picture, PIL image or array
        (H, W), (1, H, W) or (3, H, W) in [0, 1], H <= W. Channels are averaged, since it is a
        spectrogram. The squares are H pixels wide and H / 8 apart.
    prompt : str
    model : str or path
        A repository or folder of a transformers CLIP model.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        For a picture of another shape or range.
    ConnectionError
        If the model cannot be downloaded.
    """
    clip, tokenizer, size = _clip(str(model))
    words = _read(tokenizer, prompt).to(clip.device)
    pixels = clip_input(squares(_grey(picture)), size).to(clip.device)
    with torch.no_grad():
        answer = clip(pixel_values=pixels, **words)
        cosines = answer.logits_per_image / clip.logit_scale.exp()  # (squares, 1)
    return max(0.0, float(cosines.mean()))


def _read(tokenizer, prompt: str, **options):
    """The tokens of a prompt, with a warning if there are more than the judge reads."""
    words = tokenizer(prompt, return_tensors="pt", truncation=True, **options)
    count, length = len(tokenizer(prompt, verbose=False).input_ids), words.input_ids.shape[1]
    if count > length:
        warnings.warn(f"of {prompt[:60]!r}… {length} of {count} tokens are judged", stacklevel=3)
    return words


def squares(grey: np.ndarray) -> np.ndarray:
    """The squares (N, H, H) of a picture (H, W), H / 8 apart; a rest at the right is left out."""
    height, width = grey.shape
    if width < height:
        raise ValueError(f"the picture is {width} wide and {height} high: expected width >= height")
    lefts = range(0, width - height + 1, max(1, height // 8))
    return np.stack([grey[:, left : left + height] for left in lefts])


def clip_input(grey_squares: np.ndarray, size: int = 224) -> torch.Tensor:
    """Squares (N, H, H) in [0, 1] as CLIP takes them (N, 3, size, size): 8 bits, bicubic, its
    training's mean and standard deviation of each channel."""
    resized = [
        Image.fromarray((square * 255).round().astype(np.uint8)).resize(
            (size, size), Image.Resampling.BICUBIC
        )
        for square in grey_squares
    ]
    grey = torch.from_numpy(np.stack(resized).astype(np.float32) / 255)[:, None]  # (N, 1, s, s)
    mean = grey.new_tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    deviation = grey.new_tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    return (grey - mean) / deviation


def _grey(picture) -> np.ndarray:
    """(H, W) in [0, 1]."""
    picture = picture.image if isinstance(picture, Picture) else picture
    if isinstance(picture, Image.Image):
        picture = np.asarray(picture.convert("RGB"), np.float32).transpose(2, 0, 1) / 255
    array = np.asarray(picture, np.float32)
    array = array.mean(0) if array.ndim == 3 else array
    if array.ndim != 2 or not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(f"a picture of shape {array.shape}: expected (H, W), values in [0, 1]")
    return array


@lru_cache(maxsize=1)
def _clip(source: str):
    from transformers import CLIPModel, CLIPTokenizer

    folder = _folder(source)
    model = CLIPModel.from_pretrained(folder).float().eval().to(_device())
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    return model, tokenizer, model.config.vision_config.image_size


# --- CLAP ---------------------------------------------------------------------------------------


def clap_score(sound: Sound, prompt: str, model: str | Path = CLAP) -> float:
    """Cosine between a sound and words, by CLAP.

    Parameters
    ----------
    sound : Sound
        It is resampled to 48 kHz and scaled to a peak of 1; the first 10 s are used.
    prompt : str
    model : str or path
        A repository or folder of a transformers CLAP model.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ConnectionError
        If the model cannot be downloaded.
    """
    clap, tokenizer, features = _clap(str(model))
    words = _read(tokenizer, prompt, max_length=77)
    heard = features(clap_input(sound), sampling_rate=CLAP_RATE, return_tensors="pt")
    given = {**words, **heard}
    with torch.no_grad():
        answer = clap(**{name: value.to(clap.device) for name, value in given.items()})
        cosine = answer.logits_per_audio / clap.logit_scale_a.exp()  # (1, 1)
    return max(0.0, float(cosine))


def clap_input(sound: Sound) -> np.ndarray:
    """The samples (n,) at 48 kHz, their peak at 1, at most 10 s."""
    y = resample(sound.samples, sound.rate, CLAP_RATE)
    return (y / max(1e-9, np.abs(y).max()))[: CLAP_RATE * CLAP_SECONDS]


@lru_cache(maxsize=1)
def _clap(source: str):
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    folder = _folder(source)
    model = ClapModel.from_pretrained(folder).float().eval().to(_device())
    return (
        model,
        AutoTokenizer.from_pretrained(folder),
        ClapFeatureExtractor.from_pretrained(folder),
    )


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _folder(source: str) -> Path:
    """A local folder, or a repository of the hub, without the weights of other frameworks.

    Raises ConnectionError if it cannot be downloaded.
    """
    from huggingface_hub import snapshot_download

    if (folder := Path(source).expanduser()).is_dir():
        return folder
    for weights in ("model.safetensors", "pytorch_model.bin"):
        try:
            kinds = ["*.json", "merges.txt", weights]
            folder = Path(snapshot_download(source, allow_patterns=kinds))
        except Exception as error:
            raise ConnectionError(
                f"{source} could not be downloaded ({type(error).__name__}: {error}): expected a "
                "repository of the hub and a network, or a folder that has its files"
            ) from error
        if (folder / weights).is_file():
            break
    return folder
