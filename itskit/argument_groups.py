"""The options of commands that compose nothing: printing, listening tests, the live page."""

import argparse
from pathlib import Path

from itskit.argument_types import file, number, whole_number, words


def add_printing(command: argparse.ArgumentParser) -> None:
    drawing, recording = "picture; ink on light paper is recognised", "sound of any length"
    command.add_argument("drawing", metavar="DRAWING", type=file, help=drawing)
    command.add_argument("recording", metavar="RECORDING", type=file, help=recording)
    level = "how much quieter the drawing is than the loudest sound, in dB (50)"
    command.add_argument("--level", type=number(0), default=50.0, metavar="X", help=level)
    cut = "how much to lower the sound where the drawing is dark, in dB (16)"
    command.add_argument("--cut", type=number(0), default=16.0, metavar="X", help=cut)
    ink = "draw what is dark instead of what is bright (if the border is light)"
    command.add_argument("--invert", action=argparse.BooleanOptionalAction, help=ink)
    command.set_defaults(no_video=True)


def add_listening(command) -> argparse.ArgumentParser:
    """The commands `listen`, which is returned, and `heard`; `command` makes them."""
    listen = command("listen", "make a page with a blind listening test of your sounds")
    heard = command("heard", "say what the answers to a listening test show")
    table = "CSV with the columns file and word, and perhaps condition, item and training"
    listen.add_argument("table", metavar="TABLE", type=file, help=table)
    pairs = "ask which of two sounds is more like the word (asks which word is heard)"
    listen.add_argument("--pairs", action="store_true", help=pairs)
    repeats = "how many questions come twice, unannounced (2)"
    listen.add_argument("--repeats", type=whole_number(0), default=2, metavar="N", help=repeats)
    listen.add_argument("--question", type=words, metavar="TEXT", help="what is asked (as above)")
    heard.add_argument("key", metavar="KEY", type=file, help="the .key.json beside the page")
    heard.add_argument("answers", metavar="ANSWERS", type=file, nargs="+", help="their .jsonl")
    return listen


def add_live(command) -> None:
    live = command("live", "compose in your browser: serve a page with the pocket pair in it")
    live.add_argument("--out", default="out/live", type=Path, help="folder of the page (out/live)")
    port = "port of this machine to serve it on, 0 for any that is free (8765 if it is)"
    live.add_argument("--port", type=whole_number(0, 65535), metavar="N", help=port)
    live.add_argument("--no-browser", action="store_true", help="do not open a browser (off)")
    only = "make the folder, for a web server of your own, and do not serve it (off)"
    live.add_argument("--only-build", action="store_true", help=only)
