"""Models without weights against closed forms, slow loops, and each other."""

import math
from itertools import product

import pytest
import torch
from toys import SHAPE, pair

import itskit
from itskit import ideal
from itskit.guidance import Guide, encode_prompt, estimate_noise
from itskit.sampling import init_latent
from itskit.schedule import stable_diffusion_alpha_bar

TOYS = pair()
ALPHA_BAR = stable_diffusion_alpha_bar()
TO_THE_END = {"solver": "dpmpp_2m", "spacing": "trailing"}  # no noise is left over


def some(count, columns=SHAPE[2], seed=0):
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(count, SHAPE[0], SHAPE[1], columns, generator=generator)
    return {f"thing {k}": one[None] for k, one in enumerate(latents)}


def clean_of(modality, x, t, prompt="thing"):
    """E[clean | x], from the noise that a modality finds."""
    noise = estimate_noise(Guide(modality, encode_prompt(modality, prompt), scale=1), x, t)
    a = ALPHA_BAR[t]
    return (x - (1 - a) ** 0.5 * noise) / a**0.5


@pytest.mark.parametrize("t", [20, 500, 999])
def test_two_opposite_items_are_a_hyperbolic_tangent(t):
    thing = 0.05 * some(1)["thing 0"]
    model = ideal.memory(TOYS.image, {"plus": thing, "minus": -thing})
    x, a = init_latent(TOYS, [1, 2, 3]), float(ALPHA_BAR[t])
    lean = (x * thing).sum((1, 2, 3)) * a**0.5 / (1 - a)
    truth = lean.tanh()[:, None, None, None] * thing
    torch.testing.assert_close(clean_of(model, x, t), truth, atol=2e-3, rtol=1e-3)


def slowly(x, items, size, t, moves):
    """The middle of all patches, each weighted by hand. x (C, h, w), items (K, C, H, W)."""
    a, half = float(ALPHA_BAR[t]), size // 2
    pad = torch.nn.ZeroPad2d(half)
    padded, others = pad(x[None])[0].double(), pad(items).double()
    found = torch.zeros_like(x)
    for row, column in product(range(x.shape[1]), range(x.shape[2])):
        seen = padded[:, row : row + size, column : column + size]
        weights, middles = [], []
        for k, r, c in product(range(len(items)), *map(range, items.shape[2:])):
            if (moves != "anywhere" and r != row) or (moves == "in its place" and c != column):
                continue
            patch = others[k][:, r : r + size, c : c + size]
            weights.append(-float(((seen - a**0.5 * patch) ** 2).sum()) / (2 * (1 - a)))
            middles.append(items[k][:, r, c])
        likely = torch.softmax(torch.tensor(weights), 0).float()
        found[:, row, column] = (likely[:, None] * torch.stack(middles)).sum(0)
    return found


@pytest.mark.parametrize("moves", list(ideal.MOVES))
@pytest.mark.parametrize(("size", "t"), [(1, 700), (3, 900), (5, 300)])
def test_patches_are_what_slow_loops_find(moves, size, t):
    items = {name: one[..., :4, :5] for name, one in some(2).items()}
    small = torch.cat(list(items.values()))
    x = init_latent(TOYS, 3)[0][:, :4, :5]
    model = ideal.patches(TOYS.image, items, size=size, moves=moves)
    shares = model.encode_prompt("thing")
    noise = model.predict_noise(x[None], t, shares)[0]
    a = ALPHA_BAR[t]
    clean = (x - (1 - a) ** 0.5 * noise) / a**0.5
    torch.testing.assert_close(clean, slowly(x, small, size, t, moves), atol=1e-3, rtol=1e-3)


def test_who_sees_the_whole_canvas_from_everywhere_remembers():
    items = some(3)
    whole = ideal.patches(TOYS.image, items, size=2 * SHAPE[2] - 1, moves="in its place")
    known = ideal.memory(TOYS.image, items)
    x = init_latent(TOYS, [1, 2])
    for t in (300, 990):
        torch.testing.assert_close(
            clean_of(whole, x, t), clean_of(known, x, t), atol=2e-3, rtol=1e-2
        )


