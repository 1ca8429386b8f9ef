"""What a last lesson is taught with: drawings of one kind, the most typical, all placed alike."""

import numpy as np
import pytest

from itskit.training import curate


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
        canvas = curate.centred(np.random.default_rng(seed), block(*shape))
        rows, columns = (np.nonzero((canvas > 0.4).any(axis))[0] for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(112, abs=1)
        for place in (rows, columns):
            assert abs(place[0] + place[-1] - 127) <= 1
        assert 0.78 <= np.median(canvas[canvas > 0.4]) <= 1  # grey 100 of 255 became bright


def test_nothing_is_made_of_nothing():
    empty = np.zeros((128, 128), np.uint8)
    assert curate.centred(np.random.default_rng(0), empty).max() == 0


def test_those_of_one_kind_are_found_and_turned_the_same_way():
    kind, turned, other = corner(), corner()[:, ::-1], block(110, 8)
    images = [other, kind, turned, corner(80), corner(60)[:, ::-1], other, corner(100)]
    found = curate.alike(images, each=5)
    assert {place for place, _ in found} == {1, 2, 3, 4, 6}
    ways = dict(found)
    assert ways[1] == ways[3] == ways[6] != ways[2] == ways[4]


def test_what_is_unlike_the_rest_is_left_out_once_there_are_enough():
    images = [corner()] * 4 + [block(110, 8)] * 2
    assert {place for place, _ in curate.alike(images, enough=4)} == {0, 1, 2, 3}
    assert len(curate.alike(images, enough=5)) == 5
    assert len(curate.alike(images[:3])) == 3


def record(name, concept="cat", row=0):
    return {"id": f"{row}/{name}", "name": name, "concept": concept}


def test_mistaken_ones_are_never_chosen():
    assert curate.fits(record("cat")) and curate.fits(record("crescent moon", "moon"))
    assert not curate.fits(record("full moon", "moon"))
    assert curate.fits(record("police light", "siren"))
    assert not curate.fits(record("alarm", "siren"))
    assert curate.fits(record("train", "train"))
    assert not curate.fits(record("bullet train", "train"))
    assert not curate.fits(record("japanese castle", "castle"))
    assert not curate.fits(record("viola", "violin") | {"id": "game-icons/viola"})


def test_drawings_that_a_scorer_names_are_chosen_from_if_they_are_enough():
    images = np.stack([corner()] * 12)
    records = [record("cat", row=k) for k in range(12)]
    sure = [-0.1] * 8 + [-2.0] * 4
    rows = list(range(12))
    chosen = curate.typical(rows, images, records, sure.__getitem__)
    assert sorted(row for row, _ in chosen) == list(range(8))
    chosen = curate.typical(rows, images, records, [*sure[1:], -2.0].__getitem__)
    assert len(chosen) == 12  # seven are too few


def test_the_clips_that_are_heard_through_drawings_are_chosen():
    heard = {3: -0.5, 5: -4.0, 8: -0.1, 9: -2.0}
    assert curate.heard_through([3, 5, 8, 9], heard.__getitem__, each=3) == [8, 3, 9]
    assert curate.heard_through([5], heard.__getitem__) == [5]
