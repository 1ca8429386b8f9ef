"""The browser's part: scripts, styles, the one-file page, and the colours of all that is shown.

No script imports another, so nothing has to be built: `manifest.json` says which part needs which,
and `script` and `style` join a part with all that it needs.
"""

from __future__ import annotations

import json
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


PALETTE: dict[str, dict] = json.loads(_read("palette.json"))  # of "light" and "dark": name -> hex


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour of the palette as three numbers of 0 to 255."""
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def parts(name: str) -> list[str]:
    """A part and all that it needs, by their files' names: each once, behind what it needs."""
    needs, found = json.loads(_read("manifest.json")), {}

    def add(part: str) -> None:
        for need in needs[part]:
            add(need)
        found[part] = None

    add(name)
    return list(found)


def script(name: str) -> str:
    """The ES module of a part such as "scrubber.js", with all scripts that it needs."""
    return "\n".join(_read(part) for part in parts(name) if part.endswith(".js"))


def style(*names: str) -> str:
    """The CSS that parts need (scripts, or styles themselves), behind the palette's colours."""
    found = dict.fromkeys(part for name in names for part in parts(name) if part.endswith(".css"))
    return "\n".join([_colours(), *map(_read, found)])


def page(**fields: str) -> str:
    """The one-file page of an instrument; `fields` are what `page.html` leaves open."""
    return Template(_read("page.html")).substitute(fields)


def _colours() -> str:
    """The palette as variables of CSS: light or dark as the host says on <html> or <body> (Colab,
    JupyterLab, VS Code), and as the system says where no host does."""
    light = '[theme="light"], [data-jp-theme-light="true"], [data-vscode-theme-kind*="light"]'
    dark = '[theme="dark"], [data-jp-theme-light="false"], [data-vscode-theme-kind*="dark"]'
    silent = f":root:not({light}) body:not({light})"
    return (
        f".itskit {{ {_variables('light')} }}\n"
        f"@media (prefers-color-scheme: dark) {{ {silent} .itskit {{ {_variables('dark')} }} }}\n"
        f":is({dark}) .itskit {{ {_variables('dark')} }}"
    )


def _variables(theme: str) -> str:
    colours = dict(PALETTE[theme])
    colours |= {f"guide-{g}": colour for g, colour in enumerate(colours.pop("guides"))}
    lines = [f"--its-{name}: {colour};" for name, colour in colours.items()]
    return " ".join([f"color-scheme: {theme};", *lines])
