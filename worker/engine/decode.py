"""The loop: one token after another for rows of windows; rows that have ended leave the batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from whisper.tokenizer import Tokenizer
from whisper.utils import compression_ratio

from worker.engine.decoder import Decoder, log_of_sum
from worker.engine.memory import Memory
from worker.engine.rules import Grammar, Vocabulary, vocabulary

POLLS = {"cpu": 1, "cuda": 8}  # steps between two looks for rows that have ended: a look makes a GPU wait
SMALLER = {"cpu": 1.0, "cuda": 0.6}  # part still under way at which the others leave: on a GPU a step is captured anew
Pick = Callable[[Tensor, Sequence[int]], tuple[Tensor, Tensor]]
"""(logits (n, vocabulary) after the rules, the n rows they are of) -> the tokens chosen, their log probabilities.
It may write into the logits."""


@dataclass(frozen=True)
class Task:
    """What every row of a batch is asked. `prompt`: all tokens before the first heard one; `start`: where among them
    the start of the transcript is; `limit`: the most tokens that are heard."""

    tokenizer: Tokenizer
    prompt: Sequence[int]
    start: int
    vocabulary: Vocabulary
    limit: int


@dataclass(frozen=True)
class Result:
    """What was heard in a row: text tokens and timestamps, without the end. `average_log_probability` per token, the
    end counted; `no_speech_probability` as the model had it at the start of the transcript."""

    tokens: list[int]
    average_log_probability: float
    no_speech_probability: float
    compression_ratio: float
    temperature: float


@dataclass
class Heard:
    """A row under way."""

    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    ended: bool = False

    def take(self, token: int, log_probability: float, end: int) -> None:
        """Nothing counts after the end."""
        if self.ended:
            return
        self.log_probability += log_probability
        self.ended = token == end
        if not self.ended:
            self.tokens.append(token)

    def take_all(self, tokens: Sequence[tuple[int, float]], task: Task) -> None:
        """Tokens and their log probabilities, up to the limit."""
        for token, log_probability in tokens[: task.limit - len(self.tokens)]:
            self.take(token, log_probability, task.tokenizer.eot)

    def is_over(self, task: Task) -> bool:
        return self.ended or len(self.tokens) == task.limit


def task(decoder: Decoder, tokenizer: Tokenizer, before: Sequence[int] = (), *, tokens: int = 0) -> Task:
    """`before`: tokens as if said before each window. `tokens`: exactly so many are heard, for measurements; 0: as
    openai-whisper does, half of the context at most."""
    prefix = [tokenizer.sot_prev, *before] if before else []
    prompt = [*prefix, *tokenizer.sot_sequence]
    limit = min(tokens or decoder.context // 2, decoder.context - len(prompt) + 1)
    return Task(tokenizer, prompt, len(prefix), vocabulary(tokenizer, decoder.device, endless=tokens > 0), limit)


@torch.inference_mode()
def decode(decoder: Decoder, memory: Memory, task: Task, pick: Pick, temperature: float) -> list[Result]:
    """A result for each row of `memory`, whose rows change places."""
    state, logits = decoder.begin(memory, task.prompt, (task.start, -1), room=task.limit)
    silence = logits[:, 0].softmax(dim=-1)[:, task.tokenizer.no_speech].tolist()
    heard = [Heard() for _ in range(memory.rows)]
    grammar, rows, logits = Grammar(task.vocabulary, memory.rows), list(range(memory.rows)), logits[:, 1]
    unread: list[Tensor] = []
    for count in range(1, task.limit + 1):
        tokens, chances = pick(grammar.apply(logits), rows)
        unread.append(torch.stack([tokens.double(), chances.double()]))
        grammar.note(tokens)
        if count == task.limit or count % POLLS[decoder.device.type] == 0:
            _read(unread, [heard[row] for row in rows], task)
            going = [place for place, row in enumerate(rows) if not heard[row].ended]
            if not going or count == task.limit:
                break
            if len(going) < len(rows) * SMALLER[decoder.device.type]:
                order = state.keep(going)
                rows, places = [rows[place] for place in order], torch.tensor(order, device=tokens.device)
                grammar.keep(places)
                tokens = tokens[places]
        logits = decoder.step(state, tokens)
    return [result(row, chance, task, temperature) for row, chance in zip(heard, silence, strict=True)]


def likeliest(logits: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """A `Pick` without chance."""
    chosen = likeliest_token(logits)
    return chosen, log_probabilities(logits, chosen)


def likeliest_token(logits: Tensor) -> Tensor:
    """On a CPU numpy finds the largest of 8 x 51865 in 0.03 ms, torch in 0.7."""
    return logits.argmax(dim=-1) if logits.is_cuda else torch.from_numpy(logits.numpy().argmax(axis=1))


def log_probabilities(logits: Tensor, chosen: Tensor) -> Tensor:
    """Uses the logits up."""
    top = logits.amax(dim=-1, keepdim=True)
    found = logits.gather(1, chosen[:, None]) - top
    return (found - log_of_sum(logits, top))[:, 0]


def _read(unread: list[Tensor], rows: Sequence[Heard], task: Task) -> None:
    """Take over what was chosen since the last look."""
    for tokens, chances in torch.stack(unread).tolist():
        for row, token, chance in zip(rows, tokens, chances, strict=True):
            row.take(int(token), chance, task.tokenizer.eot)
    unread.clear()


def result(heard: Heard, silence: float, task: Task, temperature: float) -> Result:
    """`silence`: the probability that nobody speaks."""
    text = task.tokenizer.decode(heard.tokens).strip()
    average = heard.log_probability / (len(heard.tokens) + 1)
    return Result(heard.tokens, average, silence, compression_ratio(text), temperature)
