"""The paper's pair at its true size: time a step, a composition, a batch of seeds; peak memory.

    python benchmarks/full_size.py          # random weights of the true sizes, nothing to download
    python benchmarks/full_size.py --tiny   # the same in a minute, with toys: does it run?
    python benchmarks/full_size.py --cpu    # true sizes without a GPU: 12 GB and many minutes
    python benchmarks/full_size.py --fast   # real weights: how few steps stay near the paper's?

The loop that the paper's code runs (half precision, two U-Net calls of batch 2 a step, diffusers'
scheduler, everything decoded once) is timed beside `itskit.compose` in alternating rounds of one
process, so that both meet the same machine. On a CPU: float32 and few steps. Each way of running
the U-Nets is listed with what was expected of it before it was measured.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from functools import partial
from zlib import crc32

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel

import itskit
from itskit.composition import composed
from itskit.models import paper, sd
from itskit.models.devices import Placement
from itskit.models.hifigan import Generator

PROMPTS = "a painting of castle towers, grayscale", "bell ringing"
TRUE = {
    "unet": {"cross_attention_dim": 768, "attention_head_dim": 8},  # diffusers' defaults otherwise
    "vae": {
        "block_out_channels": (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
    },
    "text": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
    "vocoder": {
        "num_mels": 256,
        "upsample_rates": [5, 4, 2, 2, 2],
        "upsample_kernel_sizes": [16, 16, 8, 4, 4],
        "upsample_initial_channel": 1024,
        "resblock": "1",
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    },
}
SMALL = {"block_out_channels": (32, 32, 64, 64), "norm_num_groups": 8}
TINY = {
    "unet": {**SMALL, "cross_attention_dim": 32, "attention_head_dim": 4, "layers_per_block": 1},
    "vae": {**TRUE["vae"], **SMALL, "layers_per_block": 1},
    "text": {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4},
    "vocoder": {**TRUE["vocoder"], "num_mels": 64, "upsample_initial_channel": 64},
}
# What the U-Nets may be run as, and what was expected, on a GPU, before anything was measured.
WAYS = {
    "as loaded": "1.0: both launch-bound at batch 2; one check of each noise for NaN costs < 2%",
    "channels last": "1.05: convolutions save a transposition, attention gains one",
    "fused qkv": "1.02: fewer, larger matrix products",
    "attention by hand": "0.7: what scaled_dot_product_attention saves, as a check",
    "compiled": "1.2: fused normalisation and activations, launches remain",
    "compiled to graphs": "1.6: launches vanish too; the way to 1.5 if anything is",
    "compiled to graphs, channels last": "1.7",
}


class Words:
    """Stands in for CLIP's tokenizer: 77 numbers for a prompt."""

    model_max_length = 77

    def __call__(self, text, **options):
        ids = [49406, *(crc32(word.encode()) % 40000 for word in text.split())][:76]
        ids = ids + [49407] * (77 - len(ids)) if options.get("padding") else [*ids, 49407]
        ids = torch.tensor([ids]) if options.get("return_tensors") else ids
        return argparse.Namespace(input_ids=ids)


def random_parts(sizes: dict, device, dtype) -> tuple[sd.Parts, sd.Parts]:
    """Both models, sharing VAE and text encoder as the real ones do."""
    torch.manual_seed(0)
    with torch.device(device):
        unets = [UNet2DConditionModel(**sizes["unet"]).to(dtype) for _ in range(2)]
        vae = AutoencoderKL(**sizes["vae"]).to(dtype)
        encoder = CLIPTextModel(CLIPTextConfig(vocab_size=49408, **sizes["text"])).to(dtype)
    for unet in unets:
        unet.conv_out.weight.data *= 0.1  # random networks must not blow up over 100 steps
    for network in (*unets, vae, encoder):
        network.eval().requires_grad_(False)
    alpha_bar = scheduler().alphas_cumprod
    return tuple(sd.Parts(unet, vae, encoder, Words(), alpha_bar) for unet in unets)


def scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        set_alpha_to_one=False,
        clip_sample=False,
    )


def twin(unet):
    """The same network with the same tensors, of which either may replace its own."""
    with torch.device("meta"):
        other = UNet2DConditionModel.from_config(unet.config)
    other.load_state_dict(unet.state_dict(), assign=True)
    return other.eval().requires_grad_(False)


# --- the paper's loop ---------------------------------------------------------------------------