def test_patches_move_with_the_canvas():
    """Away from the edges, what is shifted is answered the same, shifted."""
    model = ideal.patches(TOYS.image, some(2), size=3)
    x = init_latent(TOYS, 5)
    once, shifted = clean_of(model, x, 800), clean_of(model, x.roll((1, 2), (2, 3)), 800)
    torch.testing.assert_close(
        shifted[..., 3:-1, 4:-1], once.roll((1, 2), (2, 3))[..., 3:-1, 4:-1], atol=1e-4, rtol=1e-3
    )
    in_row = ideal.patches(TOYS.image, some(2), size=3, moves="in its row")
    other = clean_of(in_row, x.roll(1, 2), 800)[..., 3:-1, 2:-2]
    assert not torch.allclose(other, clean_of(in_row, x, 800).roll(1, 2)[..., 3:-1, 2:-2], atol=0.1)


def test_the_size_may_follow_the_step():
    items, x = some(2), init_latent(TOYS, 1)
    model = ideal.patches(TOYS.image, items, size=lambda t: 5 if t > 500 else 1)
    for t, size in ((800, 5), (200, 1)):
        fixed = ideal.patches(TOYS.image, items, size=size)
        assert torch.equal(clean_of(model, x, t), clean_of(fixed, x, t))


def test_memory_makes_what_it_was_shown_each_as_often():
    items = some(2)
    known = ideal.pair(TOYS, items, items, **TO_THE_END)
    run = itskit.compose(known, "thing", None, seeds=range(120), progress=False)
    names = [ideal.nearest(TOYS.image, items, one[None]) for one in run.latent]
    assert max(off for _, off in names) < 1e-3
    count = sum(name == ["thing 0"] for name, _ in names)
    assert abs(count - 60) < 3 * math.sqrt(30)


def test_words_choose_the_items_with_most_of_them_and_a_row_of_squares_is_remembered():
    squares = some(4, columns=4)
    squares = dict(zip(["star 5", "star 6", "ring 5", "ring 6"], squares.values(), strict=True))
    known = ideal.pair(TOYS, squares, some(2, seed=1), **TO_THE_END)

    def names(prompt):
        run = itskit.compose(known, prompt, None, seed=2, progress=False)
        found, off = ideal.nearest(TOYS.image, squares, run.latent)
        assert off < 1e-3 and len(found) == 4
        return set(found)

    assert names("a Ring 6!") == {"ring 6"}
    assert names("star") <= {"star 5", "star 6"}
    with pytest.warns(UserWarning, match="not known: a whale; known: star 5, star 6"):
        assert len(names("a whale")) > 1


def test_two_memories_meet_in_the_middle():
    things, others = some(3), some(3, seed=1)
    known = ideal.pair(TOYS, things, others, **TO_THE_END)
    run = itskit.compose(known, "thing", "thing", seed=1, progress=False)
    (one,), _ = ideal.nearest(TOYS.image, things, 2 * run.latent)
    middle = min(
        float((run.latent - (things[one] + other) / 2).abs().max()) for other in others.values()
    )
    assert middle < 1e-3


def test_nearest_measures_in_sizes_of_the_item():
    items = some(2)
    assert ideal.nearest(TOYS.image, items, items["thing 1"]) == (["thing 1"], 0)
    assert ideal.nearest(TOYS.image, items, 0 * items["thing 1"])[1] == pytest.approx(1)
    assert ideal.nearest(TOYS.image, items, 3 * items["thing 0"])[1] == pytest.approx(2)


def test_what_cannot_be_remembered_is_refused():
    with pytest.raises(ValueError, match="no items"):
        ideal.memory(TOYS.image, {})
    with pytest.raises(ValueError, match="expected one size"):
        ideal.memory(TOYS.image, {**some(1), "narrow": some(1, 4)["thing 0"]})
    with pytest.raises(ValueError, match="anywhere"):
        ideal.patches(TOYS.image, some(1), moves="up")
    with pytest.raises(ValueError, match="odd"):
        clean_of(ideal.patches(TOYS.image, some(1), size=4), init_latent(TOYS, 1), 500)
    with pytest.raises(ValueError, match="as wide as the canvas"):
        clean_of(ideal.memory(TOYS.image, some(1, 5)), init_latent(TOYS, 1), 500)
    in_place = ideal.patches(TOYS.image, some(1, 4), moves="in its place")
    with pytest.raises(ValueError, match="as wide as the canvas"):
        clean_of(in_place, init_latent(TOYS, 1), 500)
