"""For tests: text in a run without an engine."""

from collections.abc import Sequence

from django.utils import timezone

from jobs.models import Run, Segment, Window


def speak(run: Run | None, texts: Sequence[str], start: float = 0.0, *, timed: bool = False) -> list[Segment]:
    """One done window, and a segment of 4 s every 5 s from `start`, stored in this order.

    `timed`: the words share the time of their segment evenly.
    """
    assert run is not None
    index, end = run.windows.count(), start + 5 * len(texts)
    window = Window.objects.create(run=run, index=index, span=0, batch=0, start=start, end=end, done_at=timezone.now())
    return Segment.objects.bulk_create(
        Segment(
            run=run,
            window=window,
            index=place,
            start=start + 5 * place,
            end=start + 5 * place + 4,
            text=text,
            words=evenly(text, start + 5 * place, 4.0) if timed else [],
        )
        for place, text in enumerate(texts)
    )


def evenly(text: str, start: float, length: float) -> list[tuple[float, float, str, float]]:
    """The words of a text, each as long as the others."""
    words = text.split()
    each = length / len(words)
    return [(start + each * n, start + each * (n + 1), f" {word}", 0.9) for n, word in enumerate(words)]
