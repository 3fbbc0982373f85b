"""Where in a recording its sound belongs: pauses that a file leaves out become silence, so that times stay true. Pure.

Recorders of calls write nothing while nobody speaks or the network is away; only the times of the packets tell.
"""

# FFmpeg's names of containers that store a time with each packet. Of all others it counts the times from the sound
# itself, and a jump would only be damage.
TIMED = frozenset({"matroska", "webm", "mov", "ogg", "asf", "flv", "mpegts", "mpeg"})
JITTER = 0.2  # seconds; clocks of recorders run unevenly, and some times are whole milliseconds
BACKWARDS = 1.0  # seconds; a jump back by more is a clock set anew, as in joined files
LONGEST, MOST = 3600.0, 4 * 3600.0  # seconds of one pause and of all: what is more is a broken clock, or malice


class Timeline:
    """Fed each frame of sound in order; `filled` is the silence so far, in seconds."""

    def __init__(self) -> None:
        self.filled = 0.0
        self._origin: float | None = None
        self._position = 0.0

    def silence_before(self, time: float | None, length: float) -> float:
        """Seconds of silence that belong before a frame which says it begins at `time` and lasts `length`."""
        pause = 0.0 if time is None else self._pause(time)
        self.filled += pause
        self._position += pause + length
        return pause

    def _pause(self, time: float) -> float:
        if self._origin is None:
            self._origin = time - self._position
        ahead = time - self._origin - self._position
        if -BACKWARDS <= ahead <= JITTER:
            return 0.0
        if ahead < 0 or ahead > LONGEST or self.filled + ahead > MOST:
            self._origin = time - self._position  # from here on its clock is another one
            return 0.0
        return ahead
