"""The plots show the numbers that they claim to show."""

import matplotlib

matplotlib.use("Agg")

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from a_run import run
from PIL import Image

from itskit import diagnose, plots
from itskit.spectrogram import PAPER_MEL, row_frequencies


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def trajectory():
    return run(12, silent=3)


def test_agreement_draws_the_cosines(trajectory):
    drawn = plots.agreement(trajectory).lines[0].get_ydata()
    np.testing.assert_array_equal(drawn, diagnose.cosines(trajectory))


def test_norms_draws_one_named_curve_for_each_guide(trajectory):
    ax = plots.norms(trajectory)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["image", "sound"]
    drawn = np.stack([curve.get_ydata() for curve in ax.lines], 1)
    np.testing.assert_array_equal(drawn, diagnose.norms(trajectory))


def test_tug_of_war_fills_the_height(trajectory):
    ax = plots.tug_of_war(trajectory)
    lower, upper = (area.get_paths()[0].vertices for area in ax.collections)
    truth = diagnose.shares(trajectory)[6, 0]
    border = upper[(upper[:, 0] == 6) & (upper[:, 1] < 1)][0, 1]
    assert border == pytest.approx(truth, abs=1e-6)
    assert lower[:, 1].min() == 0
    assert upper[:, 1].max() == pytest.approx(1)


def test_picture_has_hertz_and_seconds(trajectory):
    ax = plots.picture(trajectory)
    assert ax.get_xlim() == pytest.approx((0, 5.12))
    places = dict(zip([t.get_text() for t in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    for label, hertz in (("1k", 1000), ("4k", 4000)):
        row = int(places[label])
        rows = row_frequencies()
        assert rows[row + 1] < hertz < rows[row - 1]


def test_picture_shows_a_step_and_takes_an_array(trajectory):
    shown = plots.picture(trajectory, 4).images[0].get_array()
    np.testing.assert_array_equal(shown, np.asarray(trajectory.picture(4).image))
    ax = plots.picture(np.zeros((256, 100)), mel=PAPER_MEL)
    assert ax.get_xlim() == pytest.approx((0, 1.0))
    with pytest.raises(ValueError, match=r"expected \(H, W\)"):
        plots.picture(np.zeros((3, 8, 8)))


def test_no_hertz_are_shown_where_nobody_knows_them(trajectory):
    sound = replace(trajectory.pair.sound, axis=None)
    foreign = replace(trajectory, pair=replace(trajectory.pair, sound=sound))
    for what in (foreign, np.zeros((128, 512))):
        ax = plots.picture(what)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("column", "row")
        assert ax.get_xlim() == (0, 512)
    ax = plots.picture(np.zeros((128, 512)), axis=trajectory.pair.sound.axis)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xlim()[1]) == ("seconds", "hertz", 5.12)
    with pytest.raises(ValueError, match="100 rows, its axis 128"):
        plots.picture(np.zeros((100, 512)), axis=trajectory.pair.sound.axis)


def test_functions_draw_where_they_are_told(trajectory):
    _, ax = plt.subplots()
    for draw in (plots.agreement, plots.norms, plots.tug_of_war, plots.picture):
        assert draw(trajectory, ax=ax) is ax


def test_steps_run_from_the_first_to_the_last(trajectory):
    axes = plots.steps(trajectory, 5)
    titles = [ax.get_title() for ax in axes.flat if ax.get_title()]
    assert len(titles) == 5
    assert [title.split(",")[0] for title in titles] == [f"step {k}" for k in (0, 3, 6, 8, 11)]
    for title, ax in zip(titles, axes.flat, strict=False):  # what is typed is what is shown
        shown = trajectory.picture(step=int(title.split(",")[0].removeprefix("step "))).image
        np.testing.assert_array_equal(ax.images[0].get_array(), np.asarray(shown))
    assert len(plots.diagnosis(trajectory)) == 3


def test_pictures_keep_black_and_white(trajectory):
    grey = np.full((128, 64), 0.25)
    assert plots.picture(grey).images[0].get_clim() == (0, 1)
    assert plots.picture(trajectory).images[0].get_clim() == (0, 255)


def test_scores_draws_what_the_pairs_judges_say(trajectory):
    with pytest.raises(ValueError, match="no scorers"):
        plots.scores(trajectory)
    judges = {"sound": lambda latent, prompt: latent.mean((1, 2, 3))}
    pair = replace(trajectory.pair, scorers=judges)
    ax = plots.scores(replace(trajectory, pair=pair))
    truth = [float(step.clean[0].mean()) for step in trajectory.steps]
    assert ax.lines[0].get_ydata() == pytest.approx(truth, abs=1e-4)
    assert ax.lines[0].get_label() == "sound score"


def test_a_picture_of_any_depth_is_shown_as_it_is():
    deep = np.linspace(0, 65535, 128 * 64).reshape(128, 64).astype(np.uint16)
    for what in (deep, Image.fromarray(deep)):
        shown = plots.picture(what).images[0]
        np.testing.assert_array_equal(shown.get_array(), np.round(deep / 257))
        assert shown.get_clim() == (0, 255)
    with pytest.raises(ValueError, match="values from 0 to 255: expected floats in"):
        plots.picture(np.linspace(0, 255, 128 * 64).reshape(128, 64))
