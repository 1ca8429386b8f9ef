"""The house keeps its shape: who may import whom, a light front door, files of a readable size."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import itskit
from itskit import web

ROOT = Path(itskit.__file__).parent

# A module may import modules of lower ranks. `compose` stands on ranks 0 to 3 alone, and what
# stands beside it (the seed search, the baselines) may stand on it.
RANKS = {
    "renamed": -1,
    "threads": -1,  # below all, `audio` among them
    "checks": -1,
    "argument_types": -1,
    "argument_groups": 0,
    "schedule": 0,
    "solvers": 0.5,
    "views": 0,
    "windows": 0,
    "timeline": 0,
    "recipes": 0,
    "audio": 0,
    "intervals": 0,
    "progress": 0,
    "writing": 0,
    "answers": 0.5,  # a file of them is written
    "spectrogram": 1,  # the public name of `audio`
    "media": 1,
    "modality": 1.5,
    "bridge": 1.7,
    "notes": 1.8,
    "guidance": 2,
    "rules": 2.5,
    "sampling": 3,
    "codec": 3.1,
    "trajectory": 3.2,
    "settings": 3.3,
    "lengths": 3.35,
    "analytic": 3.3,
    "ideal": 3.3,
    "beginning": 3.4,
    "composition": 3.5,
    "recomposition": 3.6,
    "clip_clap": 3.9,
    "plane": 4,
    "baselines": 4,
    "metrics": 4,
    "diagnose": 4,
    "listening": 4,
    "overlap": 4.5,
    "suites": 4.6,
    "tasks": 4.3,
    "sweeps": 4.5,
    "seed_search": 4.5,  # ranks what `metrics` scored
    "web": 4.9,  # what all that shows something reads
    "plots": 5,
    "export": 5,
    "widgets": 6,
}
# Rooms beside the ranks, and the ranked modules below which they stay.
ROOMS = {"models": 3, "training": 5}
# Rooms of `training`, lowest first: each imports from those before it alone.
TRAINING = (
    ("place", "precision", "tables"),
    ("checkpoints", "naming"),
    ("assemble", "dataset"),
    ("fit",),
    ("evaluate",),
    ("release",),
    ("whole",),
)
DOORS = {"__init__", "__main__", "cli", "arguments", "live"}  # may import anything
SKINS = {"ipywidgets", "anywidget"}

FILES = sorted(ROOT.rglob("*.py"))
WEB = sorted(ROOT.glob("web/*.js")) + sorted(ROOT.glob("web/*.css"))
# The live page's, which are modules that import each other.
LIVE = sorted(ROOT.glob("web/live/**/*.js")) + sorted(ROOT.glob("web/live/**/*.css"))
# Functions that are longer than a screen; no other may be, and one that has shrunk leaves this set.
LONG = {
    ("baselines/distillation.py", "sds"),
}


def _imports(path):
    """(line, absolute dotted name) of each import in a file, those inside functions too."""
    package = ["itskit", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, node.module] if node.module else base
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def _module(dotted):
    """The module of itskit under a dotted name: "sampling" for itskit.sampling.Step, for
    itskit.sample by way of the door, "" for itskit.__version__ and for other packages."""
    first, *rest = dotted.split(".")
    if first != "itskit" or not rest:
        return ""
    if rest[0] in itskit._HOME and rest[0] not in RANKS:
        return itskit._HOME[rest[0]]
    return rest[0] if rest[0] in {*RANKS, *ROOMS, *DOORS} else ""


def _may_import(here, there, dotted):
    if here == there or here in DOORS or not there:
        return True
    if there == "models":  # reached only through load_pair
        through_the_door = dotted in ("itskit.load_pair", "itskit.models.load_pair")
        return here == "training" or (through_the_door and RANKS.get(here, 0) >= 4)
    if there == "training" or there in DOORS:
        return False
    if here in ROOMS:
        return RANKS[there] <= ROOMS[here]
    return RANKS[there] < RANKS[here]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_downwards(path):
    here = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert here in {*RANKS, *ROOMS, *DOORS}, f"{here} has no rank: give it one in this test"
    for line, dotted in _imports(path):
        there = _module(dotted)
        assert _may_import(here, there, dotted), f"{path.name}:{line}: {here} imports {dotted}"
        assert here == "widgets" or dotted.split(".")[0] not in SKINS, (
            f"{path.name}:{line}: {dotted}"
        )


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "training").rglob("*.py")),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_rooms_of_training_import_from_lower_ones(path):
    ranks = {room: rank for rank, rooms in enumerate(TRAINING) for room in rooms}
    here = path.relative_to(ROOT / "training").parts[0].removesuffix(".py")
    if here in DOORS:
        return
    assert here in ranks, f"training/{here} has no rank: give it one in this test"
    for line, dotted in _imports(path):
        if dotted.startswith("itskit.training."):
            there = dotted.split(".")[2]
            allowed = there == here or ranks[there] < ranks[here]
            assert allowed, f"{path.name}:{line}: training/{here} imports {dotted}"


@pytest.mark.parametrize(
    ("here", "dotted", "allowed"),
    [
        ("guidance", "itskit.modality.Modality", True),
        ("guidance", "itskit.sampling.Step", False),
        ("guidance", "itskit.sample", False),
        ("schedule", "itskit.views", False),
        ("seed_search", "itskit.composition.compose", True),
        ("sampling", "itskit.compose", False),
        ("widgets", "itskit.load_pair", True),
        ("sampling", "itskit.load_pair", False),
        ("sampling", "itskit.cli.main", False),
        ("training", "itskit.arguments", False),
        ("composition", "itskit.__version__", True),
        ("plots", "itskit.models.pocket.networks", False),
        ("models", "itskit.media.Sound", True),
        ("media", "itskit.modality.Modality", False),
        ("audio", "itskit.media.Sound", False),
        ("models", "itskit.plots", False),
        ("metrics", "itskit.training.dataset", False),
        ("cli", "itskit.models.pocket", True),
        ("modality", "soundfile", True),
    ],
)
def test_the_rules_themselves(here, dotted, allowed):
    assert _may_import(here, _module(dotted), dotted) is allowed


def test_relative_imports_are_resolved():
    found = {dotted for _, dotted in _imports(ROOT / "sampling.py")}
    assert {"itskit.schedule", "itskit.guidance.Guide", "torch"} <= found


# ---- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [*FILES, *WEB, *LIVE], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_files_fit_a_reader(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def _functions(text):
    """(name, lines without the docstring's) of each function in some Python."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            words = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0
            yield node.name, node.end_lineno - node.lineno + 1 - words


def _script_functions(text):
    """(first line, lines) of each function in some JavaScript: of every {...} that follows a list
    of arguments or an arrow, loops and conditions among them, since no function is shorter."""
    bare = re.sub(r'"[^"\n]*"|//[^\n]*', "", re.sub(r"/\*.*?\*/", _blank, text, flags=re.S))
    opened = []
    for found in re.finditer(r"(=>|\))?\s*\{|\}", bare):
        if not found[0].endswith("}"):
            opened.append((found.end(), found[1]))
            continue
        start, is_function = opened.pop()
        if is_function:
            begin, end = (bare.count("\n", 0, place) + 1 for place in (start, found.end()))
            yield text.splitlines()[begin - 1].strip(), end - begin + 1
    assert not opened, "this is not how the brackets of a script add up"


def _blank(found):
    return "\n" * found[0].count("\n")


def test_functions_are_measured():
    body = "\n".join(["  x();"] * 5)
    method, arrow = f"go(a) {{ // {{\n{body}\n}}", f'const f = (a) => {{\n{body}\n"{{" }};'
    script = f"/* {{\n*/ class A {{\n{method}\n}}\n{arrow}"
    assert list(_script_functions(script)) == [("go(a) { // {", 7), ("const f = (a) => {", 7)]
    python = 'def f(\n    a,\n):\n    """Two\n    lines."""\n    return a\n'
    assert list(_functions(python)) == [("f", 4)]


def test_functions_fit_a_screen():
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in FILES
        for name, lines in _functions(path.read_text(encoding="utf-8"))
        if lines > 40
    }
    assert found == LONG