@torch.no_grad()
def papers_loop(seeing, hearing, vocoder, steps, size, device, dtype, decode=True):
    """As the paper's code does it: in the networks' own precision, on the device, step by step."""
    scheduler_ = scheduler()
    scheduler_.set_timesteps(steps)

    def embed(parts, text):
        ids = parts.tokenizer(text, padding=True, return_tensors="pt").input_ids.to(device)
        return parts.encoder(ids)[0]

    embeds = [
        torch.cat([embed(parts, ""), embed(parts, prompt)])
        for parts, prompt in zip((seeing, hearing), PROMPTS, strict=True)
    ]
    generator = torch.manual_seed(0)
    latents = torch.randn((1, 4, size[0] // 8, size[1] // 8), generator=generator, dtype=dtype)
    latents = latents.to(device)
    for i, t in enumerate(scheduler_.timesteps):
        noises = []
        for parts, states, start in ((seeing, embeds[0], steps // 10), (hearing, embeds[1], 0)):
            if i >= start:
                both = parts.unet(torch.cat([latents] * 2), t, states).sample
                uncond, cond = both.chunk(2)
                noises.append(uncond + 10.0 * (cond - uncond))
        latents = scheduler_.step(sum(noises) / len(noises), t, latents).prev_sample
    if decode:
        pictures = [p.vae.decode(latents / 0.18215).sample / 2 + 0.5 for p in (seeing, hearing)]
        mel = pictures[1].clamp(0, 1)[0].mean(0).flip(0)
        vocoder((mel * 16.81 - 11.51)[None].float())
    finish(device)


def finish(device) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def seconds(function, device) -> float:
    finish(device)
    start = time.perf_counter()
    function()
    finish(device)
    return time.perf_counter() - start


# --- the measurements ---------------------------------------------------------------------------


class Bench:
    def __init__(self, tiny: bool):
        self.device, self.dtype = (
            ("cuda", torch.float16)
            if torch.cuda.is_available()
            else (
                "cpu",
                torch.float32,
            )
        )
        self.steps = 5 if tiny else 100 if self.device == "cuda" else 2
        self.rounds = 5 if self.device == "cuda" else 2
        self.cheap = tiny or self.device == "cuda"
        sizes = TINY if tiny else TRUE
        self.seeing, self.hearing = random_parts(sizes, self.device, self.dtype)
        self.vocoder = Generator(sizes["vocoder"]).eval().requires_grad_(False).to(self.device)
        self.voice = paper.vocoder_voice(self.vocoder, self.device)
        self.size = self.voice.height, self.voice.width

    def pair(self, change=lambda unet: unet, turns=False):
        """The pair of our code, its U-Nets changed; those of the paper's loop stay as they are."""
        parts = [replace(p, unet=change(twin(p.unet))) for p in (self.seeing, self.hearing)]
        return paper.build("random", *parts, Placement(self.device, self.dtype, turns), self.voice)

    def ours(self, pair, seeds=(0,), decode=True, steps=None):
        steps = steps or self.steps
        settings = {"preset": "paper", "num_inference_steps": steps}
        made = composed(pair, *PROMPTS, seeds=list(seeds), **settings)
        if decode:
            made.picture(), made.sound()

    def paper(self, decode=True):
        where = self.size, self.device, self.dtype
        papers_loop(self.seeing, self.hearing, self.vocoder, self.steps, *where, decode=decode)

    def compare(self, one, other) -> tuple[float, float]:
        """Median seconds of two functions, in alternating rounds after one of each."""
        one(), other()
        rounds = [
            (seconds(one, self.device), seconds(other, self.device)) for _ in range(self.rounds)
        ]
        return tuple(statistics.median(column) for column in zip(*rounds, strict=True))


def changes(device) -> dict:
    """name -> function of a U-Net, in the order of WAYS; compiling makes sense on a GPU only."""

    def channels_last(unet):
        return unet.to(memory_format=torch.channels_last)

    def fused(unet):
        unet.fuse_qkv_projections()
        return unet

    def by_hand(unet):
        unet.set_attn_processor(AttnProcessor())
        return unet

    ways = [lambda unet: unet, channels_last, fused, by_hand]
    if device == "cuda":
        graphs = "reduce-overhead"
        ways.append(torch.compile)
        ways.append(lambda unet: torch.compile(unet, mode=graphs))
        ways.append(lambda unet: torch.compile(channels_last(unet), mode=graphs))
    return dict(zip(WAYS, ways, strict=False))


def report_ways(bench: Bench) -> None:
    print(f"\n{'one composed step':36s}{'paper':>9s}{'ours':>9s}{'faster':>8s}  expected")
    for name, change in changes(bench.device).items():
        pair = bench.pair(change)
        ours = partial(bench.ours, pair, decode=False)
        times = bench.compare(partial(bench.paper, decode=False), ours)
        paper_ms, ours_ms = (1000 * t / bench.steps for t in times)
        gain = paper_ms / ours_ms
        print(f"{name:36s}{paper_ms:6.1f} ms{ours_ms:6.1f} ms{gain:7.2f}x  {WAYS[name]}")


def report_composition(bench: Bench) -> None:
    pair = bench.pair()
    times = bench.compare(bench.paper, lambda: bench.ours(pair))
    print(
        f"\n{bench.steps} steps, decoded and vocoded: paper {times[0]:.2f} s, ours {times[1]:.2f} s"
    )
    print("seeds at once   seconds   per seed   of one alone")
    alone, steps = None, max(2, bench.steps // 5)
    for count in (1, 2, 4, 8) if bench.cheap else (1, 2):
        run = partial(bench.ours, pair, range(count), decode=False, steps=steps)
        run()
        took = seconds(run, bench.device)
        alone = alone or took
        print(f"{count:13d}{took:10.2f}{took / count:11.2f}{took / alone:13.2f}x")


def report_memory(bench: Bench) -> None:
    if bench.device != "cuda":
        print("\nPeak GPU memory: no GPU here.")
        return
    for plan in ("all", "turns"):
        for parts in (bench.seeing, bench.hearing):
            parts.unet.to("cpu")
        torch.cuda.empty_cache()
        pair = bench.pair(turns=plan == "turns")
        torch.cuda.reset_peak_memory_stats()
        took = seconds(partial(bench.ours, pair), bench.device)
        peak = torch.cuda.max_memory_allocated() / 1e9
        print(f"\nmemory={plan!r}: peak {peak:.2f} GB for one composition of {took:.1f} s")


# --- how few steps are as good as the paper's? --------------------------------------------------


def fewest_steps(half, full, seeds=(0, 1)) -> None:
    """The distance of pictures from the paper's preset, for fewer steps and either solver, beside
    what half precision alone does to it: `fast` is the first that stays below that."""

    def pictures(pair, **settings):
        made = composed(pair, *PROMPTS, seeds=list(seeds), **settings)
        return pair.sound.decode(made.latent)

    reference = pictures(full, preset="paper")
    noise = (pictures(half, preset="paper") - reference).abs().mean()
    print(f"\nmean difference of pixels from the paper's preset; half precision: {noise:.4f}")
    for solver in ("ddim", "dpmpp_2m"):
        for steps in (75, 50, 40, 30, 25, 20, 15):
            fewer = {"preset": "paper", "num_inference_steps": steps, "solver": solver}
            distance = (pictures(full, **fewer) - reference).abs().mean()
            mark = "  as near as half precision" if distance <= noise else ""
            print(f"{solver:10s}{steps:4d} steps: {distance:.4f}{mark}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="toys instead of the true sizes")
    parser.add_argument("--cpu", action="store_true", help="true sizes, even if there is no GPU")
    parser.add_argument("--fast", action="store_true", help="measure fewer steps, on real weights")
    parser.add_argument("--threads", type=int, help="threads of torch on the CPU")
    for name in ("image", "sound"):
        parser.add_argument(f"--{name}", help=f"with --fast: another {name} model, id or folder")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.fast:
        models = {"image": arguments.image, "sound": arguments.sound}
        small = torch.float16 if torch.cuda.is_available() else torch.bfloat16
        dtypes = small, torch.float32
        fewest_steps(*(itskit.load_pair("paper", dtype=dtype, **models) for dtype in dtypes))
        return
    tiny = arguments.tiny or not (torch.cuda.is_available() or arguments.cpu)
    if tiny and not arguments.tiny:
        print("No GPU: tiny toys, which say nothing about the true sizes. --cpu measures those.")
    bench = Bench(tiny)
    name = torch.cuda.get_device_name() if bench.device == "cuda" else "CPU"
    what = "tiny toys" if tiny else "true sizes, random weights"
    print(f"{what}; {name}, {bench.dtype}, torch {torch.__version__}; {bench.size} pixels")
    report_composition(bench)
    report_ways(bench)
    report_memory(bench)


if __name__ == "__main__":
    main()
