"""The lines that a page offers for copying make the very same result again."""

import argparse
import ast
import shlex

import numpy as np
import pytest
import torch
from a_run import NASTY, composing_pair

import itskit
from itskit import arguments, cli
from itskit.export import again
from itskit.export.names import stem_for

HOSTILE = [
    "a castle",
    NASTY,
    "$(touch x) `id` ; rm -rf ~ && 'quoted' \"twice\" \\ !! %PATH%",
    "--out /etc -x",
    "line\nbreak\ttab",
    '"""); import os; os.system("id") #',
]


@pytest.fixture(scope="module")
def pair():
    return composing_pair()


def composed(pair, *prompts, **settings):
    settings = {"num_inference_steps": 3, "progress": False, **settings}
    return itskit.compose(pair, *prompts, **settings).recipe


def call_in(code):
    """The call of `import itskit; result = <call>`: nothing else may be in the code."""
    first, second = ast.parse(code).body
    assert ast.unparse(first) == "import itskit"
    assert [ast.unparse(target) for target in second.targets] == ["result"]
    return second.value


def by_python(code, pair):
    """What the code asks `compose` for, read as a call with nothing but literals in it."""
    call = call_in(code)
    assert ast.unparse(call.func) == "itskit.compose"
    assert ast.unparse(call.args[0]) == f"itskit.load_pair({pair.name!r})"
    prompts = [ast.literal_eval(one) for one in call.args[1:]]
    settings = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
    return itskit.compose(pair, *prompts, **settings, progress=False).recipe


def by_shell(line, pair):
    """What the command line understands, by its own parser, of what a shell makes of the line."""
    program, *words = shlex.split(line)
    assert program == "itskit"
    words.remove(f"--pair={pair.name}")  # it takes pairs that it knows, or folders
    args = arguments.parser().parse_args(words)
    assert isinstance(args, argparse.Namespace)
    settings = cli._settings(args)
    prompts = arguments.prompts(args)
    return itskit.compose(pair, *prompts, seed=args.seed, **settings, progress=False).recipe


@pytest.mark.parametrize("prompt", HOSTILE)
def test_both_lines_make_the_same_run_whatever_the_prompt(pair, prompt):
    recipe = composed(pair, prompt, prompt, seed=7, image_negative=prompt)
    said = again.lines(pair, recipe)
    assert by_python(said["python"], pair) == recipe
    assert by_shell(said["shell"], pair) == recipe


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"image_scale": 3.5, "sound_weight": 0.25, "solver": "dpmpp_2m"},
        {"image_start": 0.4, "sound_negative": "-wind", "num_inference_steps": 5, "seed": -3},
    ],
)
def test_settings_are_named_where_they_are_not_the_pairs_own(pair, settings):
    recipe = composed(pair, "a", "b", **settings)
    said = again.lines(pair, recipe)
    assert by_python(said["python"], pair) == by_shell(said["shell"], pair) == recipe
    assert "width" not in said["python"]
    wide = again.lines(pair, recipe | {"width": 1024})
    assert "width=1024, window=1024" in wide["python"]  # an older recipe: no windows
    assert {"--width=1024", "--window=1024"} <= {*shlex.split(wide["shell"])}


@pytest.mark.parametrize(
    ("prompts", "settings"),
    [
        (["a", [(0, "b"), (2.5, "c's"), (5, "d e")]], {"duration": 10.24}),
        ([[(1, "a"), (3, "b")], "c"], {"loop": True, "width": 1024}),
        (["a", "b"], {"width": 1536, "loop": True, "image_view": "flip_time"}),
    ],
)
def test_long_canvases_loops_and_changing_prompts_are_in_both_lines(pair, prompts, settings):
    recipe = composed(pair, *prompts, **settings)
    said = again.lines(pair, recipe)
    found = by_python(said["python"], pair), by_shell(said["shell"], pair)
    assert found[0] == recipe
    if prompts[0] == [(1, "a"), (3, "b")]:  # from the start means the same as before the first
        assert found[1]["guides"][0].pop("prompts") == [[0.0, "a"], [1.0, "a"], [3.0, "b"]]
        recipe["guides"][0].pop("prompts")
    assert found[1] == recipe


def test_words_that_look_like_an_option_are_left_to_the_file(pair):
    said = again.lines(pair, composed(pair, "a", [(0, "b"), (5, "-c")], duration=7.68))
    assert shlex.split(said["shell"])[:2] == ["itskit", "again"]


def test_what_has_no_flag_is_read_from_the_file(pair):
    recipe = composed(pair, "a", "b", spacing="trailing", crop=False)
    spaced = again.lines(pair, recipe)
    assert shlex.split(spaced["shell"]) == ["itskit", "again", f"{stem_for(recipe)}.html"]
    assert by_python(spaced["python"], pair) == recipe
    alone = composed(pair, "a", None)
    assert by_python(again.lines(pair, alone)["python"], pair) == alone
    assert "again" in again.lines(pair, alone)["shell"]


def test_maps_and_starting_points_are_left_to_the_recipe(pair):
    weights = np.linspace(0, 1, 16 * 64).reshape(16, 64)
    recipe = composed(pair, "a", "b", image_weight=weights)
    said, file = again.lines(pair, recipe), f"{stem_for(recipe)}.html"
    call = call_in(said["python"])
    assert ast.unparse(call.func) == "itskit.recompose"
    assert ast.literal_eval(call.args[1].args[0]) == file
    assert shlex.split(said["shell"])[1:] == ["again", file]
    begun = composed(pair, "a", "b", init=torch.zeros(1, 4, 16, 64))
    said = again.lines(pair, begun)
    assert "init" in said["python"] and "--init" in said["shell"]
    function = composed(pair, "a", "b", image_weight=lambda k, n: 0.1 + k / n)
    assert by_python(again.lines(pair, function)["python"], pair) == function
