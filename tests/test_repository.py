"""What must hold for the repository as a whole: nothing unsafe, nothing missing, nothing stale."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image

import itskit
from itskit import export, recipes

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10; pytest brings tomli there
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = sorted((ROOT / "itskit").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Names that differ: in conda-forge, and between what is imported and what is installed.
CONDA = {"torch": "pytorch-cpu", "soundfile": "pysoundfile", "matplotlib": "matplotlib-base"}
IMPORTED_AS = {
    "pillow": "PIL", "ipython": "IPython", "numpy-stl": "stl", "scikit-learn": "sklearn",
}  # fmt: skip


def tracked() -> list[Path]:
    """Every file under version control; without git, every file outside hidden folders."""
    try:
        command = ["git", "ls-files", "-z"]
        listed = subprocess.run(
            command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True
        )
        return [ROOT / name for name in listed.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        inside = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        return [ROOT / path for path in inside if not path.parts[0].startswith((".", "out"))]


def requirements(lines: list[str]) -> dict[str, Requirement]:
    return {r.name.lower().replace("_", "-"): r for r in map(Requirement, lines)}


def lowest(requirement: Requirement) -> Version:
    return max(Version(s.version) for s in requirement.specifier if s.operator in (">=", "=="))


# ---- nothing unsafe ------------------------------------------------------------------------------


def test_no_pickles_are_tracked():
    unsafe = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".npy", ".joblib"}
    assert [path.name for path in tracked() if path.suffix in unsafe] == []


def test_no_file_is_too_large_for_a_repository():
    limit = 50 * 2**20
    assert [p.name for p in tracked() if p.exists() and p.stat().st_size > limit] == []


def unsafe_lines(source: str) -> list[int]:
    """Lines that unpickle something, or run a text as code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if {name.split(".")[0] for name in names} & {"pickle", "dill", "joblib", "shelve"}:
            found.append(node.lineno)
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            said = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if (
                called in {"eval", "exec", "__import__"}
                or called.endswith("read_pickle")
                or (called == "torch.load" and said.get("weights_only") != "True")
                or said.get("allow_pickle", "False") != "False"
            ):
                found.append(node.lineno)
    return found


def test_what_is_unsafe_is_recognised():
    wrong = "import pickle\nfrom pickle import loads\neval(t)\nexec(t)\ntorch.load(p)\n"
    wrong += "np.load(p, allow_pickle=True)\npd.read_pickle(p)\ntorch.load(p, weights_only=False)"
    assert unsafe_lines(wrong) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert unsafe_lines("torch.load(p, weights_only=True)\nnp.load(p)\nmodel.eval()") == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_unpickles_and_evaluates_nothing(path):
    assert unsafe_lines(path.read_text(encoding="utf-8")) == []


def test_no_paths_of_somebodys_machine():
    folder = re.compile(r"(?<![\w.~:/$}-])/(?:home|Users|root|work|opt|tmp|mnt)/\w")
    texts = {".py", ".md", ".ipynb", ".toml", ".yml", ".js", ".css", ".json", ""}
    found = []
    for path in tracked():
        if path.suffix in texts and path.is_file() and path.stat().st_size < 2**21:
            text = path.read_text(encoding="utf-8", errors="ignore")
            found += [f"{path.name}: {m.group()}" for m in folder.finditer(text)]
    assert found == []


