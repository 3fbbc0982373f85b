"""The model that is trained: Whisper's own modules, a compact vocabulary, and a CTC head beside the decoder."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from whisper.model import ModelDimensions, Whisper, sinusoids

WIDTH = 128
HEADS = 4
DIMENSIONS = ModelDimensions(
    n_mels=80,
    n_audio_ctx=1500,
    n_audio_state=WIDTH,
    n_audio_head=HEADS,
    n_audio_layer=3,
    n_vocab=51865,
    n_text_ctx=448,
    n_text_state=WIDTH,
    n_text_head=HEADS,
    n_text_layer=2,
)
TIMES = 1501

SHIFTS = ((-5, -1, 1, 5), (-9, -3, 3, 9), (-14, -5, 5, 14))
"""Encoder steps that each head of each layer looks away at first."""

SOFT_RADIUS, SOFT_WIDTH = 4, 1.5
"""Timestamp targets are a Gaussian this many tokens wide, cut off at the radius."""

IGNORED = -100


class Learner(nn.Module):
    """Whisper with its embedding cut to the tokens in use.

    The softmax counts all unused tokens as one column whose logit is log(their number): their rows are zero in
    the file, so each has logit 0 there. Left out of training they would be free to take most of the
    probability, and Whisper's own thresholds (no speech, mean log probability) would misjudge every window.
    """

    def __init__(self, vocabulary: Sequence[int], spoken: int, first_time: int) -> None:
        """`vocabulary`: token ids in use, ascending, the first `spoken` of them text; the last 1501 timestamps."""
        super().__init__()
        self.whisper = Whisper(DIMENSIONS)
        self.tokens = torch.tensor(vocabulary)
        self.spoken = spoken
        self.compact = torch.full((DIMENSIONS.n_vocab,), IGNORED)
        self.compact[self.tokens] = torch.arange(len(vocabulary))
        self.first_time = int(self.compact[first_time])
        self.rows = nn.Parameter(torch.randn(len(vocabulary), WIDTH) * 0.02)
        self.head = nn.Linear(WIDTH, spoken + 1)
        self.unused = math.log(DIMENSIONS.n_vocab - len(vocabulary))
        self.whisper.decoder.token_embedding.requires_grad_(False)

    def start_from_nothing(self) -> None:
        """Attention that starts local, and timestamps that start as the positions they mean."""
        look_nearby(self.whisper)
        with torch.no_grad():
            self.whisper.decoder.positional_embedding.normal_(0, 0.01)
            norm = self.rows[: self.spoken].norm(dim=1).mean()
            self.rows[self.first_time :] = sinusoids(TIMES, WIDTH) / math.sqrt(WIDTH / 2) * norm

    def start_from(self, path: Path) -> None:
        """Go on from a checkpoint in openai-whisper's format; the CTC head, which is not in it, starts anew."""
        state: dict[str, Any] = torch.load(path, weights_only=True)["model_state_dict"]
        self.whisper.load_state_dict(state)
        with torch.no_grad():
            self.rows.copy_(self.whisper.decoder.token_embedding.weight[self.tokens])

    def save(self, path: Path) -> None:
        """Write the checkpoint in half precision, with zero rows for unused tokens."""
        state = {name: value.half() for name, value in self.whisper.state_dict().items()}
        embedding = torch.zeros(DIMENSIONS.n_vocab, WIDTH, dtype=torch.float16)
        embedding[self.tokens] = self.rows.detach().half()
        state["decoder.token_embedding.weight"] = embedding
        torch.save({"dims": DIMENSIONS.__dict__, "model_state_dict": state}, path)

    def encode(self, spectrogram: Tensor, offsets: Sequence[int]) -> Tensor:
        """(windows, 80, 2 * steps) -> (windows, steps, width), the positions moved by `offsets` steps.

        Windows shorter than 30 s see random stretches of the positional embedding, else those past the first
        seconds would meet their first use only when the windows grow.
        """
        encoder = self.whisper.encoder
        heard = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(spectrogram)))).permute(0, 2, 1)
        steps = heard.shape[1]
        heard = heard + torch.stack([encoder.positional_embedding[start : start + steps] for start in offsets])
        for block in encoder.blocks:
            heard = block(heard)
        normed: Tensor = encoder.ln_post(heard)
        return normed

    def decode(self, heard: Tensor, tokens: Tensor) -> Tensor:
        """Log probabilities (windows, tokens, compact vocabulary + 1) after each of `tokens` (full ids)."""
        decoder = self.whisper.decoder
        read = functional.embedding(self.compact[tokens], self.rows) + decoder.positional_embedding[: tokens.shape[1]]
        for block in decoder.blocks:
            read = block(read, heard, mask=decoder.mask)
        logits = decoder.ln(read) @ self.rows.T
        unused = torch.full_like(logits[..., :1], self.unused)
        return torch.cat([logits, unused], dim=-1).log_softmax(-1)

    def decoder_loss(self, heard: Tensor, tokens: Tensor, wanted: Tensor) -> Tensor:
        """Mean cross-entropy of `wanted` (full ids, or -100 where nothing is learnt), soft for timestamps."""
        learnt = wanted != IGNORED
        log_probabilities = self.decode(heard, tokens)[learnt]
        ids = self.compact[wanted[learnt]]
        plain = -log_probabilities.gather(1, ids[:, None])[:, 0]
        return torch.where(ids >= self.first_time, self.soft_time_loss(log_probabilities, ids), plain).mean()

    def soft_time_loss(self, log_probabilities: Tensor, ids: Tensor) -> Tensor:
        """Cross-entropy against a Gaussian around each timestamp: being 20 ms off is nearly right.

        With hard targets the timestamps stay half a second off, and the words suffer with them.
        """
        steps = torch.arange(-SOFT_RADIUS, SOFT_RADIUS + 1)
        weights = torch.softmax(-0.5 * (steps / SOFT_WIDTH) ** 2, 0)
        near = (ids[:, None] + steps).clamp(self.first_time, self.first_time + TIMES - 1)
        return -(log_probabilities.gather(1, near) * weights).sum(1)

    def spoken_loss(self, heard: Tensor, spoken: Sequence[Sequence[int]]) -> Tensor:
        """CTC loss of the encoder's output against the text tokens alone (full ids)."""
        log_probabilities = self.head(heard).log_softmax(-1).transpose(0, 1)
        targets = self.compact[torch.tensor([token for one in spoken for token in one], dtype=torch.long)] + 1
        heard_lengths = torch.full((len(spoken),), heard.shape[1])
        lengths = torch.tensor([len(one) for one in spoken])
        return functional.ctc_loss(log_probabilities, targets, heard_lengths, lengths, zero_infinity=True)


