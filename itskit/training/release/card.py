"""Fill the model card's tables: between two markers stands what a program knows best.

    <!-- begin NAME -->  …  <!-- end NAME -->

In MODEL_CARD.md `weights` comes from the manifest and `evaluation`, the headline numbers, from
WORK/evaluation_SPLIT.json, which is copied whole beside it; in ATTRIBUTION.md `data` comes from the
training set's records. What is not at hand is left as it stands.
"""

import json
import re

from ...models.pocket.weights import FOLDER, read_manifest, weights_hash
from ...writing import written
from ..assemble import attribution
from ..evaluate.summary import as_text
from ..place import Place

CARD = FOLDER.parent / "MODEL_CARD.md"
ATTRIBUTION, EVALUATION = CARD.with_name("ATTRIBUTION.md"), CARD.with_name("evaluation.json")
HEADLINES = {  # rows of the report: what they are, who judged
    "image only, image": ("picture alone", "own scorer"),
    "sound only, sound judge": ("sound alone", "independent judge"),
    "composed, image": ("composed, as a picture", "own scorer"),
    "composed, sound judge": ("composed, as a sound", "independent judge"),
    "strong imprint, image": ("strong imprint, as a picture", "own scorer"),
    "strong imprint, sound judge": ("strong imprint, as a sound", "independent judge"),
    "held-out recordings, sound judge, before mel and back": ("recordings", "independent judge"),
    "held-out recordings, sound judge, coded": ("recordings, coded", "independent judge"),
}


def fill(text: str, name: str, block: str) -> str:
    """`text` with `block` between the markers of `name`; ValueError if there are none."""
    pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(
            f"the card has no <!-- begin {name} --> … <!-- end {name} -->: add the two lines where "
            "the table belongs"
        )
    return pattern.sub(lambda found: f"{found[1]}{block.strip()}\n{found[2]}", text)


def weights_table(folder) -> str:
    rows = ["| file | parameters | size | training | SHA-256 |", "|---|---|---|---|---|"]
    for name, entry in read_manifest(folder).items():
        size, count = f"{entry['bytes'] / 1e6:.1f} MB", f"{entry['parameters'] / 1e6:.2f} M"
        rows.append(
            f"| {name} | {count} | {size} | {entry['trained']} | `{entry['sha256'][:12]}` |"
        )
    total = sum(entry["bytes"] for entry in read_manifest(folder).values())
    return "\n".join([*rows, "", f"Together {total / 1e6:.1f} MB, hash `{weights_hash(folder)}`."])


def evaluation_table(report: dict) -> str:
    """The headline numbers of a report."""
    rows = [
        "| what | judged by | named rightly | 95% interval | prompts |",
        "|---|---|---|---|---|",
    ]
    for name, (what, judge) in HEADLINES.items():
        if name in report["numbers"]:
            *found, count = report["numbers"][name]
            value, around = as_text(name, *found)
            rows.append(f"| {what} | {judge} | {value} | {around} | {count} |")
    prompts = report["prompts"]
    note = (
        f"Weights `{report['weights']}`, {report['split']} words, {report['seeds']} seeds a prompt."
        f" Each result is named among the same {prompts} candidates: chance is {1 / prompts:.1%}. "
        "Intervals are over prompts. All rows: [evaluation.json](evaluation.json)."
    )
    return "\n".join([note, "", *rows])


def fill_card(place: Place, *, split="validation"):
    """MODEL_CARD.md, evaluation.json and ATTRIBUTION.md, by what is at hand."""
    text = CARD.read_text(encoding="utf-8")
    text = fill(text, "weights", weights_table(FOLDER))
    report = place.work / f"evaluation_{split}.json"
    if report.exists():
        numbers = report.read_text(encoding="utf-8")
        _write(EVALUATION, numbers)
        text = fill(text, "evaluation", evaluation_table(json.loads(numbers)))
    _write(CARD, text)
    if (place.data / "pictures.jsonl").exists():
        text = ATTRIBUTION.read_text(encoding="utf-8")
        _write(ATTRIBUTION, fill(text, "data", attribution(place.data)))


def _write(path, text):
    with written(path) as part:
        part.write_text(text, encoding="utf-8")
    print(f"wrote {path}")
