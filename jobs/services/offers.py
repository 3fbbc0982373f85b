"""Which models can be chosen: what the workers say about the checkpoints they loaded. The web process loads none.

While a worker lives, only what the live ones hold can be chosen. While none does, nobody can say what will come back:
then it is what workers held within the last day and the model of the settings, so that no upload is refused because
workers are down. What such a choice cannot find later waits, and says for which model.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from jobs.models import Worker

WORKER_LIVES = timedelta(seconds=60)  # a worker not seen for longer is taken for gone


@dataclass(frozen=True)
class Offer:
    """`translates`: into English. `english_only`: it hears no other language."""

    model: str
    translates: bool
    english_only: bool


def offers() -> list[Offer]:
    """Never empty; the default first (`default_model`)."""
    found = _merged(live()) or _merged(Worker.objects.all()) | {settings.MODEL_NAME: by_name(settings.MODEL_NAME)}
    return sorted(found.values(), key=lambda o: (o.model != settings.MODEL_NAME, o.english_only, o.model))


def default_model() -> str:
    """The model of a run nobody chose one for: that of the settings, unless only others are offered."""
    return offers()[0].model


def live(now: datetime | None = None) -> QuerySet[Worker]:
    """The workers seen within WORKER_LIVES that have not said goodbye."""
    return Worker.objects.filter(seen_at__gt=(now or timezone.now()) - WORKER_LIVES, ended_at=None)


def by_name(model: str) -> Offer:
    """What openai's names say, for a model no worker has loaded yet."""
    english_only = model.endswith(".en")
    cut_down = "turbo" in model or model.startswith("distil")  # multilingual, but not trained to translate
    return Offer(model, translates=not english_only and not cut_down, english_only=english_only)


def _merged(workers: Iterable[Worker]) -> dict[str, Offer]:
    """By model. Two files under one name: what both can."""
    found: dict[str, Offer] = {}
    for worker in workers:
        offer = Offer(worker.model, translates=worker.translates, english_only=worker.english_only)
        other = found.get(worker.model, offer)
        found[worker.model] = Offer(
            worker.model,
            translates=offer.translates and other.translates,
            english_only=offer.english_only or other.english_only,
        )
    return found