# ---- notebooks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebook_is_valid_and_light(path):
    text = path.read_text(encoding="utf-8")
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert len(text) < 600_000, "stored outputs that nobody needs?"
    # Widget state is heavy, and the form without it shows as "Invalid Notebook" on GitHub.
    assert "widgets" not in json.loads(text)["metadata"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebook_has_short_cells_and_both_badges(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [c.source for c in cells if c.cell_type == "code"]
    assert [c for c in code if len(c.splitlines()) > 12] == []
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    where = f"notebooks/{path.name}"
    assert f"colab.research.google.com/github/itskit/itskit/blob/main/{where}" in prose
    assert f"mybinder.org/v2/gh/itskit/itskit/HEAD?urlpath=lab/tree/{where}" in prose


# ---- dependencies --------------------------------------------------------------------------------


def conda_requirements(path: Path) -> dict[str, Requirement]:
    """Name → requirement of a conda environment file, its pip part included."""
    lines = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]:
        lines += entry["pip"] if isinstance(entry, dict) else [entry]
    # conda's "python=3.11" is pip's "python==3.11"
    lines = [re.sub(r"(?<![<>=!])=(?!=)", "==", line) for line in lines if not line.startswith("-")]
    return requirements(lines)


@pytest.mark.parametrize("name", ["environment.yml", "binder/environment.yml"])
def test_conda_environment_lists_every_dependency(name):
    listed = conda_requirements(ROOT / name)
    for dependency, wanted in requirements(PROJECT["dependencies"]).items():
        conda_name = CONDA.get(dependency, dependency)
        assert conda_name in listed, f"{name} lacks {conda_name}"
        assert lowest(listed[conda_name]) >= lowest(wanted), f"{name}: {conda_name} is too old"


def test_binder_lists_what_lessons_need():
    listed = conda_requirements(ROOT / "binder/environment.yml")
    for name, wanted in requirements(PROJECT["optional-dependencies"]["lessons"]).items():
        assert name in listed, f"binder/environment.yml lacks {name}"
        assert lowest(listed[name]) >= lowest(wanted), f"{name} is too old"
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert "- -e .[lessons]" in environment  # pip brings them


def test_binder_installs_the_package_without_dependencies():
    python = conda_requirements(ROOT / "binder/environment.yml")["python"]
    assert str(python.specifier) == "==3.11"  # Binder needs an exact one
    post_build = ROOT / "binder/postBuild"
    assert os.access(post_build, os.X_OK)
    lines = post_build.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "pip install --no-cache-dir --no-deps -e ." in lines


def test_every_import_is_a_declared_dependency():
    """What training, its judges, QR codes and exports need stands in extras, and nothing else
    imports it."""
    extras = PROJECT["optional-dependencies"]

    def importable(declared):
        names = {IMPORTED_AS.get(n, n.replace("-", "_")) for n in requirements(declared)}
        return names | {"itskit", *sys.stdlib_module_names}

    in_package = importable(PROJECT["dependencies"])
    in_training = in_package | importable(extras["train"] + extras["score"])
    foreign = {}
    for path in MODULES:
        allowed = in_training if "training" in path.relative_to(ROOT).parts else in_package
        if path.name == "analytic.py":
            allowed = in_package | importable(extras["qr"])
        if path.name == "cli.py":
            allowed = in_package | importable(extras["dask"])
        if {"export", "listening"} & set(path.relative_to(ROOT).parts):
            allowed = in_package | importable(extras["lessons"])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in {n.split(".")[0] for n in names} - allowed:
                foreign.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert foreign == {}


# ---- what the documents promise ------------------------------------------------------------------


def makefile_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_documented_make_commands_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    commands = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.MULTILINE))
    assert commands
    assert commands <= makefile_targets()


def unsaid_encodings(source: str) -> list[int]:
    """Lines that read or write text in whatever encoding the machine happens to have."""
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        said = {keyword.arg for keyword in call.keywords}
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        strings = [a.value for a in ast.walk(call) if isinstance(a, ast.Constant)]
        binary = any(isinstance(s, str) and re.fullmatch(r"[rwxa]b?\+?b?|b[rwxa]", s) and "b" in s
                     for s in strings)  # fmt: skip
        text = {
            "read_text": not call.args,
            "write_text": len(call.args) == 1,
            # `Image.open(path)` reads no text; `path.open()` and `path.open("w")` do
            "open": not binary
            and "fileobj" not in said
            and (
                isinstance(call.func, ast.Name)
                or not call.args
                or re.fullmatch(r"[rwxa]\+?", str(getattr(call.args[0], "value", "")))
            ),
            "run": bool({"text", "universal_newlines"} & said),
            "Popen": bool({"text", "universal_newlines"} & said),
            "check_output": bool({"text", "universal_newlines"} & said),
        }
        if text.get(name) and "encoding" not in said:
            found.append(call.lineno)
    return found


