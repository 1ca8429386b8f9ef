"""The two U-Nets: text to picture, text to sound, each on its own bank of latents."""

import numpy as np
import torch

from ..schedule import stable_diffusion_alpha_bar
from .bank import row_of_tiles
from .captions import class_weight, concept_weight, picture_caption, sound_caption

DROPOUT = 0.12  # of the captions, for classifier-free guidance (Ho & Salimans 2022)


class TextBank:
    """Texts encoded once, kept in half precision: 18 kB each. When there are `limit`, all go."""

    def __init__(self, encoder, limit=50_000):
        self.encoder, self.limit, self.rows = encoder, limit, {}

    def __call__(self, texts):
        if len(self.rows) >= self.limit:
            self.rows = {}
        new = [t for t in dict.fromkeys(texts) if t not in self.rows]
        for k in range(0, len(new), 256):
            for text, row in zip(new[k : k + 256], self.encoder(new[k : k + 256]), strict=True):
                self.rows[text] = row.half()
        return torch.stack([self.rows[t] for t in texts]).float()  # (N, 24, 384)


class Pictures:
    """Batches of picture latents and captions; `wide` ones are whole canvases."""

    def __init__(self, bank, records):
        self.latents, self.spans = bank["latents"], bank["spans"]
        shares, which = concept_shares(records), bank["which"].tolist()
        self.rows_of: dict[str, list[int]] = {}
        for row, k in enumerate(which):
            if shares[records[k]["concept"]] > 0:
                self.rows_of.setdefault(records[k]["concept"], []).append(row)
        self.names = sorted(self.rows_of)
        weights = [shares[name] for name in self.names]
        self.weights = np.array(weights) / sum(weights)

    @staticmethod
    def caption(rng, concept):
        return picture_caption(rng, concept, row=rng.random() < 0.5)

    def batch(self, rng, size, columns):
        """Latents (size, 4, 16, columns), their captions, and their places in `names`."""
        latents, texts = [], []
        labels = rng.choice(len(self.names), size, p=self.weights)
        for label in labels:
            rows = self.rows_of[self.names[label]]
            if columns == 16:
                latents.append(self.latents[rows[rng.integers(len(rows))]].float())
            else:
                # mostly one drawing repeated, sometimes a mixed crowd
                some = rng.choice(rows, 1 if rng.random() < 0.6 else 4)
                latents.append(
                    row_of_tiles(rng, self.latents[some].float(), self.spans[some], columns)
                )
            texts.append(picture_caption(rng, self.names[label], row=columns > 16))
        return torch.stack(latents), texts, torch.from_numpy(labels)


class Sounds:
    """Batches of sound latents and captions; narrow ones are windows of whole canvases."""

    def __init__(self, bank, records):
        self.latents, self.records = bank["latents"], records
        self.which = bank["which"].tolist()
        names = [records[k]["class"] for k in self.which]
        self.names = sorted(set(names))
        self.clips = {name: [] for name in self.names}
        for k in sorted(set(self.which)):
            self.clips[records[k]["class"]].append(k)
        self.labels = torch.tensor([self.names.index(name) for name in names])
        self.weights = clip_weights(records, self.which)

    def caption(self, rng, name):
        clips = self.clips[name]
        return sound_caption(rng, self.records[clips[rng.integers(len(clips))]])

    def batch(self, rng, size, columns):
        """Latents (size, 4, 16, columns), their captions, and their places in `names`."""
        rows = rng.choice(len(self.which), size, p=self.weights)
        latents = []
        for row in rows:
            start = rng.integers(0, 64 - columns + 1)
            latents.append(self.latents[row, :, :, start : start + columns].float())
        texts = [sound_caption(rng, self.records[self.which[row]]) for row in rows]
        return torch.stack(latents), texts, self.labels[rows]


def noised(latents, alpha_bar, late=1.0):
    """(noisy latents, timesteps, the v that is to be predicted), every timestep alike.

    min-SNR weights (Hang et al. 2023) were tried first: they take the weight from the noisiest
    timesteps, where the words decide what is where, and shapes hardly followed the prompt.
    With `late` < 1 those are drawn more often: t = 1000 u ** late, u uniform.
    """
    t = (1000 * torch.rand(len(latents), device=latents.device) ** late).long().clamp(max=999)
    noise = torch.randn_like(latents)
    a = alpha_bar[t][:, None, None, None]  # (B, 1, 1, 1)
    noisy = a.sqrt() * latents + (1 - a).sqrt() * noise
    return noisy, t, a.sqrt() * noise - (1 - a).sqrt() * latents


def v_loss(unet_call, latents, prompt_embeds, alpha_bar, late=1.0):
    """Mean squared error of v (Salimans & Ho 2022)."""
    noisy, t, target = noised(latents, alpha_bar, late)
    return (unet_call(noisy, t, prompt_embeds) - target).square().mean()


def together_loss(calls, latents, texts, empty, alpha_bar):
    """Mean squared errors of v for canvases that fit both prompts: (composed, image, sound).

    The composed v adds to what no prompt predicts all that either prompt changes, which is the
    blend of equal halves at guidance 2. What two models, each trained alone, get wrong in that sum
    (both claim the same strokes, neither lets the other's be) is what this teaches them.
    `texts` are two batches of states (B, 24, 384), `empty` is that of no prompt.
    """
    noisy, t, target = noised(latents, alpha_bar, late=0.5)  # it is decided early in a run
    return [error.mean() for error in composed_errors(calls, noisy, t, texts, empty, target)]


