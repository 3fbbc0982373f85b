"""Sentences of two small grammars, spoken by espeak-ng.

Everything is drawn from a `random.Random`, so a seed names a whole set of sentences, voices and speeds.
"""

import io
import random
import subprocess
import wave
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""Mono sound at `RATE`, full scale is 1.0, shape (samples,)."""

RATE = 16_000
"""Samples a second, the one rate that Whisper hears."""

LANGUAGES = ("en", "de")

# Each line is one place in the sentence; the first three are always filled, later ones by chance.
ENGLISH = (
    "the committee,our team,the new engineer,the director,my colleague,the client,the doctor,the teacher,"
    "a small group,the customer,the company,every student,the finance office,the research team,nobody,"
    "the manager,the city council,our partner,the driver,the reporter",
    "approved,reviewed,cancelled,finished,opened,discussed,delivered,moved,explained,rejected,recorded,"
    "prepared,shared,updated,measured,described,ordered,printed,signed,watched",
    "the budget,the yearly report,seven boxes,the first draft,the contract,a long interview,the red folder,"
    "two hundred tickets,the meeting notes,a simple plan,the old database,the weather forecast,the music,"
    "three paintings,the invoice,a short story,the bridge,forty chairs,the recipe,the garden wall",
    "in the kitchen,at the airport,on the second floor,near the river,in the main hall,at the office,"
    "behind the school,in the library,at the station,in a quiet room",
    "on monday morning,last friday,yesterday,before lunch,after the break,in november,at nine thirty,"
    "this week,on tuesday,around midnight",
)
GERMAN = (
    "der lehrer,die firma,unser team,die kundin,der direktor,meine kollegin,der arzt,die gruppe",
    "prüft,öffnet,beendet,liest,verschiebt,erklärt,bestellt,unterschreibt",
    "den bericht,den vertrag,das konzert,die rechnung,sieben kisten,die notizen,das fenster,den plan",
    "am montag,heute morgen,nach der pause,im november,am freitag,vor dem essen",
)
GRAMMARS = {"en": ENGLISH, "de": GERMAN}
ALWAYS_FILLED = 3
OFTEN = 0.6

ACCENTS = {"en": ("en-us", "en-gb"), "de": ("de",)}
TIMBRES = ("", "+m1", "+m2", "+m3", "+m4", "+m7", "+f1", "+f2", "+f3", "+f4")
SPEEDS = (130, 195)  # words a minute
PITCHES = (33, 67)  # of 0..99
HEARD = 1e-3
"""Below this level espeak-ng's head and tail are silence; they are cut, so that starts and ends are true."""


@dataclass(frozen=True)
class Utterance:
    """One spoken sentence: 16-bit samples at `RATE` (16-bit, since hours of them lie in memory)."""

    text: str
    language: str
    samples: npt.NDArray[np.int16]


@dataclass(frozen=True)
class Line:
    """What espeak-ng is asked to say, and how."""

    text: str
    language: str
    voice: str
    speed: int
    pitch: int


def sentence(chance: random.Random, language: str) -> str:
    """Draw one sentence of the grammar of `language` ("en" or "de")."""
    places = [place.split(",") for place in GRAMMARS[language]]
    parts = [chance.choice(place) for place in places[:ALWAYS_FILLED]]
    parts += [chance.choice(place) for place in places[ALWAYS_FILLED:] if chance.random() < OFTEN]
    text = " ".join(parts)
    return text[0].upper() + text[1:] + "."


def held_out(text: str) -> bool:
    """Whether a sentence is kept from training: a fixed tenth of both grammars, by checksum."""
    return zlib.crc32(text.encode()) % 10 == 0


def draw(chance: random.Random, language: str, unseen: bool) -> Line:
    """Draw a sentence, from the held-out tenth if `unseen`, and a voice for it."""
    text = sentence(chance, language)
    while held_out(text) != unseen:
        text = sentence(chance, language)
    voice = chance.choice(ACCENTS[language]) + chance.choice(TIMBRES)
    return Line(text, language, voice, chance.randint(*SPEEDS), chance.randint(*PITCHES))


def lines(count: int, seed: int, unseen: bool = False, languages: tuple[str, ...] = LANGUAGES) -> list[Line]:
    """Draw `count` lines, the languages mixed evenly."""
    chance = random.Random(seed)
    return [draw(chance, chance.choice(languages), unseen) for _ in range(count)]


def resample(sound: Samples, rate: int) -> Samples:
    """Bring sound from `rate` to `RATE` by straight lines between samples: good enough for a synthetic voice."""
    count = int(len(sound) * RATE / rate)
    return np.interp(np.arange(count) * rate / RATE, np.arange(len(sound)), sound).astype(np.float32)


def speak(line: Line) -> Utterance:
    """Say one line, the silence before and after it cut away."""
    command = ["espeak-ng", "-v", line.voice, "-s", str(line.speed), "-p", str(line.pitch), "--stdout", line.text]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(sound)) as file:
        rate = file.getframerate()
    # The header of a piped WAV counts two billion frames, so the samples are read past it by hand.
    samples = resample(np.frombuffer(sound[44:], dtype="<i2").astype(np.float32) / np.float32(32768), rate)
    loud = np.flatnonzero(np.abs(samples) > HEARD)
    spoken = (samples[loud[0] : loud[-1] + 1] * 32767).astype(np.int16)
    return Utterance(line.text, line.language, spoken)


def speak_all(wanted: list[Line], threads: int = 2) -> list[Utterance]:
    """Say many lines, in their order; espeak-ng runs as one process a line."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(speak, wanted))
