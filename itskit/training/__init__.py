"""How the pocket pair was made. Run `python -m itskit.training --help`."""