def test_the_encoding_of_text_is_said_everywhere():
    wrong = "p.read_text()\np.write_text(t)\nopen(p)\nopen(p, 'w')\nsubprocess.run(c, text=True)"
    wrong += "\np.open()\np.open('w')"
    assert unsaid_encodings(wrong) == [1, 2, 3, 4, 5, 6, 7]
    right = "p.read_text('utf-8')\nopen(p, 'rb')\nopen(p, encoding='ascii')\nImage.open(p)"
    right += "\np.open('rb')\np.open(encoding='ascii')"
    assert unsaid_encodings(right) == []
    scripts = [path for path in tracked() if path.suffix == ".py" and path.exists()]
    found = {p.name: unsaid_encodings(p.read_text(encoding="utf-8")) for p in scripts}
    found |= {
        path.name: [line for cell in code_cells(path) for line in unsaid_encodings(cell)]
        for path in NOTEBOOKS
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


def code_cells(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return [re.sub(r"^(\s*)[%!].*$", r"\1pass", text, flags=re.MULTILINE) for text in code]


def test_the_demo_is_the_picture_that_the_readme_shows_first():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    usual = dict(re.findall(r"^(IMAGE|SOUND|SEED) \?= (.*)$", makefile, flags=re.MULTILINE))
    first = re.search(r"!\[.*?\]\((gallery/(\w+)/picture\.png)\)", README)
    recipe = export.read_recipe(ROOT / first[1])
    assert recipes.prompts(recipe) == [usual["IMAGE"], usual["SOUND"]]
    assert recipe["seeds"] == [int(usual["SEED"])]
    flags = re.search(r"^demo:.*\n.*itskit compose (.*)$", makefile, flags=re.MULTILINE)[1]
    assert re.findall(r"--\w+", flags) == ["--seed", "--out"]  # and nothing that changes it
    entry = (ROOT / "gallery" / f"{first[2]}.py").read_text(encoding="utf-8")
    assert f"seed={usual['SEED']}," in entry and "settings" not in entry


@pytest.mark.slow
def test_the_demo_makes_the_picture_that_the_readme_shows_first():
    """Composed here: the same words and weights, and nearly the same pixels on any machine."""
    path = ROOT / re.search(r"!\[.*?\]\((gallery/\w+/picture\.png)\)", README)[1]
    shown, recipe = Image.open(path), export.read_recipe(path)
    pair = itskit.load_pair("pocket")
    made = itskit.compose(pair, *recipes.prompts(recipe), seed=recipe["seeds"][0], progress=False)
    libraries = {"torch", "diffusers", "itskit"}
    told = {"rule": "mean"} | recipe  # older than rules
    assert {k: v for k, v in made.recipe.items() if k not in libraries} == {
        k: v for k, v in told.items() if k not in libraries
    }
    difference = np.asarray(made.picture().image, float) - np.asarray(shown, float)
    assert np.abs(difference).mean() < 2  # of 255


def test_readme_shows_the_two_commands():
    assert re.search(r"^make demo\b", README, flags=re.MULTILINE)
    assert re.search(r"^make test\b", README, flags=re.MULTILINE)


def headings(path: Path) -> set[str]:
    """What GitHub calls the headings of a text in links."""
    found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


@pytest.mark.parametrize(
    "path",
    [path for path in tracked() if path.suffix == ".md" and path.exists()],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_relative_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            name, _, heading = link.partition("#")
            there = path.parent / name if name else path
            assert there.exists(), link
            assert not heading or heading in headings(there), link


def test_readme_lists_every_notebook():
    assert [path.name for path in NOTEBOOKS if f"notebooks/{path.name}" not in README] == []


def test_ci_runs_the_documented_test_command():
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert re.search(r"^make test\b", script.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_version_stands_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^\]]*)\]", changelog, flags=re.MULTILINE)
    assert released[0] == PROJECT["version"]


def test_licences_are_there():
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert licence.startswith("MIT License")
    assert "The itskit authors" in licence
    for name in set(re.findall(r"[\w.-]+", PROJECT["license"])) - {"AND", "MIT"}:
        assert (ROOT / "LICENSES" / f"{name}.txt").stat().st_size > 5_000, name


def test_weights_travel_with_a_model_card_and_their_licence():
    folders = {path.parent for path in (ROOT / "itskit").rglob("*.safetensors")}
    assert folders
    for folder in folders:
        cards = [f / "MODEL_CARD.md" for f in (folder, folder.parent)]
        texts = [card.read_text(encoding="utf-8") for card in cards if card.exists()]
        assert any("CC-BY-SA-4.0" in text for text in texts), f"{folder} has no MODEL_CARD.md"
        assert any((f / "ATTRIBUTION.md").exists() for f in (folder, folder.parent)), folder


def test_viewers_are_said_to_be_a_model():
    """Whoever reads of "viewers" reads in the same text that no people were asked."""
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("gallery/*.md")]
    texts += [*ROOT.glob("gallery/*.py"), ROOT / "gallery/index.html"]
    texts += [*ROOT.glob("notebooks/*.ipynb"), ROOT / "itskit/models/pocket/MODEL_CARD.md"]
    judged = re.compile(r"\b(viewers?|judges of pictures|who saw|people (named|saw))\b", re.I)
    for path in texts:
        text = path.read_text(encoding="utf-8")
        if found := judged.search(text):
            assert "vision-language model" in text, (path.name, found[0])
            assert text.index("vision-language model") < found.end() + 400, path.name
