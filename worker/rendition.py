"""The sound of a recording that browsers cannot play, as one they all can. Lives inside the decode child.

MP3 at a constant bit rate: it is written in one pass at flat memory and needs no index, and browsers find a place in
it by arithmetic. (MP4 keeps an index of each frame, in memory until the end, and puts it behind the sound.)
"""

from collections.abc import Iterable
from typing import BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from worker.sound import Samples

RATE, BITS = 24_000, 48_000  # samples and bits a second, of one channel: all of a voice, 21 MB an hour


def write(blocks: Iterable[Samples], output: BinaryIO) -> int:
    """Encode blocks of samples at `RATE` into `output` (open, seekable); how many samples there were."""
    count = 0
    with av.open(output, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, options={"compression_level": "7"})  # 2.5 x as fast
        assert isinstance(stream, AudioStream)
        stream.layout, stream.bit_rate, stream.codec_context.thread_count = "mono", BITS, 1
        for block in blocks:
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(block[None]), "s16", "mono")
            frame.rate, frame.pts = RATE, count
            count += len(block)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return count
