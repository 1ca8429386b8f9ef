"""The canvases of `canvas.py` on a GPU, many at once: for a machine that learns faster than its
processors make them.

What those draw at random is an argument of the functions here, so that both can be compared;
`DeviceCompositor` draws it. Everything is float32 in [0, 1] on one device, and nothing waits for
it.
"""

from copy import copy
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import beta
from torch.nn import functional as F

from ...baselines.printing import loudest, press_into
from .augment import redrawn_some, rerecorded_some
from .canvas import (
    COLUMNS,
    CUT,
    DECIBELS,
    LEVEL,
    LOUDEST,
    PROTOTYPE_SIZES,
    QUIET,
    ROWS,
    SIZES,
    STANDS,
    TILT,
)
from .composites import Batch, Selection

FRAME = 184  # a square of ROWS pixels, turned in any way, has room in it
SEEN = 16.5 / 255  # what is darker is black: 16 of 255


class Placing(NamedTuple):
    """How each of N drawings is placed, (N,) each."""

    degrees: torch.Tensor  # turned counterclockwise, after it was mirrored
    mirrored: torch.Tensor  # bool
    size: torch.Tensor  # pixels of its longer side
    low: torch.Tensor  # 0 at the top, 1 at the bottom
    left: torch.Tensor  # 0 at the left, 1 at the right
    brightness: torch.Tensor


def placed(images, how: Placing):
    """Drawings (N, 128, 128) on black squares: mirrored, turned, cut out, scaled and moved."""
    images = torch.where(how.mirrored[:, None, None], images.flip(2), images)
    turned = rotated(images, how.degrees)  # (N, FRAME, FRAME)
    top, bottom = bounds(turned.amax(2))
    left, right = bounds(turned.amax(1))
    rows, columns = bottom - top, right - left  # (N,)
    scale = how.size / torch.maximum(rows, columns).clamp(min=1)
    height, width = (rows * scale).round().clamp(min=4), (columns * scale).round().clamp(min=4)
    y = (how.low * (ROWS - height)).round()
    x = (how.left * (ROWS - width + 1)).floor().minimum(ROWS - width)
    y, in_y = sampled(y, height, top, rows)
    x, in_x = sampled(x, width, left, columns)  # (N, 2·ROWS)
    n = len(images)
    grid = torch.stack(
        [x[:, None, :].expand(n, 2 * ROWS, 2 * ROWS), y[:, :, None].expand(n, 2 * ROWS, 2 * ROWS)],
        3,
    )
    fine = F.grid_sample(turned[:, None], grid, "bicubic", "border", align_corners=False)
    fine = fine.clamp(0, 1) * (in_y[:, None, :, None] & in_x[:, None, None, :])
    return F.avg_pool2d(fine, 2)[:, 0] * how.brightness[:, None, None]


def rotated(images, degrees):
    """(N, 128, 128), counterclockwise about the centre, → (N, FRAME, FRAME): nothing is cut off."""
    angle = torch.deg2rad(degrees)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack([cos, -sin, zero, sin, cos, zero], 1).view(-1, 2, 3) * (FRAME / ROWS)
    grid = F.affine_grid(turn, (len(images), 1, FRAME, FRAME), align_corners=False)
    return F.grid_sample(images[:, None], grid, "bicubic", align_corners=False)[:, 0].clamp(0, 1)


def bounds(profile):
    """First and last + 1 place where something is seen (N, n) → float (N,) each; 0, 0 if none."""
    seen = (profile > SEEN).float()
    first, last = seen.argmax(1), seen.shape[1] - seen.flip(1).argmax(1)
    any_seen = seen.amax(1)
    return first * any_seen, last * any_seen


