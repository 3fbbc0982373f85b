"""One engine slot: a child at a time with the worker's model, replaced when it is lost. No torch here."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from worker import lines
from worker.engine import wire
from worker.engine.base import FAST, EngineRefused, Loaded, Options, Piece, Segment, Vote
from worker.engine.process import EngineDied, EngineProcess

POLL_SECONDS = 0.5
# Before the expected end of a caller's last request. Who follows then has what it needs (some round trips to Temporal
# and Postgres) while the engine is still at work. Much sooner would keep work from other workers that are free.
SOON_SECONDS = 1.5
LOAD_SECONDS = 1800  # the largest models from a slow disk
Poll = Callable[[], None]


@dataclass(frozen=True)
class EngineSettings:
    """`slots` 0: automatic. `window_cap_seconds`: wall clock for a request. `mode`: one of MODES. `log_format`: of the
    children's lines, one of `worker.lines.FORMATS`."""

    checkpoint: Path
    model: str
    slots: int
    cancel_grace_seconds: float
    window_cap_seconds: float
    mode: str = FAST
    log_format: str = lines.TEXT


class Home(Protocol):
    """What a slot asks of its pool."""

    settings: EngineSettings

    def launch(self, device: str) -> EngineProcess: ...

    def discard(self, child: EngineProcess) -> None: ...

    def accept(self, loaded: Loaded) -> None: ...

    def note(self, heard: float, took: float) -> None: ...

    def speed(self) -> float: ...

    def ends_soon(self, slot: "Slot") -> None: ...


class Slot:
    """One child after another, with the same model on the same device. One caller at a time."""

    def __init__(self, pool: Home, device: str) -> None:
        self._pool = pool
        self._device = device
        self._child: EngineProcess | None = None
        self._is_loaded = False
        self._number = 0

    @property
    def pid(self) -> int | None:
        """Of the child there is now."""
        return self._child.pid if self._child else None

    def vote_language(self, samples: Path, pieces: Sequence[Piece], *, poll: Poll) -> Vote:
        """As `Engine.vote_language`; `poll` and errors as `hear`."""
        return wire.vote_in(self._ask(wire.VOTE, samples, pieces, None, poll))

    def hear(
        self, samples: Path, pieces: Sequence[Piece], options: Options, *, poll: Poll, last: bool = False
    ) -> dict[int, list[Segment]]:
        """As `Engine.hear`. `poll` is called about twice a second while waiting; what it raises stops the waiting.

        `last`: the caller gives the slot back after this; the pool is told shortly before.
        Raises EngineDied when the child is lost over this request, EngineRefused when it cannot be loaded or says no.
        """
        self.warm(poll)
        began, length = time.monotonic(), sum(piece.end - piece.start for piece in pieces)
        if last:
            poll = self._heralding(poll, began + length / max(self._pool.speed(), 0.001))
        heard = wire.windows_in(self._ask(wire.HEAR, samples, pieces, options, poll))
        if options.beam == 1:  # what is known of the speed is that of one hypothesis
            self._pool.note(length, time.monotonic() - began)
        return heard

    def _heralding(self, poll: Poll, end: float) -> Poll:
        """`poll`, which also says when the `end` is near."""

        def both() -> None:
            if time.monotonic() >= end - SOON_SECONDS:
                self._pool.ends_soon(self)
            poll()

        both()  # a short request is near its end when it begins
        return both

    def begin(self) -> None:
        """See that there is a child, loaded or loading. One that died while idle is nobody's fault."""
        if self._child is not None and self._child.ended:
            self.close()
        if self._child is None:
            self._child = self._pool.launch(self._device)

    def warm(self, poll: Poll) -> EngineProcess:
        """The child, with its model in memory. When `poll` raises, it goes on loading for the next caller."""
        self.begin()
        assert self._child is not None
        deadline = time.monotonic() + LOAD_SECONDS
        try:
            while not self._is_loaded:
                message = self._child.receive(POLL_SECONDS)
                if message is not None:
                    self._take_loaded(message)
                elif time.monotonic() > deadline:
                    raise EngineDied("The engine did not load its model in time.")
                else:
                    poll()
        except EngineDied as died:  # over no request, so no window is to blame
            self.close()
            raise EngineRefused("engine_not_loaded", f"The model could not be loaded. {died.detail}") from died
        return self._child

    def _take_loaded(self, message: dict[str, Any]) -> None:
        try:
            if refused := wire.refusal_in(message):
                raise refused
            self._pool.accept(wire.loaded_in(message))
        except EngineRefused:
            self.close()
            raise
        self._is_loaded = True

    def _ask(
        self, verb: str, samples: Path, pieces: Sequence[Piece], options: Options | None, poll: Poll
    ) -> dict[str, Any]:
        child = self.warm(poll)
        self._number += 1
        # Windows of a batch are heard together, and batches are made to take seconds: what one may take is enough.
        deadline = time.monotonic() + self._pool.settings.window_cap_seconds
        in_step = False  # whether the child waits for the next request
        try:
            child.send(wire.request(self._number, verb, samples.resolve(), pieces, options))
            answer = self._wait(child, deadline, poll)
            in_step = answer is not None and answer.get("error") != "engine_broken"
        except EngineDied:
            raise
        except BaseException:
            in_step = self._let_finish(child)
            raise
        finally:
            if not in_step:
                self.close()
        return self._checked(answer)

    def _wait(self, child: EngineProcess, deadline: float, poll: Poll) -> dict[str, Any]:
        while (answer := child.receive(POLL_SECONDS)) is None:
            if time.monotonic() > deadline:
                raise EngineDied("The engine took longer than it may for so many windows, so it was ended.")
            poll()
        return answer

    def _let_finish(self, child: EngineProcess) -> bool:
        """Give a cancelled request its grace: a warm child is worth some seconds. True: it came to its end."""
        try:
            return child.receive(self._pool.settings.cancel_grace_seconds) is not None
        except EngineDied:
            return False

    def _checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        refused = wire.refusal_in(answer)
        if refused and refused.code == "engine_broken":
            raise EngineDied(refused.detail)
        if refused:
            raise refused
        return answer

    def close(self) -> None:
        """Kill the child, if there is one. The next use starts another."""
        if self._child is not None:
            self._pool.discard(self._child)
        self._child, self._is_loaded = None, False
