"""What people read when a recording cannot be used: the code, then what happened and what to do next.

The keys are all that the decode child may answer; `{limit}` is the longest recording the operator allows.
"""

from worker.sentences import TOO_LONG, UNPACKS
from worker.sentences import gettext_noop as _

REFUSALS = {
    "empty": ("empty", _("This file is empty. Check the recording on your device and upload it again.")),
    "no_sound": (
        "empty",
        _("There is no sound in this file, not even silence. Check the recording and upload it again."),
    ),
    "not_media": (
        "not_media",
        _("This file is not a recording we can read. Upload sound or video: MP3, M4A, WAV, FLAC, OGG, WebM or MP4."),
    ),
    "unknown_codec": (
        "not_media",
        _("The sound in this file is stored in a way we cannot read. Convert it to MP3, M4A or WAV and upload that."),
    ),
    "no_audio": ("no_audio", _("This file has no sound track. Upload a recording that has sound.")),
    "corrupt": (
        "corrupt",
        _("This file is damaged: no sound could be read from it. Copy or export the recording again and upload that."),
    ),
    "too_many_streams": (
        "corrupt",
        _("This file holds more tracks than any recording has. Convert it to MP3 or WAV and upload that."),
    ),
    "memory": (
        "corrupt",
        _("Reading this file takes more memory than any recording needs. Convert it to MP3 or WAV and upload that."),
    ),
    "stalled": (
        "corrupt",
        _("Reading this file came to a halt, so it is probably damaged. Convert it to MP3 or WAV and upload that."),
    ),
    "crashed": (
        "corrupt",
        _("This file is damaged in a way that stops our reader. Convert it to MP3 or WAV and upload that."),
    ),
    "too_long": (
        "too_long",
        TOO_LONG,
    ),
    "unpacks": (
        "too_long",
        UNPACKS,
    ),
}
