"""Lists and tables of words, one file each; `#` at the beginning of a line begins a comment."""

from pathlib import Path

FOLDER = Path(__file__).parent


def read_sections(file) -> dict[str, list[str]]:
    """{section: its lines} of a table in which each section begins with a line `[section]`."""
    sections, lines = {}, None
    for line in _lines(file):
        if line.startswith("["):
            lines = sections[line.strip("[]")] = []
        else:
            lines.append(line)
    return sections


def read_rows(file, separator="\t") -> list[list[str]]:
    """Rows of a table with columns."""
    return [line.split(separator) for line in _lines(file)]


def entries(lines, separator=",") -> list[str]:
    """What stands between the commas of several lines."""
    return [entry.strip() for entry in " ".join(lines).split(separator)]


def mapping(lines) -> dict[str, str]:
    """{name: value} of lines `name = value`."""
    return {name.strip(): value.strip() for name, value in (line.split("=") for line in lines)}


def lists(lines) -> dict[str, list[str]]:
    """{name: values} of lines `name = value | value | …`."""
    return {name: between_bars(values) for name, values in mapping(lines).items()}


def between_bars(line: str) -> list[str]:
    """What stands between the bars of a line."""
    return [entry.strip() for entry in line.split("|")]


def _lines(file):
    lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
