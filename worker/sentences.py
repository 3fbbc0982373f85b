"""Sentences with something inserted that the worker stores in rows.

Nothing of the house is imported here: `worker.media` loads none of it, and `jobs.stored` reads this.
"""


def gettext_noop(sentence: str) -> str:
    """Marks a sentence for the catalogue, as Django's own does."""
    return sentence


TOO_LONG = gettext_noop(
    "This recording is longer than {limit}, the most we accept. Cut it into parts and upload them one by one."
)
UNPACKS = gettext_noop(
    "This file unpacks to far more sound than {limit} can hold. Convert it to MP3 or WAV and upload that."
)
SHORTER = gettext_noop("Only {read} of the {stated} of this recording could be read. The rest is damaged or missing.")
FIRST_PART = gettext_noop("Only the first {read} of this recording could be read. The rest is damaged or missing.")
HOLES = gettext_noop("This recording is damaged in places. About {lost} s could not be read.")
INFECTED_BY = gettext_noop("The virus scanner found something harmful in this file ({name}), so it was removed.")
SCAN_REFUSED = gettext_noop(
    "The virus scanner could not look into this recording, so it was not transcribed. It may be too large for it."
)
UNSCANNED_REFUSED = gettext_noop(
    "This recording was not scanned for viruses. It may be too large for the scanner, or built in an unusual way."
)
UNSCANNED_AWAY = gettext_noop("This recording was not scanned for viruses, because the scanner did not answer.")
TEMPLATES = (TOO_LONG, UNPACKS, SHORTER, FIRST_PART, HOLES, INFECTED_BY)
