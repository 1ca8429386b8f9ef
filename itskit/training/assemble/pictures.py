"""Drawings of many packages → pictures_128.npz and pictures.jsonl.

A drawing is kept if its name says what it shows (match exact or qualified), its licence allows
weights to be shared with attribution, and it is not nearly equal to an earlier one of the same
concept.
"""

import json
from collections import Counter

import numpy as np
from PIL import Image
from tqdm import tqdm

from .artworks import Artwork, artworks, sources
from .drawing import measures, on_square, tone, white_shape, without_white_page
from .lexicon import is_sounding, match_kind

SIZE = 128
KEPT_TIERS = ("permissive", "attribution")
KEPT_MATCHES = ("exact", "qualified")
SAME = 0.985  # cosine of two drawings at 24 × 24


def assemble_pictures(out, cache, only=None):
    """Fetch, draw and write; returns the records. `only`: keys of tables/pictures.tsv."""
    all_sources = sources(cache, only)
    pictures, records, left_out = [], [], Counter()
    nearly = NearlyEqual()
    for artwork in tqdm(artworks(all_sources), desc="drawings", mininterval=2):
        drawn, reason = draw(artwork)
        if drawn is not None and nearly.seen(artwork.concept, drawn[0]):
            drawn, reason = None, "nearly equal to an earlier one"
        if drawn is None:
            left_out[reason] += 1
            continue
        record = record_of(artwork, *drawn)
        if record["tier"] in KEPT_TIERS and record["match"] in KEPT_MATCHES:
            pictures.append(drawn[0])
            records.append(record)
        else:
            left_out[f"{record['tier']}, {record['match']}"] += 1
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "pictures_128.npz", images=np.stack(pictures))
    with open(out / "pictures.jsonl", "w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
    print(f"{len(records)} pictures in {out}; left out: {dict(left_out.most_common(12))}")
    return records


def draw(artwork: Artwork):
    """((picture (128, 128) uint8, width / height, way of toning), "") or (None, why not)."""
    try:
        image = artwork.draw()
    except (ValueError, OSError) as error:
        return None, f"{artwork.source.key}: {str(error)[:60]}"
    if image is None:
        return None, "no such glyph"
    if artwork.colour == "shape":
        image = white_shape(image)
    elif artwork.colour == "many":
        image = without_white_page(image)
    grey, toning = tone(image, one_colour=artwork.colour != "many")
    if grey is None:
        return None, "empty"
    picture, aspect = on_square(grey, SIZE)
    if picture is None or picture.mean() < 2.5:
        return None, "empty"
    return (picture, aspect, toning), ""


class NearlyEqual:
    """Remembers the drawings of each concept, small and of unit length."""

    def __init__(self):
        self.known = {}

    def seen(self, concept: str, picture: np.ndarray) -> bool:
        small = Image.fromarray(picture).resize((24, 24), Image.BOX)
        vector = np.asarray(small, np.float32).ravel()
        vector /= np.linalg.norm(vector) + 1e-6
        known = self.known.setdefault(concept, [])
        if known and float(np.max(np.stack(known) @ vector)) > SAME:
            return True
        known.append(vector)
        return False


def record_of(artwork: Artwork, picture, aspect, toning) -> dict:
    """One line of pictures.jsonl."""
    source, name = artwork.source, artwork.name.lower()
    words = [artwork.concept, *artwork.keywords]
    keywords = dict.fromkeys(w.strip().lower() for w in words if w and w.strip())
    return {
        "id": f"{source.key}/{artwork.file}",
        "source": f"{source.package}@{source.version}",
        "file": artwork.file,
        "licence": source.licence,
        "tier": source.tier,
        "author": artwork.author,
        "name": name,
        "concept": artwork.concept,
        "match": match_kind(artwork.name, artwork.concept),
        "keywords": list(keywords)[:16],
        "category": artwork.category,
        "style": artwork.style,
        "render": toning,
        "aspect": round(float(aspect), 3),
        **measures(picture),
        "sounding": is_sounding(artwork.concept, artwork.category),
    }
