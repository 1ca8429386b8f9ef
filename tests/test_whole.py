"""The whole pair in one call, at toy size: from a small set, killed, gone on with, and further."""

import inspect
import json
import os
import re
import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_set import CLASSES, CONCEPTS, write_pictures, write_sounds

import itskit
from itskit.models.pocket.weights import FOLDER, load_weights, read_manifest
from itskit.training import whole
from itskit.training.__main__ import COMMANDS, main, parser
from itskit.training.dataset import files, material
from itskit.training.fit import finetune
from itskit.training.place import Place

NETWORKS = {"vae", "image_unet", "sound_unet", "image_scorer", "sound_scorer"}


class Killed(BaseException):
    """As a signal that nothing can catch."""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """(the set it is extracted from, the small set), each a folder."""
    root, work, out = (tmp_path_factory.mktemp(name) for name in ("data", "work", "small"))
    rng = np.random.default_rng(0)
    write_pictures(root, rng)
    write_sounds(root, rng)
    args = ["--data", str(root), "--work", str(work)]
    main(["prepare", *args])
    records, sounds = files.read_pictures(root)[1], files.read_sounds(root)
    drawn = material.grouped(material.rows_in(records, "train"), records, "concept")
    heard = material.grouped(material.rows_in(sounds, "train"), sounds, "class")
    prototypes = {
        "drawings": {name: [[rows[-1], True]] for name, rows in drawn.items()},
        "clips": {name: rows[-1:] for name, rows in heard.items()},
    }
    (work / "typical.json").write_text(json.dumps(prototypes), encoding="utf-8")
    main(["extract", *args, "--out", str(out), "--megabytes", "1"])
    return (root, work, prototypes), out


def test_a_small_set_is_a_set(small):
    (root, work, prototypes), out = small
    names = sorted(file.name for file in out.iterdir())
    assert names == [
        "mels.npz", "pictures.jsonl", "pictures_128.npz", "sounds_train.jsonl", "typical.json"
    ]  # fmt: skip
    images, records = files.read_pictures(out)
    whole_images, whole_records = files.read_pictures(root)
    assert {r["split"] for r in records} == {"train"}
    wanted = [r["id"] for r in whole_records if r["split"] == "train"]
    assert sorted(r["id"] for r in records) == sorted(wanted)  # there is room for all
    ids = {r["id"]: k for k, r in enumerate(whole_records)}
    for image, record in zip(images, records, strict=True):
        assert abs(image.astype(int) - whole_images[ids[record["id"]]]).mean() < 3
    place = Place(out, out / "none")
    mels, sounds = material.prepared_sounds(place)
    whole_mels, whole_sounds = material.prepared_sounds(Place(root, work))
    rows = {r["file"]: k for k, r in enumerate(whole_sounds)}
    for rates, record in zip(mels, sounds, strict=True):
        assert len(rates) == 1 and "ogg" not in record
        recorded = whole_mels[rows[record["file"]]][1]
        assert rates[0].shape == recorded.shape
        assert abs(rates[0].astype(int) - recorded).mean() < 4  # 1.6 dB
    found = material.read_prototypes(place)
    for concept, [[row, turned]] in found["drawings"].items():
        meant = whole_records[prototypes["drawings"][concept][0][0]]
        assert turned and records[row]["id"] == meant["id"]
    for kind, [row] in found["clips"].items():
        assert sounds[row]["file"] == whole_sounds[prototypes["clips"][kind][0]]["file"]
    assert found["drawings"].keys() == set(CONCEPTS) and found["clips"].keys() == set(CLASSES)


def test_a_small_set_keeps_to_its_size(small, tmp_path):
    (root, work, prototypes), _ = small
    args = ["--data", str(root), "--work", str(work), "--out", str(tmp_path)]
    main(["extract", *args, "--megabytes", "0.003"])
    records = files.read_pictures(tmp_path)[1]
    assert len(prototypes["drawings"]) <= len(records) < 40
    assert sum(f.stat().st_size for f in tmp_path.glob("*.npz")) < 20_000


def test_the_commands_of_the_readme_are_understood():
    readme = (Path(whole.__file__).parent / "README.md").read_text(encoding="utf-8")
    some = re.findall(r"^\$T (\w.*)$", readme, re.M)
    read = [parser().parse_args(shlex.split(x.replace("$A", ""), comments=True)) for x in some]
    assert {args.command for args in read} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_what_its_stage_takes(command):
    name, flags, _ = COMMANDS[command]
    stage = resolve_name(f"itskit.training.{name}")
    known, options = set(), [stage]
    if command == "finetune":
        options += [finetune.finetune_one, finetune.finetune_joint]
    if command == "solo":
        options += [finetune.learn_shift]
    for function in options:
        known |= set(inspect.signature(function).parameters)
    flags = set(flags.split())
    if "budget" in known:
        flags = flags - {"minutes", "steps"} | {"budget"}
    internal = {"place", "which", "options", "keep"}
    assert flags == known - internal


