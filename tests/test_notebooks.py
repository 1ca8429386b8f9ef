"""The lessons keep their form: short cells, prose between them, nothing stored but what is tested.

That they run, and that what they print is true, is tested by nbval (`make test-notebooks`); what
holds for every notebook, lesson or not, stands in `test_repository.py`.
"""

import ast
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
LESSONS = {path.name: path for path in sorted(NOTEBOOKS.glob("[0-9]*_*.ipynb"))}
FULL_SIZE = "09_full_size.ipynb"  # the one that is about the other pair
CHECKED = "nbval-check-output"  # the tag of a cell whose stored output nbval compares

pytestmark = pytest.mark.parametrize("name", LESSONS)


def cells(name: str, kind: str | None = None):
    return [c for c in read(name).cells if kind in (None, c.cell_type)]


def read(name: str):
    return nbformat.read(LESSONS[name], as_version=4)


def test_code_cells_are_at_most_five_plain_lines(name):
    sources = [cell.source for cell in cells(name, "code")]
    assert [s for s in sources if len(s.splitlines()) > 5] == []
    assert [s for s in sources if not s.isascii()] == []


def test_prose_stands_before_every_code_cell(name):
    kinds = [cell.cell_type for cell in cells(name)]
    assert [k for k in range(1, len(kinds)) if kinds[k - 1 : k + 1] == ["code", "code"]] == []


def test_begins_with_title_promise_and_badges_then_one_setup_cell(name):
    head = cells(name)[0].source
    assert re.match(r"# .+\n\n\*.+\*\n\n\[!\[Open in Colab\].+\n\[!\[Open in Binder\]", head)
    setups = [c.source for c in cells(name, "code") if "%pip" in c.source]
    assert setups == [cells(name, "code")[0].source]
    # Does nothing where itskit is importable: the installation is all that it guards.
    guarded = ast.parse(setups[0].replace("%pip install", "pip_install #"))
    assert ast.unparse(guarded.body[-1].test) == "find_spec('itskit') is None"
    assert '"itskit[lessons] @ git+https://github.com/itskit/itskit"' in setups[0]


def test_cells_store_text_that_is_checked_and_two_or_three_pictures(name):
    pictures = 0
    for cell in cells(name, "code"):
        checked = CHECKED in cell.metadata.get("tags", [])
        kinds = [(output.output_type, output.get("name")) for output in cell.outputs]
        if kinds == [("display_data", None)] and not checked:  # docs/book/store_pictures.py
            pictures += 1
            assert set(cell.outputs[0].data) == {"image/png"}
            assert len(cell.outputs[0].data["image/png"]) < 150_000
        else:
            assert kinds == ([("stream", "stdout")] if checked else []), cell.source
        # nbval takes stored output only from a cell that seems to have been run.
        assert (cell.execution_count is not None) == bool(cell.outputs), cell.source
    # 09 has its pictures from a GPU, and 11 is for the ear.
    assert 2 <= pictures <= 3 or name[:2] in ("09", "11")


def test_claims_are_checked(name):
    checked = [c for c in cells(name, "code") if CHECKED in c.metadata.get("tags", [])]
    assert len(checked) >= 2
    assert all("print(" in cell.source for cell in checked)


def test_asks_before_it_shows(name):
    questions = [c for c in cells(name, "markdown") if "?" in c.source]
    assert len(questions) >= 5


def test_lets_the_run_judge_two_questions_or_more(name):
    code = "\n".join(cell.source for cell in cells(name, "code"))
    asked, revealed = re.findall(r"\bPredict\(", code), re.findall(r"\.reveal\(", code)
    assert len(asked) >= 2
    assert len(revealed) >= len(asked)
    keys = re.findall(r'\bkey="([^"]+)"', code)
    assert len(set(keys)) == len(keys)
    assert [key for key in keys if not key.startswith(f"{name[:2]}/")] == []


def test_ends_with_a_widget_after_a_function_by_hand(name):
    code = [cell.source for cell in cells(name, "code")]
    widgets = [k for k, s in enumerate(code) if re.search(r"itskit\.widgets\.|interact\(", s)]
    assert widgets
    assert max(widgets) > len(code) / 2


def test_kernel_is_plain_python_and_progress_is_plain_text(name):
    notebook = read(name)
    assert notebook.metadata.kernelspec.name == "python3"
    code = "\n".join(cell.source for cell in cells(name, "code"))
    assert not re.search(r"tqdm\.(notebook|auto|autonotebook)|tqdm_notebook", code)


def test_names_the_pair_in_one_place(name):
    """Change one word, "pocket" to "paper", and the lesson runs with the other pair."""
    code = "\n".join(cell.source for cell in cells(name, "code"))
    if name == FULL_SIZE:
        assert '"pocket"' not in code and 'pair = itskit.load_pair("paper")' in code
        return
    assert re.findall(r'load_pair\((.*?)\)|"(pocket|paper)"', code) == [('"pocket"', "")]


def test_links_between_lessons_lead_somewhere(name):
    prose = "\n".join(cell.source for cell in cells(name, "markdown"))
    links = re.findall(r"\]\((\w+\.ipynb)\)", prose)
    assert [link for link in links if not (NOTEBOOKS / link).exists()] == []


def test_nothing_large_is_downloaded_unasked(name):
    """Scorers and the large pair are fetched by cells that a person has said yes to."""
    for source in [cell.source for cell in cells(name, "code")]:
        if re.search(r"PAPER_SCORERS|clip_score|clap_score", source):
            assert "if DOWNLOAD" in source and "DOWNLOAD = True" not in source
    sources = [cell.source for cell in cells(name, "code")]
    loads = [k for k, s in enumerate(sources) if 'load_pair("paper' in s]
    asks = [k for k, s in enumerate(sources) if "ANYWAY = False" in s and "raise" in s]
    assert not loads or (len(asks) == 1 and asks[0] < min(loads))


def test_says_nothing_that_holds_for_one_seed_or_one_pair_only(name):
    """What a lesson shows changes with the weights: no sentence may promise it to both pairs."""
    prose = " ".join(" ".join(cell.source.split()) for cell in cells(name, "markdown"))
    for claim in ("every sentence below is true", "dull thump", "ended with a slider"):
        assert claim not in prose


def test_progress_bars_are_the_toolkits(name):
    code = "\n".join(cell.source for cell in cells(name, "code"))
    assert not re.search(r"from tqdm|^import tqdm", code, re.M)