def composed_errors(calls, noisy, t, texts, empty, target):
    """What `together_loss` is the mean of: squared errors like `target`, of which only those of
    the told predictions have gradients."""
    told = [call(noisy, t, text) for call, text in zip(calls, texts, strict=True)]
    with torch.no_grad():
        alone = [call(noisy, t, empty.expand(len(noisy), -1, -1)) for call in calls]
    composed = sum(told) - sum(alone) / 2
    return [(v - target).square() for v in (composed, *told)]


def loss_function(
    unet_call, source, texts, *, narrow=16, wide=0.75, columns=512, aside=None, device="cpu", seed=0
):
    """One step on narrow crops, or, more and more often up to a share of `wide`, whole canvases.

    `columns` is how many latent columns a batch holds in all, so that the work stays the same.
    `aside` (latents, prompt_embeds) → what else is to be learned of them, `layout_loss`.
    """
    rng = np.random.default_rng(seed)
    alpha_bar = stable_diffusion_alpha_bar().to(device)

    def loss_of(step, progress):
        width = 64 if rng.random() < wide * (1 + 2 * progress) / 3 else narrow
        latents, captions, _ = source.batch(rng, max(1, columns // width), width)
        words, latents = texts(dropped(rng, captions)).to(device), latents.to(device)
        loss = v_loss(unet_call, latents, words, alpha_bar)
        return (loss + aside(latents, words) if aside else loss), {}

    return loss_of


def alone_loss_function(
    call, encode, canvases, texts, aside=None, *, columns=64, device="cpu", seed=0
):
    """Each step one model alone, on the next of `canvases`: (N, 128, 512) and their captions.

    It is shown them in parts of so many latent `columns`, each with its own noise.
    """
    rng = np.random.default_rng(seed)
    alpha_bar = stable_diffusion_alpha_bar().to(device)

    def loss_of(step, progress):
        pixels, captions = next(canvases)
        parts = encode(pixels).split(columns, 3)  # each (N, 4, 16, columns)
        latents, captions = torch.cat(parts), captions * len(parts)
        words = texts(dropped(rng, captions)).to(device)
        loss = v_loss(call, latents, words, alpha_bar, late=0.7)
        if aside is None:
            return loss, {}
        beside = aside(latents, words)
        return loss + beside, {"aside": beside.detach()}

    return loss_of


def together_loss_function(calls, encode, batches, texts, asides, *, device="cpu", seed=0):
    """Each step on the next of `batches` (`loom.Batch`): on canvases that are both, or as each
    model alone knows them. `asides`, (latents, prompt_embeds) → what else each learns of them."""
    rng = np.random.default_rng(seed)
    alpha_bar = stable_diffusion_alpha_bar().to(device)
    empty = texts([""]).to(device)

    def loss_of(step, progress):
        batch = next(batches)
        pictures = encode(batch.pictures)
        latents = (pictures, pictures if batch.woven else encode(batch.sounds))
        captions = (batch.picture_captions, batch.sound_captions)
        words = [texts(dropped(rng, some)).to(device) for some in captions]
        beside = sum(learn(x, w) for learn, x, w in zip(asides, latents, words, strict=True))
        if batch.woven:
            composed, *alone = together_loss(calls, pictures, words, empty, alpha_bar)
            parts = dict(zip(("composed", "image", "sound"), (composed, *alone), strict=True))
            return composed + sum(alone) / 2 + beside, {k: v.detach() for k, v in parts.items()}
        given = zip(calls, latents, words, strict=True)
        return sum(v_loss(c, x, w, alpha_bar, late=0.7) for c, x, w in given) + beside, {}

    return loss_of


def dropped(rng, captions):
    """Some left out, so that the model learns what no prompt predicts."""
    return ["" if rng.random() < DROPOUT else caption for caption in captions]


def concept_shares(records) -> dict[str, float]:
    """concept → how often it is shown, 0 if never."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record["concept"]] = counts.get(record["concept"], 0) + 1
    return {r["concept"]: concept_weight(r, counts[r["concept"]]) for r in records}


def clip_weights(records, which) -> np.ndarray:
    """How often each of the clips `which` is played; the weights' sum is 1.

    A class counts by how much there is of it (`class_weight`), what was recorded more than what was
    synthesised.
    """
    recordings: dict[str, set] = {}
    clips: dict[str, set] = {}
    for k in which:
        recordings.setdefault(records[k]["class"], set()).add(records[k]["rec"])
        clips.setdefault(records[k]["class"], set()).add(k)
    names = [records[k]["class"] for k in which]
    weights = np.array([1.5 if records[k]["kind"] == "real" else 1.0 for k in which])
    totals: dict[str, float] = {}
    for name, weight in zip(names, weights, strict=True):
        totals[name] = totals.get(name, 0.0) + weight
    for row, name in enumerate(names):
        weights[row] *= class_weight(name, len(recordings[name]), len(clips[name])) / totals[name]
    return weights / weights.sum()