@pytest.mark.parametrize(
    "path", [p for p in [*WEB, *LIVE] if p.suffix == ".js"], ids=lambda path: path.name
)
def test_functions_of_scripts_fit_a_screen(path):
    found = dict(_script_functions(path.read_text(encoding="utf-8")))
    assert found
    assert {name: lines for name, lines in found.items() if lines > 40} == {}


# ---- the browser's part --------------------------------------------------------------------------

NEEDS = json.loads((ROOT / "web" / "manifest.json").read_text(encoding="utf-8"))


def _top_level(name):
    """The names that a script puts where all others see them."""
    text = (ROOT / "web" / name).read_text(encoding="utf-8")
    return re.findall(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", text, re.M)


def _words(name):
    """The words of a script's code: comments, strings' texts and names of members left out."""
    text = (ROOT / "web" / name).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    text = re.sub(r'"[^"\n]*"', "", text)
    return set(re.findall(r"(?<![\w.])[A-Za-z_]\w*(?!\s*:)", text))


def test_the_manifest_names_every_part():
    assert set(NEEDS) == {path.name for path in WEB}
    for name in NEEDS:
        order = web.parts(name)  # ends, so nothing needs itself
        assert all(order.index(need) < order.index(name) for need in NEEDS[name])


@pytest.mark.parametrize("name", [name for name in NEEDS if name.endswith(".js")])
def test_a_script_needs_what_it_uses(name):
    """What the top level of another script defines is used only by who says so, and by name."""
    scripts = [part for part in NEEDS if part.endswith(".js") and part != name]
    text = _words(name)
    for other in scripts:
        shared = set(_exported(other)) & text
        assert not shared or other in NEEDS[name], f"{name} uses {shared} of {other}"
        if other in NEEDS[name]:
            used = set(_exported(other)) & text
            assert used, f"{name} needs nothing of {other}"
    joined = [one for part in web.parts(name) if part.endswith(".js") for one in _top_level(part)]
    assert len(joined) == len(set(joined)), "two parts that stand together define one name"


def _exported(name):
    text = (ROOT / "web" / name).read_text(encoding="utf-8")
    return re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", text, re.M)


def test_colours_come_from_the_palette():
    """Hexadecimal colours stand in the palette alone; black and white need none."""
    shown = [p for p in FILES if p.relative_to(ROOT).parts[0] in {"plots.py", "export", "widgets"}]
    for path in [*WEB, *LIVE, *shown]:
        found = set(re.findall(r"#[0-9a-fA-F]{3,8}\b", path.read_text(encoding="utf-8")))
        assert found <= {"#000", "#fff"}, path.name
    light, dark = web.PALETTE["light"], web.PALETTE["dark"]
    assert light.keys() == dark.keys()
    assert web.rgb(light["ink"]) == (0x23, 0x25, 0x2B)


def test_a_style_begins_with_the_palette():
    style = web.style("live.js")
    assert f"--its-ink: {web.PALETTE['light']['ink']};" in style
    assert (
        style.index("--its-ink:") < style.index("/* The dress") < style.index("/* The instrument")
    )
    assert style.count("/* The dress") == 1


def _run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_itskit_imports_no_other_package():
    code = "import sys; before = set(sys.modules); import itskit; "
    code += "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
    code += "print(sorted(new - set(sys.stdlib_module_names)))"
    assert _run(code) == "['itskit']"


def test_the_door_opens_on_the_right_rooms():
    for name, home in itskit._HOME.items():
        assert getattr(itskit, name).__module__.startswith(f"itskit.{home}"), name
    for name in itskit._NAMESPACES:
        assert getattr(itskit, name).__name__ == f"itskit.{name}"
    assert set(itskit.__all__) <= set(dir(itskit))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        itskit.nothing  # noqa: B018


def test_what_the_lessons_import_is_behind_the_door():
    found = set()
    for path in sorted((ROOT.parent / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                text = "".join(cell["source"])
                for names in re.findall(r"^from itskit import (.+)$", text, re.M):
                    found |= {name.strip() for name in names.split(",")}
                found |= set(re.findall(r"\bitskit\.(\w+)", text))
    found -= {"models"}  # what lesson 09 looks into
    assert {"diagnose", "metrics", "schedule", "compose"} <= found <= set(itskit.__all__)
    # In a fresh process, of which nothing else has put them there.
    code = "import itskit\nprint(itskit.schedule.__name__, itskit.diagnose.__name__)"
    assert _run(code) == "itskit.schedule itskit.diagnose"


def test_version_is_the_packages():
    text = (ROOT.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{itskit.__version__}"\n' in text
