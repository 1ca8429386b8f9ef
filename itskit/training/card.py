"""Fill the model card's tables: between two markers stands what a program knows best.

    <!-- begin NAME -->  …  <!-- end NAME -->

`weights` comes from the manifest, `data` from the training set's records, `evaluation` from
WORK/evaluation_test.json; what is not at hand is left as it stands.
"""

import json
import re
from pathlib import Path

from ..models.pocket.weights import FOLDER, read_manifest, weights_hash
from ..writing import written

CARD = FOLDER.parent / "MODEL_CARD.md"


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
    from .evaluate import as_text

    rows = ["| result, judged by | named rightly | 95% interval | prompts |", "|---|---|---|---|"]
    for name, (*found, count) in report["numbers"].items():
        value, around = as_text(name, *found)
        rows.append(f"| {name} | {value} | {around} | {count} |")
    prompts = report["prompts"]
    note = (
        f"Weights `{report['weights']}`, {report['seeds']} seeds a prompt; each result is named "
        f"among the same {prompts} candidates, so chance is {1 / prompts:.1%}. Intervals are over "
        "prompts (Student's t; Wilson's where each hits or misses). Rows in dB or cosines count "
        "no hits: `itskit/training/measures.py`."
    )
    return "\n".join([note, "", *rows])


def main(args):
    from .assemble import attribution

    text = CARD.read_text(encoding="utf-8")
    text = fill(text, "weights", weights_table(FOLDER))
    report = Path(args.work) / "evaluation_test.json"
    if report.exists():
        numbers = json.loads(report.read_text(encoding="utf-8"))
        text = fill(text, "evaluation", evaluation_table(numbers))
    if (args.data / "pictures.jsonl").exists():
        text = fill(text, "data", attribution(args.data))
    with written(CARD) as part:
        part.write_text(text, encoding="utf-8")
    print(f"wrote {CARD}")
