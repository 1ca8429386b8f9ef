"""What is missing is said, and what for."""

from itskit import checks


def test_what_is_installed_is_used_without_a_word(capsys):
    assert checks.installed("numpy", "Pillow", for_="The picture")  # as pip calls it
    assert capsys.readouterr().out == ""


def test_what_is_missing_is_named_with_what_it_is_for(capsys):
    assert not checks.installed("numpy", "no-such-a", "no-such-b", for_="The QR code")
    said = capsys.readouterr().out
    assert said == (
        "The QR code is left out: no-such-a and no-such-b are missing. To have it, run "
        "%pip install no-such-a no-such-b and then this cell again.\n"
    )
