"""Make the demo checkpoint: `uv run python -m worker.demo.train --out worker/demo/demo.pt`.

Speaks the sentences, trains through the stages (or, with `--from`, goes on from a checkpoint), averages the last
weights, writes the checkpoint and prints its report. `--report CHECKPOINT` prints the report alone, `--samples`
makes the two sample recordings.
"""

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from whisper.audio import log_mel_spectrogram

from worker.demo.labels import FRAME, STEPS, Labels, Target
from worker.demo.learner import IGNORED, Learner
from worker.demo.mixing import Mixer, Scene, decode_mp3, encode_mp3
from worker.demo.report import print_report
from worker.demo.samples import write_samples
from worker.demo.speech import RATE, Samples, Utterance, lines, speak_all


@dataclass(frozen=True)
class Stage:
    """A stretch of training: window length in seconds, windows a step, and the weights of the two losses.

    The rate falls linearly from `peak` to `peak * floor` over the stage.
    """

    steps: int
    length: int
    windows: int
    peak: float
    decoder: float = 1.0
    spoken: float = 0.5
    floor: float = 0.1


FROM_NOTHING = (
    Stage(1000, 6, 16, 1e-3, decoder=0, spoken=1, floor=0.8),  # the encoder first, else the decoder learns to babble
    Stage(1500, 6, 16, 8e-4, floor=0.7),
    Stage(1200, 12, 8, 6e-4, floor=0.6),
    Stage(3500, 30, 4, 5e-4),
)
GOING_ON = (Stage(3500, 30, 4, 4e-4, spoken=0, floor=0.05),)

WARM_UP = 100
AVERAGED_FROM = 0.7
"""Share of the last stage after which its weights are averaged, every `AVERAGED_EVERY` steps."""
AVERAGED_EVERY = 10
PRINTED_EVERY = 50
SAVED_EVERY = 300
COMPRESSED = 0.2
EMPTY = 0.07
PLANNED = 0.6


@dataclass(frozen=True)
class Batch:
    """Spectrogram (windows, 80, frames), decoder input and wanted tokens (windows, tokens), and the targets."""

    spectrogram: Tensor
    tokens: Tensor
    wanted: Tensor
    targets: list[Target]


