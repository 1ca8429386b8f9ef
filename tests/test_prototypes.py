"""What a last lesson is taught with: drawings of one kind, the most typical, all placed alike."""

import numpy as np
import pytest

from itskit.training.dataset import prototypes
from itskit.training.dataset.captions import CORE_SOUNDS


def block(height, width, grey=100):
    image = np.zeros((128, 128), np.uint8)
    image[5 : 5 + height, 9 : 9 + width] = grey
    return image


def corner(size=90):
    """A triangle with its right angle down on the left."""
    rows, columns = np.mgrid[:128, :128]
    inside = (rows > 10) & (rows < 10 + size) & (columns > 10) & (columns < rows)
    return (200 * inside).astype(np.uint8)


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (40, 40), (100, 3)])
def test_drawings_are_centred_equally_large_and_bright(shape):
    for seed in range(6):
        canvas = prototypes.centred(np.random.default_rng(seed), block(*shape))
        rows, columns = (np.nonzero((canvas > 0.4).any(axis))[0] for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(112, abs=1)
        for place in (rows, columns):
            assert abs(place[0] + place[-1] - 127) <= 1
        assert 0.78 <= np.median(canvas[canvas > 0.4]) <= 1  # grey 100 of 255 became bright


def test_nothing_is_made_of_nothing():
    empty = np.zeros((128, 128), np.uint8)
    assert prototypes.centred(np.random.default_rng(0), empty).max() == 0


def test_those_of_one_kind_are_found_and_turned_the_same_way():
    kind, turned, other = corner(), corner()[:, ::-1], block(110, 8)
    images = [other, kind, turned, corner(80), corner(60)[:, ::-1], other, corner(100)]
    found = prototypes.alike(images, [0.0] * 7, each=5)
    assert {place for place, _ in found} == {1, 2, 3, 4, 6}
    ways = dict(found)
    assert ways[1] == ways[3] == ways[6] != ways[2] == ways[4]


def test_what_is_unlike_the_rest_is_left_out_once_there_are_enough():
    images = [corner()] * 4 + [block(110, 8)] * 2
    assert {place for place, _ in prototypes.alike(images, [0.0] * 6, enough=4)} == {0, 1, 2, 3}
    assert len(prototypes.alike(images, [0.0] * 6, enough=5)) == 5
    assert len(prototypes.alike(images[:3], [0.0] * 3)) == 3


def disc(grey):
    """With a face: `grey` eyes and mouth."""
    rows, columns = np.mgrid[:128, :128]
    image = np.where(np.hypot(rows - 64, columns - 64) < 50, 200, 0)
    image[(np.abs(rows - 50) < 6) & (np.abs(np.abs(columns - 64) - 20) < 6)] = grey
    image[(np.abs(rows - 85) < 4) & (np.abs(columns - 64) < 20)] = grey
    return image.astype(np.uint8)


def test_outlines_that_tell_what_it_is_are_preferred_to_discs_that_are_more_alike():
    tailed = [np.maximum(corner(), block(*bar)) for bar in ((8, 60), (40, 8))]
    images = [disc(30), disc(60), disc(90), disc(120), corner(), *tailed]
    told = [-6.0] * 4 + [-0.1] * 3
    found = prototypes.alike(images, told, each=3, enough=3)
    assert {place for place, _ in found} == {4, 5, 6}
    found = prototypes.alike(images, [-6.0] * 7, each=3, enough=3)
    assert {place for place, _ in found} <= {0, 1, 2, 3}


def test_a_silhouette_knows_nothing_of_what_is_inside():
    faces = [prototypes.silhouette(disc(grey) / 255) for grey in (0, 120)]
    assert np.array_equal(*faces) and set(np.unique(faces)) == {0, 1}
    rows, columns = np.mgrid[:128, :128]
    ring = np.abs(np.hypot(rows - 64, columns - 64) - 48) < 2  # the same, as a line
    assert np.abs(prototypes.silhouette(ring.astype(float)) - faces[0]).mean() < 0.01
    assert prototypes.silhouette(np.zeros((128, 128))).max() == 0


def test_clips_of_one_texture_are_found_wherever_they_begin():
    def beats(period, start):
        canvas = np.zeros((128, 512), np.float32)
        canvas[40:60, start::period] = 1
        return canvas

    clips = [beats(32, 0), beats(50, 3), beats(32, 9), beats(32, 17), beats(80, 1), beats(32, 25)]
    textures = np.stack([prototypes.texture_of(clip) for clip in clips])
    assert np.abs(textures[0] - textures[2]).max() < 0.02 * textures[0].max()
    # Four of them and no more are alike by the limit of half a cosine, and four are enough.
    found = prototypes.prototype_clips(textures - textures.mean(0), [0.0] * 6)
    assert set(found) == {0, 2, 3, 5}
    assert prototypes.prototype_clips(textures[:1], [-3.0]) == [0]


def record(name, concept="cat", row=0):
    return {"id": f"{row}/{name}", "name": name, "concept": concept}


def test_mistaken_ones_are_never_chosen():
    assert prototypes.fits(record("cat")) and prototypes.fits(record("crescent moon", "moon"))
    assert not prototypes.fits(record("full moon", "moon"))
    assert prototypes.fits(record("police light", "siren"))
    assert not prototypes.fits(record("alarm", "siren"))
    assert prototypes.fits(record("train", "train"))
    assert not prototypes.fits(record("bullet train", "train"))
    assert not prototypes.fits(record("japanese castle", "castle"))
    assert not prototypes.fits(record("viola", "violin") | {"id": "game-icons/viola"})
    assert not prototypes.fits(record("pig", "pig"))
    assert prototypes.fits(record("pig", "pig") | {"id": "game-icons/pig"})


def test_a_typical_clip_is_what_one_thinks_of_at_the_word_of_its_class():
    def right(kind, caption):
        return prototypes.sounds_right(
            {"class": kind, "captions": [caption, "a recording of a bee"]}
        )

    assert right("bee_buzz", "bees buzzing") and not right("bee_buzz", "a mosquito buzzing")
    assert right("organ", "a church pipe organ") and not right("organ", "an electric organ")
    assert right("cow_moo", "a bull bellowing")  # no rule
    assert set(prototypes.HEARD) <= CORE_SOUNDS


def test_drawings_that_a_scorer_names_are_chosen_from_if_they_are_enough():
    images = np.stack([corner()] * 12)
    records = [record("cat", row=k) for k in range(12)]
    sure = [-0.1] * 8 + [-2.0] * 4
    rows = list(range(12))

    def chosen(drawn):
        named = list(zip(drawn, sure, strict=True))  # as drawn, as a silhouette
        return sorted(
            row
            for row, _ in prototypes.prototype_drawings(rows, images, records, named.__getitem__)
        )

    for drawn in (sure, [*sure[1:], -2.0]):  # seven are too few: by outlines alone
        assert len(chosen(drawn)) == 6 and set(chosen(drawn)) < set(range(8))
    assert chosen([-2.0] * 2 + [-0.1] * 10) == list(range(2, 8))