@pytest.mark.slow
def test_all_is_done_by_one_call_that_may_be_killed(small, tmp_path, monkeypatch):
    _, data_folder = small
    work, out = tmp_path / "work", tmp_path / "out"
    args = ["--data", str(data_folder), "--work", str(work), "--out", str(out), "--device", "cpu",
            "--steps", "2", "--batch", "4"]  # fmt: skip
    for missing in ("soundfile", "librosa"):
        monkeypatch.setitem(sys.modules, missing, None)

    def killed(*given, **options):
        raise Killed

    with monkeypatch.context() as patch:
        last = replace(whole.STAGES["finetune-joint"], run=killed)
        patch.setitem(whole.STAGES, "finetune-joint", last)
        with pytest.raises(Killed):
            main(["all", *args])
    assert {name.split(".")[0] for name in read_manifest(out)} >= NETWORKS
    before = load_weights(out, "image_unet.safetensors")
    steps = torch.load(work / "vae.state", weights_only=True)["step"]

    main(["all", *args])  # goes on
    report = json.loads((out / "all.json").read_text(encoding="utf-8"))["stages"]
    assert list(report) == list(whole.STAGES)
    assert all(one["done"] and not one["error"] for one in report.values())
    assert torch.load(work / "vae.state", weights_only=True)["step"] == steps == 2
    files = {file.name: file.stat().st_size for file in out.iterdir()}
    assert files.keys() == {*(f"{name}.safetensors" for name in NETWORKS | {"solo"}),
                            "weights.json", "all.json"}  # fmt: skip
    assert max(files.values()) <= whole.LARGEST
    after = load_weights(out, "image_unet.safetensors")
    assert any(not torch.equal(before[k], after[k]) for k in before)

    monkeypatch.undo()
    main(["pack", "--work", str(tmp_path / "empty"), "--weights", str(out)])
    pair = itskit.load_pair(out)
    result = itskit.compose(pair, "a castle", "rain", num_inference_steps=1, progress=False)
    assert result.latent.isfinite().all()
    main(["unpack", "--work", str(tmp_path / "again"), "--weights", str(out)])
    again = load_file(tmp_path / "again" / "image_unet.safetensors")
    assert all(torch.equal(again[k], after[k]) for k in after)


@pytest.mark.slow
def test_all_goes_on_from_the_packages_weights(small, tmp_path):
    _, data_folder = small
    out = tmp_path / "out"
    main(["all", "--data", str(data_folder), "--work", str(tmp_path / "work"), "--out", str(out),
          "--device", "cpu", "--steps", "1", "--batch", "4", "--from-shipped",
          "--stages", "solo"])  # fmt: skip
    assert list(json.loads((out / "all.json").read_text(encoding="utf-8"))["stages"]) == ["solo"]
    ours, theirs = (load_weights(f, "image_unet.safetensors") for f in (out, FOLDER))
    key = next(k for k in theirs if k.endswith("conv_out.weight"))
    assert torch.allclose(ours[key], theirs[key], atol=1e-3)


def stub(monkeypatch, **ways):
    """Stages that only say how they were called."""
    called = []
    for name, stage in whole.STAGES.items():

        def run(place, name=name, **options):
            called.append((name, options))
            if name in ways:
                ways[name](options)

        monkeypatch.setitem(whole.STAGES, name, replace(stage, run=run))
    monkeypatch.setattr(whole, "begin", lambda *given: None)
    return called


def whole_run(tmp_path, *more):
    main(["all", "--work", str(tmp_path), "--out", str(tmp_path / "out"), "--device", "cpu",
          "--minutes", "10", *more])  # fmt: skip


def test_stages_share_the_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(whole.time, "monotonic", lambda: clock[0])
    took = {"vae": 200.0, "finetune-image": 10.0}  # seconds: too long, and too short
    called = stub(monkeypatch, **{
        name: lambda options, s=s: clock.__setitem__(0, clock[0] + s) for name, s in took.items()
    })  # fmt: skip
    whole_run(tmp_path)
    until = {name: options["budget"].until for name, options in called}
    shares = {name: stage.share for name, stage in whole.STAGES.items()}
    assert until["vae"] == pytest.approx(600 * shares["vae"])
    left = sum(shares.values()) - shares["vae"]
    assert until["decoder"] == pytest.approx(200 + 400 * shares["decoder"] / left)
    left -= shares["decoder"] + shares["grain"] + shares["finetune-image"]
    assert until["finetune-sound"] == pytest.approx(210 + 390 * shares["finetune-sound"] / left)
    assert until["solo"] == pytest.approx(600)
    assert all(options["on_device"] and options["start"] == "work" for _, options in called)


def test_a_stage_that_fails_is_told_and_left_out(tmp_path, monkeypatch):
    def fails(options):
        raise ValueError("no such thing")

    called = stub(monkeypatch, **{"finetune-image": fails})
    with pytest.raises(SystemExit, match="failed: finetune-image"):
        whole_run(tmp_path)
    assert [name for name, _ in called] == list(whole.STAGES)
    report = json.loads((tmp_path / "out" / "all.json").read_text(encoding="utf-8"))["stages"]
    assert "no such thing" in report["finetune-image"]["error"]
    assert not report["finetune-image"]["done"]
    called.clear()
    with pytest.raises(SystemExit, match="failed: finetune-image"):
        whole_run(tmp_path)
    assert [name for name, _ in called] == ["finetune-image"]  # tried again, alone


def test_a_stage_without_memory_goes_on_with_smaller_batches(tmp_path, monkeypatch):
    def hungry(options):
        if options["batch"] > 100:
            raise torch.OutOfMemoryError("out of memory")

    called = stub(monkeypatch, **{"finetune-joint": hungry})
    whole_run(tmp_path, "--batch", "256", "--stages", "finetune-joint")
    assert [options["batch"] for _, options in called] == [256, 128, 64]


def test_a_signal_ends_the_call_after_what_it_met(tmp_path, monkeypatch):
    def met(options):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        except KeyboardInterrupt:
            pass  # as `loop.train` does

    before = signal.getsignal(signal.SIGTERM)
    called = stub(monkeypatch, decoder=met)
    whole_run(tmp_path)
    assert [name for name, _ in called] == ["vae", "decoder"]
    assert signal.getsignal(signal.SIGTERM) == before
    report = json.loads((tmp_path / "out" / "all.json").read_text(encoding="utf-8"))["stages"]
    assert report["vae"]["done"] and not report["decoder"]["done"]