class Windows:
    """An endless, seeded supply of training windows."""

    def __init__(self, utterances: list[Utterance], seed: int) -> None:
        self.chance = random.Random(seed)
        self.mixer = Mixer(utterances, seed)
        self.labels = Labels(self.chance)

    def batch(self, stage: Stage) -> Batch:
        """Windows for one step."""
        scenes = [self.scene(stage) for _ in range(stage.windows)]
        targets = [self.labels.target(scene, self.mixer, self.offset(stage)) for scene in scenes]
        sound = np.stack([self.compressed(scene)[: stage.length * RATE] for scene in scenes])
        spectrogram = log_mel_spectrogram(torch.from_numpy(sound), 80)
        for row, scene in enumerate(scenes):
            if scene.grey:
                spectrogram[row, :, scene.content // (FRAME // 2) :] = 0
        return Batch(spectrogram, *padded(targets), targets)

    def scene(self, stage: Stage) -> Scene:
        """One window; the short ones hold whole sentences only, since words heard must be words wanted."""
        language = self.mixer.language()
        kind = self.chance.random()
        if kind < EMPTY:
            return self.mixer.empty(language)
        if stage.length < 30 or kind < EMPTY + PLANNED:
            return self.mixer.planned(language, stage.length * RATE)
        return self.mixer.running(language)

    def offset(self, stage: Stage) -> int:
        """Where in the positions of a full window a shorter one is put."""
        return self.chance.randint(0, STEPS - stage.length * 50)

    def compressed(self, scene: Scene) -> Samples:
        """The samples, now and then as an mp3 leaves them."""
        if self.chance.random() > COMPRESSED:
            return scene.samples
        samples = np.zeros_like(scene.samples)
        heard = decode_mp3(encode_mp3(scene.samples[: scene.content], self.chance.choice([32_000, 48_000, 64_000])))
        samples[: scene.content] = heard[: scene.content]
        return samples


def padded(targets: list[Target]) -> tuple[Tensor, Tensor]:
    """Decoder input and wanted tokens, both (windows, longest): the second is one token ahead of the first."""
    longest = max(len(target.prompt) + len(target.tokens) for target in targets) - 1
    tokens = torch.full((len(targets), longest), targets[0].tokens[0])
    wanted = torch.full((len(targets), longest), IGNORED)
    for row, target in enumerate(targets):
        start, count = len(target.prompt), len(target.tokens) - 1
        tokens[row, : start + count] = torch.tensor([*target.prompt, *target.tokens[:-1]])
        learnt = torch.tensor(target.learnt[1:])
        wanted[row, start : start + count] = torch.tensor(target.tokens[1:]).where(learnt, IGNORED)
    return tokens, wanted


def loss_of(learner: Learner, stage: Stage, batch: Batch) -> Tensor:
    """The stage's sum of the decoder's and the CTC head's loss."""
    heard = learner.encode(batch.spectrogram, [target.offset for target in batch.targets])
    loss = torch.zeros(())
    if stage.decoder:
        loss = loss + stage.decoder * learner.decoder_loss(heard, batch.tokens, batch.wanted)
    if stage.spoken:
        loss = loss + stage.spoken * learner.spoken_loss(heard, [target.spoken for target in batch.targets])
    return loss


def shortened(stages: tuple[Stage, ...], steps: int) -> tuple[Stage, ...]:
    """The stages brought to `steps` in all."""
    total = sum(stage.steps for stage in stages)
    return tuple(replace(stage, steps=max(1, stage.steps * steps // total)) for stage in stages)


class Training:
    """Runs stages within a time limit; the limit shortens each stage alike, so that the rate still falls to its end."""

    def __init__(self, learner: Learner, windows: Windows, minutes: float, out: Path) -> None:
        self.learner = learner
        self.out = out
        self.windows = windows
        self.limit = minutes * 60
        self.trained = [parameter for parameter in learner.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=0, weight_decay=0.01, betas=(0.9, 0.98))
        self.average = AveragedModel(learner)
        self.step = 0

    def run(self, stages: tuple[Stage, ...]) -> Learner:
        """Train through all stages; the averaged learner."""
        for stage in stages:
            share = stage.steps / sum(one.steps for one in stages)
            for progress in self.progress(stage, self.limit * share):
                loss = self.take(stage, progress)
                if stage is stages[-1] and progress > AVERAGED_FROM and self.step % AVERAGED_EVERY == 0:
                    self.average.update_parameters(self.learner)
                self.note(f"{stage.length} s windows, {progress:.1%}, loss {loss:.3f}")
        self.average.update_parameters(self.learner)
        averaged = self.average.module
        assert isinstance(averaged, Learner)
        return averaged

    def note(self, text: str) -> None:
        """Print how it goes, and keep the latest weights, now and then."""
        if self.step % PRINTED_EVERY == 0:
            print(f"step {self.step}: {text}", flush=True)
        if self.step % SAVED_EVERY == 0:
            self.learner.save(self.out)

    def progress(self, stage: Stage, limit: float) -> Iterator[float]:
        """From 0 to 1, by steps or by time, whichever is ahead."""
        start = time.monotonic()
        for step in range(stage.steps):
            progress = max(step / stage.steps, (time.monotonic() - start) / limit)
            if progress >= 1:
                return
            yield progress

    def take(self, stage: Stage, progress: float) -> float:
        """One step of the optimizer; its loss."""
        self.step += 1
        rate = stage.peak * (1 - progress * (1 - stage.floor)) * min(1, self.step / WARM_UP)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = loss_of(self.learner, stage, self.windows.batch(stage))
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        return loss.item()


def new_learner(labels: Labels, start: Path | None) -> Learner:
    """A learner with the grammars' vocabulary, from nothing or from a checkpoint."""
    vocabulary = labels.vocabulary()
    spoken = sum(token < labels.tokenizer.eot for token in vocabulary)
    learner = Learner(vocabulary, spoken, labels.first_time)
    if start:
        learner.start_from(start)
    else:
        learner.start_from_nothing()
    return learner


def train(arguments: argparse.Namespace) -> None:
    """Speak, train, write, report."""
    torch.manual_seed(arguments.seed)
    utterances = speak_all(lines(arguments.sentences, arguments.seed))
    print(f"{sum(len(one.samples) for one in utterances) / RATE / 3600:.1f} hours of speech", flush=True)
    windows = Windows(utterances, arguments.seed)
    learner = new_learner(windows.labels, arguments.start)
    training = Training(learner, windows, arguments.minutes, arguments.out)
    stages: tuple[Stage, ...] = GOING_ON if arguments.start else FROM_NOTHING
    if arguments.steps:
        stages = shortened(stages, arguments.steps)
    training.run(stages).save(arguments.out)
    print_report(arguments.out)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="start", type=Path, metavar="CHECKPOINT", help="go on from this checkpoint")
    parser.add_argument("--out", type=Path, default=Path("demo.pt"), help="where the checkpoint is written")
    parser.add_argument("--steps", type=int, help="steps over all stages, which keep their shares")
    parser.add_argument("--minutes", type=float, default=600, help="time limit of all stages, which keep their shares")
    parser.add_argument("--sentences", type=int, default=12_000, help="sentences that are spoken for training")
    parser.add_argument("--seed", type=int, default=1, help="of sentences, voices, windows and weights")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--report", type=Path, metavar="CHECKPOINT", help="print the report of this one, train nothing")
    parser.add_argument("--samples", action="store_true", help="make the sample recordings, train nothing")
    return parser.parse_args()


def main() -> None:
    """Do what the command line says."""
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.samples:
        write_samples()
    elif arguments.report:
        print_report(arguments.report)
    else:
        train(arguments)


if __name__ == "__main__":
    main()