def sampled(start, length, first, count):
    """Where twice as many places as a square has (N, 2·ROWS) lie in the frame, from -1 to 1, when
    `count` of its pixels from `first` on are shown on `length` from `start` on; and which of them
    are among these."""
    places = (torch.arange(2 * ROWS, device=start.device) + 0.5) / 2
    share = (places - start[:, None]) / length[:, None]
    inside = (share > 0) & (share < 1) & (count[:, None] > 0)
    return (first[:, None] + share * count[:, None]) / FRAME * 2 - 1, inside


class Clips:
    """Mel pictures (128, n) uint8 of clips, at one rate or more, one after the other on a device.

    An entry is one clip at one rate: `entries[clip]` is its first, and `rates[clip]` says how many.
    """

    def __init__(self, mels, device):
        flat = [mel for rates in mels for mel in rates]
        counts = np.array([len(rates) for rates in mels])
        lengths = np.array([mel.shape[1] for mel in flat])
        # as `canvas.fill_with_sound` looks at them
        backgrounds = [np.quantile(mel / np.float32(255), 0.1, axis=1) for mel in flat]
        go_on = [m.shape[1] > 100 and m[:, -8:].mean() > 0.75 * m.mean() for m in flat]

        def on_device(values, dtype):
            return torch.as_tensor(np.asarray(values), dtype=dtype, device=device)

        self.entries = on_device(np.cumsum(counts) - counts, torch.long)
        self.rates = on_device(counts, torch.long)
        self.frames = torch.from_numpy(np.concatenate(flat, 1).T.copy()).to(device)  # (all, 128)
        self.starts = on_device(np.cumsum(lengths) - lengths, torch.long)
        self.lengths = on_device(lengths, torch.long)
        self.backgrounds = on_device(backgrounds, torch.float32)  # (entries, 128)
        self.go_on = on_device(go_on, torch.bool)
        self.repeats = COLUMNS // int(lengths.min()) + 1


class Filling(NamedTuple):
    """How N sounds fill their canvases; all but `offset` and `noise` are shares from 0 to 1."""

    start: torch.Tensor  # (N,) where in a long clip a window begins
    offset: torch.Tensor  # (N,) columns before a short one begins
    pause: torch.Tensor  # (N,) how long its pauses are
    gaps: torch.Tensor  # (N, clips.repeats) how long each of them is
    noise: torch.Tensor  # (N, 128, 512) normal, of the pauses
    level: torch.Tensor  # (N,) how loud the loudest is


def filled(clips: Clips, entries, how: Filling):
    """Entries (N,) on canvases (N, 128, 512): windows of long ones, repetitions of short ones."""
    length = clips.lengths[entries]
    window = (how.start * (length - COLUMNS + 1)).long().clamp(min=0)
    offset = torch.where(length >= COLUMNS, 0, how.offset)
    place, within = repeated(length, clips.go_on[entries], offset, how)
    place = torch.where((length >= COLUMNS)[:, None], window[:, None] + place, place)
    rows = clips.starts[entries][:, None] + place.clamp(min=0).minimum(length[:, None] - 1)
    sound = clips.frames[rows].transpose(1, 2).float() / 255  # (N, 128, 512)
    background = clips.backgrounds[entries][:, :, None]
    sound = faded(sound, background, length, clips.go_on[entries], place)
    pause = (background + how.noise * (4 / DECIBELS)).clamp(0, 1) * (background > 0)
    return levelled(torch.where(within[:, None], sound, pause), how.level)


def repeated(length, goes_on, offset, how: Filling):
    """For each column (N, 512): the frame of its clip, and whether it is one, not a pause."""
    pause = torch.where(goes_on, 0.0, (8 + how.pause * (22 + 0.6 * length)).floor())  # (N,)
    gaps = (pause[:, None] * (0.8 + 0.45 * how.gaps)).floor().long()  # (N, repeats)
    ends = offset[:, None] + (length[:, None] + gaps).cumsum(1)
    columns = torch.arange(COLUMNS, device=length.device).expand(len(length), -1).contiguous()
    turn = torch.searchsorted(ends, columns, right=True).clamp(max=ends.shape[1] - 1)
    begins = torch.cat([offset[:, None], ends[:, :-1]], 1).gather(1, turn)
    place = columns - begins
    return place, (place >= 0) & (place < length[:, None])


