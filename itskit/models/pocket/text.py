"""The pocket pair's text encoder: all-MiniLM-L6-v2 (Apache-2.0), 22.7 M parameters."""

from itertools import groupby
from unicodedata import category

import torch
from torch import nn

from .networks import TEXT_ROWS, TEXT_WIDTH, ready

BERT = {
    "vocab_size": 30522,
    "hidden_size": TEXT_WIDTH,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}


def bert() -> nn.Module:
    """PyTorch's network, with random weights."""
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**BERT), add_pooling_layer=False).eval().float()


def sentence_and_tokens(bert, ids, mask):
    """Tokens (N, L), and 1 where there is one, 0 for padding → (N, L + 1, 384).

    The sentence is MiniLM's own embedding (mean over tokens, unit length, times sqrt(384) so that
    each entry has unit variance, as the tokens' entries have).
    """
    states = bert(input_ids=ids, attention_mask=mask).last_hidden_state  # (N, L, 384)
    states = states * mask[..., None]
    sentence = nn.functional.normalize(states.sum(1), dim=1) * TEXT_WIDTH**0.5  # (N, 384)
    return torch.cat([sentence[:, None], states], 1)


def bert_network(state: dict, device="cpu"):
    """PyTorch's network with these weights, as a `TextEncoder` asks for it."""
    net = ready(bert(), state).to(device)
    return lambda ids, mask: sentence_and_tokens(net, ids.to(device), mask.to(device))


class TextEncoder:
    """Text → one tensor: the sentence in row 0, its tokens below, zeros where it has ended.

    tokenizer_file   tokenizer.json
    network          (tokens (N, L), mask (N, L)) → (N, L + 1, 384), as `sentence_and_tokens`
    """

    def __init__(self, tokenizer_file, network):
        from tokenizers import Tokenizer

        self.network = network
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self.tokenizer.enable_truncation(TEXT_ROWS - 1)
        self.tokenizer.enable_padding(length=TEXT_ROWS - 1)

    @torch.no_grad()
    def __call__(self, texts: list[str]) -> torch.Tensor:
        """(N,) texts → (N, 24, 384)."""
        codes = self.tokenizer.encode_batch(list(texts))
        ids = torch.tensor([code.ids for code in codes])  # (N, 23)
        mask = torch.tensor([code.attention_mask for code in codes])  # (N, 23)
        return self.network(ids, mask)

    @torch.no_grad()
    def places(self, texts: list[str]) -> torch.Tensor:
        """Row 0 of each text alone, of unit length (N, 384): quicker than all rows for short ones,
        since texts of one length go together and nothing is padded."""
        codes = self.tokenizer.encode_batch(list(texts))
        lengths = torch.tensor([sum(code.attention_mask) for code in codes])  # (N,)
        places = torch.empty(len(codes), TEXT_WIDTH)
        for length in lengths.unique().tolist():
            of_it = (lengths == length).nonzero()[:, 0]  # (n,)
            ids = torch.tensor([codes[k].ids[:length] for k in of_it])  # (n, length)
            places[of_it] = self.network(ids, torch.ones_like(ids))[:, 0] / TEXT_WIDTH**0.5
        return places

    def is_word(self, word: str) -> bool:
        """Whether the encoder has a word in one piece, as it has some 20,000 common ones."""
        tokens = self.tokenizer.encode(word, add_special_tokens=False).tokens
        return [t for t in tokens if t != "[PAD]"] == [t for t in tokens[:1] if t != "[UNK]"] != []

    def unread(self, text: str) -> tuple[str, list[str]]:
        """What of a text never reaches the network: the end that is cut off, "" if there is room,
        and the signs that are all one to the tokenizer, such as most emoji."""
        code = self.tokenizer.encode(text)
        spans = list(zip(code.offsets, code.tokens, code.special_tokens_mask, strict=True))
        spans = [(span, token) for span, token, special in spans if token == "[UNK]" or not special]
        end = max(span[1] for span, _ in spans) if code.overflowing else len(text)
        cut = text[end:].strip()
        read = {k for span, token in spans if token != "[UNK]" for k in range(*span)}
        runs = groupby(range(end), key=lambda k: k in read or text[k].isspace())
        runs = ["".join(text[k] for k in run) for is_read, run in runs if not is_read]
        return cut, [run for run in runs if any(map(_is_sign, run))]


def _is_sign(letter: str) -> bool:
    """Whether it would be missed: an accent that stands alone or a control character is not."""
    return category(letter)[0] not in "MCZ"
