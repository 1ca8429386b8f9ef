"""Build the book: `python docs/book/build.py [--only 0[02]_*] [--out out/book]`.

The lessons are run, which takes minutes; what they show is kept, so that a second time only those
are run whose code has changed, or all of them after a change of the toolkit.
"""

import argparse
import shutil
import sys
from pathlib import Path

from assemble import ROOT, assemble, lessons
from nbclient.exceptions import CellExecutionError
from sphinx.cmd.build import build_main

HERE = Path(__file__).parent


def build(out: Path, work: Path, chosen: list[Path], live: Path | None = None) -> Path:
    """Build the book of some lessons; returns its first page. The page in the folder `live` comes
    along if it is up to date.

    `out` may exist only if it is a book. Raises ValueError where it is something else; nbclient's
    CellExecutionError if a lesson fails; RuntimeError if Sphinx does.
    """
    if out.exists() and any(out.iterdir()) and not (out / ".book").exists():
        raise ValueError(f"{out} holds something else than a book: choose another folder")
    assemble(work / "source", work / "extra", work / "cache", chosen, live)
    shutil.rmtree(work / "html", ignore_errors=True)
    asked = ["-q", "-E", "-b", "html", "-c", HERE, "-D", f"html_extra_path={work / 'extra'}"]
    asked += ["-d", work / "doctrees", work / "source", work / "html"]
    if build_main([str(one) for one in asked]):
        raise RuntimeError("Sphinx stopped; what it said stands above")
    (work / "html" / ".book").touch()
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(work / "html", out)
    return out / "index.html"


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="*", help="lessons by a pattern of their names (all)")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "book", help="the finished book")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "book", help="what is kept")
    live = "the live page, which comes along if it is up to date"
    parser.add_argument("--live", type=Path, default=ROOT / "out" / "live", help=live)
    args = parser.parse_args(argv)
    try:
        chosen = lessons(args.only)
        if not chosen:
            raise ValueError(f"--only {args.only}: no lesson has such a name")
        first = build(args.out.resolve(), args.work.resolve(), chosen, args.live)
    except (CellExecutionError, ValueError, RuntimeError) as error:
        sys.exit(f"{error}\nNo book was made.")
    size = sum(path.stat().st_size for path in first.parent.rglob("*") if path.is_file())
    print(f"{first}: open it with any browser; it needs no network. {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