def faded(sound, background, length, goes_on, place):
    """The last four frames of a short clip that does not go on end in its background."""
    last = (place - length[:, None] + 4).clamp(-1, 3)  # 0 to 3 of the last four
    fall = torch.where(last >= 0, 0.8 - last * (0.7 / 3), 1.0)
    stays = goes_on | (length < 16) | (length >= COLUMNS)
    fall = torch.where(stays[:, None], 1.0, fall)[:, None]  # (N, 1, 512)
    return torch.maximum(sound * fall, torch.minimum(sound, background))


def levelled(canvas, level):
    """The loudest of each canvas (N, 128, 512) near `level` (N,): see `canvas.levelled`."""
    low, high = LOUDEST
    shift = (low + (high - low) * level)[:, None, None] - loudest(canvas)
    shift = shift.clamp(-20 / DECIBELS, 20 / DECIBELS)
    return torch.where(canvas > 0, (canvas + shift).clamp(0, 1), 0.0)


class DeviceCompositor:
    """Makes canvases on a device of what `Composites` selected, at random by a torch Generator.

    `images` (N, 128, 128) and `mels` are those of a `Compositor`.
    """

    def __init__(self, images, mels, device="cpu", seed=0):
        self.device = torch.device(device)
        self.images = torch.from_numpy(images).to(self.device)  # (N, 128, 128) uint8
        self.bright = torch.tensor([brightest(image) for image in images]).to(self.device)
        self.clips = Clips(mels, self.device)
        # what stands low in a picture (beta distribution), as shares of its inverse
        low = beta.ppf(np.linspace(0, 1, 1025), *STANDS).astype(np.float32)
        self.stands = torch.from_numpy(low).to(self.device)
        self.generator = None
        if self.device.type != "meta":
            self.generator = torch.Generator(self.device).manual_seed(seed)

    def seeded(self, seed):
        """The same drawings and clips with a generator of its own."""
        other = copy(self)
        other.generator = torch.Generator(self.device).manual_seed(seed)
        return other

    def random(self, *shape, low=0.0, high=1.0):
        share = torch.rand(shape, generator=self.generator, device=self.device)
        return low + (high - low) * share

    def normal(self, *shape):
        return torch.randn(shape, generator=self.generator, device=self.device)

    def whole(self, low, high, shape):
        """Whole numbers from `low` to `high` - 1."""
        return torch.randint(low, high, shape, generator=self.generator, device=self.device)

    def placing(self, turned) -> Placing:
        """For N drawings that are to be mirrored (1), not (0), or by chance (-1)."""
        n = len(turned)
        known = turned >= 0
        place = self.random(n) * (len(self.stands) - 1)
        low = torch.lerp(*(self.stands[at.long()] for at in (place.floor(), place.ceil())),
                         place.frac())  # fmt: skip
        size = torch.where(known, self.random(n, low=PROTOTYPE_SIZES[0], high=PROTOTYPE_SIZES[1]),
                           self.random(n, low=SIZES[0], high=SIZES[1]))  # fmt: skip
        mirrored = torch.where(known, turned == 1, self.random(n) < 0.5)
        brightness = self.random(n, low=0.8, high=1.0)
        return Placing(TILT * self.normal(n), mirrored, size, low, self.random(n), brightness)

    def squares(self, rows, turned, alter=None):
        """The drawings `rows` (N,) → (N, 128, 128), altered first by `alter`."""
        bright = torch.where(turned >= 0, self.bright[rows], 1.0)
        images = (self.images[rows].float() / 255 / bright[:, None, None]).clamp(0, 1)
        return placed(alter(self, images) if alter else images, self.placing(turned))

    def drawings(self, selection: Selection, alter=None):
        """(N, 128, 512)."""
        rows, turned = (
            selection.drawings.to(self.device),
            selection.turned.to(self.device),
        )  # (N, 4)
        squares = self.squares(rows.flatten(), turned.flatten(), alter).view(
            *rows.shape, ROWS, ROWS
        )
        return squares.permute(0, 2, 1, 3).flatten(2)

    def sounds(self, selection: Selection):
        """(N, 128, 512)."""
        first = self.clips.entries[selection.clips.to(self.device)]
        entries = first + selection.rates.to(self.device)
        return filled(self.clips, entries, self.filling(len(entries)))

    def filling(self, n) -> Filling:
        offset = self.whole(0, 40, (n,)) * (self.random(n) < 0.5)
        return Filling(self.random(n), offset, self.random(n), self.random(n, self.clips.repeats),
                       self.normal(n, ROWS, COLUMNS), self.random(n))  # fmt: skip

    def quiet(self, drawings):
        return drawings * self.random(len(drawings), 1, 1, low=QUIET[0], high=QUIET[1])

    def printed(self, drawings, sounds):
        n = len(drawings)
        level = self.random(n, 1, 1, low=LEVEL[0], high=LEVEL[1])
        cut = self.random(n, 1, 1, low=CUT[0], high=CUT[1])
        return press_into(drawings, sounds, DECIBELS, level=level, cut=cut)

    def made(self, batch: Batch) -> Batch:
        """A selection as canvases (N, 128, 512) float32; latents stay what they are."""
        selection = batch.pictures
        if not isinstance(selection, Selection):
            return batch
        pictures, sounds = self.drawings(selection), self.sounds(selection)
        if batch.composites:
            both = self.printed(pictures, sounds)
            return batch._replace(pictures=both, sounds=both)
        return batch._replace(pictures=self.quiet(pictures), sounds=sounds)

    def varied(self, selection: Selection, sense):
        """(N, 128, 512) for the scorer of a sense: half of its drawings or clips by another hand or
        recorded elsewhere; a third of all has that sense alone."""
        drawings = self.drawings(selection, redrawn_some if sense == "image" else None)
        sounds = self.sounds(selection)
        if sense == "sound":
            sounds = rerecorded_some(self, sounds)
        alone = self.quiet(drawings) if sense == "image" else sounds
        share = self.random(len(sounds), 1, 1)
        return torch.where(share < 1 / 3, alone, self.printed(drawings, sounds))

    def crops(self, size, rows, clips):
        """(size, 1, 128, 128) of what an autoencoder learns, in the order of `canvas.crops`: any of
        the drawings `rows` and `clips` (tensors on the device)."""
        n = size
        drawn = rows[self.whole(0, len(rows), (n,))]
        drawings = self.squares(drawn, torch.full_like(drawn, -1))
        played = clips[self.whole(0, len(clips), (n,))]
        rates = (self.random(n) * self.clips.rates[played]).long()
        sounds = filled(self.clips, self.clips.entries[played] + rates, self.filling(n))
        columns = self.whole(0, COLUMNS - ROWS + 1, (n,))[:, None]
        columns = columns + torch.arange(ROWS, device=self.device)  # (n, 128)
        sounds = sounds.gather(2, columns[:, None].expand(-1, ROWS, -1))
        alone = torch.where(self.random(n, 1, 1) < 0.2, drawings, self.quiet(drawings))
        kind = (torch.arange(n, device=self.device) % 4)[:, None, None]
        made = torch.where(kind == 0, sounds, self.printed(drawings, sounds))
        return torch.where(kind == 1, alone, made)[:, None]


def brightest(image) -> float:
    """What of a drawing (128, 128) uint8 is to be white, in [0, 1]: see `Compositor.square`."""
    seen = image[image > 16]
    return max(1.0, float(np.percentile(seen, 90))) / 255 if len(seen) else 1.0