def look_nearby(whisper: Whisper) -> None:
    """Let each encoder head attend to a fixed distance at first.

    Whisper's sinusoids allow it: the query picks the fastest (sine, cosine) pairs and the key the same pairs
    turned by the shift. From a random start the encoder does not find its own locality in hours.
    """
    half = WIDTH // 2
    rates = torch.exp(-math.log(10000) / (half - 1) * torch.arange(half))
    for block, shifts in zip(whisper.encoder.blocks, SHIFTS, strict=True):
        query, key = shifted_attention(rates, shifts)
        block.attn.query.weight.data.mul_(0.1).add_(query * 1.6)
        block.attn.key.weight.data.mul_(0.1).add_(key * 1.6)
        block.attn.query.bias.data.zero_()
    whisper.encoder.conv2.weight.data.mul_(2)


def shifted_attention(rates: Tensor, shifts: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Query and key weights (width, width), by which head i attends `shifts[i]` steps away."""
    half, pairs = WIDTH // 2, WIDTH // HEADS // 2
    query, key = torch.zeros(WIDTH, WIDTH), torch.zeros(WIDTH, WIDTH)
    picked = torch.arange(pairs)
    for head, shift in enumerate(shifts):
        sine = head * 2 * pairs + picked
        cosine = sine + pairs
        turn = rates[:pairs] * shift
        query[sine, picked] = query[cosine, half + picked] = 1
        key[sine, picked] = key[cosine, half + picked] = torch.cos(turn)
        key[sine, half + picked] = -torch.sin(turn)
        key[cosine, picked] = torch.sin(turn)
    return query, key
