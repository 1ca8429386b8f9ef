"""Networks as files: in WORK while they are trained, in the package once they are released."""

from functools import lru_cache

import torch
from safetensors.torch import load_file, save_file

from ..models.pocket.text import TextEncoder, bert_network
from ..models.pocket.weights import FOLDER
from ..models.pocket.weights import load_weights as read_weights
from ..writing import written


def network(net, name, work, start="work"):
    """`net` in evaluation mode, with the weights NAME that lie in "work" or that are "shipped" with
    the package, or as it is ("new")."""
    if start == "shipped":
        net.load_state_dict(read_weights(FOLDER, f"{name}.safetensors"))
    elif start == "work":
        net.load_state_dict(load_file(work / f"{name}.safetensors"))
    elif start != "new":
        raise ValueError(f"start={start!r}: expected 'work', 'shipped' or 'new'")
    return net.eval()


def save_weights(state, path, about=None):
    """A state dict, and what to say of it, as safetensors; never half a file."""
    with written(path) as part:
        save_file({k: v.contiguous() for k, v in state.items()}, part, about)


class TextCache:
    """Texts encoded once, kept in half precision: 18 kB each. When there are `limit`, all go."""

    def __init__(self, encoder, limit=50_000):
        self.encoder, self.limit, self.rows = encoder, limit, {}

    def __call__(self, texts):
        if len(self.rows) >= self.limit:
            self.rows = {}
        new = [t for t in dict.fromkeys(texts) if t not in self.rows]
        for k in range(0, len(new), 256):
            for text, row in zip(new[k : k + 256], self.encoder(new[k : k + 256]), strict=True):
                self.rows[text] = row.half()
        return torch.stack([self.rows[t] for t in texts]).float()  # (N, 24, 384)


@lru_cache(1)  # the stages of one call share it
def shipped_texts(device="cpu") -> TextCache:
    """The shipped text encoder; the command `text` makes its file."""
    network = bert_network(read_weights(FOLDER, "text_encoder.safetensors"), device)
    return TextCache(TextEncoder(FOLDER / "tokenizer.json", network))
