"""The pocket pair's text encoder: all-MiniLM-L6-v2 (Apache-2.0), 22.7 M parameters."""

import torch
from torch import nn

from .networks import TEXT_ROWS, TEXT_WIDTH

BERT = {
    "vocab_size": 30522,
    "hidden_size": TEXT_WIDTH,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}


class TextEncoder(nn.Module):
    """Text → one tensor: the sentence in row 0, its tokens below, zeros where it has ended.

    The sentence is MiniLM's own embedding (mean over tokens, unit length, times sqrt(384) so that
    each entry has unit variance, as the tokens' entries have).
    """

    def __init__(self, tokenizer_file):
        super().__init__()
        from tokenizers import Tokenizer
        from transformers import BertConfig, BertModel

        self.bert = BertModel(BertConfig(**BERT), add_pooling_layer=False).eval()
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self.tokenizer.enable_truncation(TEXT_ROWS - 1)
        self.tokenizer.enable_padding(length=TEXT_ROWS - 1)

    @torch.no_grad()
    def forward(self, texts: list[str]):
        """(N,) texts → (N, 24, 384)."""
        codes, device = self.tokenizer.encode_batch(list(texts)), self.bert.device
        ids = torch.tensor([c.ids for c in codes], device=device)  # (N, 23)
        mask = torch.tensor([c.attention_mask for c in codes], device=device)  # (N, 23)
        states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state  # (N, 23, 384)
        states = states * mask[..., None]
        sentence = nn.functional.normalize(states.sum(1), dim=1) * TEXT_WIDTH**0.5  # (N, 384)
        return torch.cat([sentence[:, None], states], 1)
