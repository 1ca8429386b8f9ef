"""Make every entry that is missing or stale, then the page: `python gallery/build.py [NAME ...]`.

Stale is what was made with other words, another seed, other settings or other weights than there
are now. It may be interrupted: what is made is kept.
"""

import argparse
from pathlib import Path

from _index import index_html
from _make import HERE, entries, is_current, recipe_in, replace_text
from choose import read

LIMIT = 12_000_000  # bytes of all that is made, so that a clone stays quick


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="entries to make (all)")
    parser.add_argument("--again", action="store_true", help="make them even if they are current")
    args = parser.parse_args(argv)
    import itskit

    pair = itskit.load_pair("pocket")
    for module in entries(args.names):
        folder = Path(module.__file__).with_suffix("")
        if args.again or not is_current(module.entry, folder, pair):
            module.entry.make(module.__file__, pair)
    path, size = write_index(), size_of()
    print(f"{path}: open it with any browser. All that was made: {size / 1e6:.1f} MB")
    if size > LIMIT:
        raise SystemExit(f"That is more than {LIMIT / 1e6:.0f} MB: lower PAGE_STEPS in _make.py.")


def write_index(folder: Path = HERE) -> Path:
    """Write index.html of all entries that are made in `folder`."""
    made = {module: recipe_in(folder / module.__name__) for module in entries()}
    made = {module: recipe for module, recipe in made.items() if recipe is not None}
    replace_text(folder / "index.html", index_html(made, read()))
    return folder / "index.html"


def size_of(folder: Path = HERE) -> int:
    """Bytes of everything made: the entries' folders and the page."""
    made = [path for module in entries() for path in (folder / module.__name__).glob("*")]
    return sum(path.stat().st_size for path in [*made, folder / "index.html"])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Stopped. Start it again to go on with the next entry.") from None
