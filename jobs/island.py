"""What the page tells the upload island on it: addresses, limits, choices, and its sentences, translated."""

from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User

# What recordings are called where the browser has no type for them: the containers the decoder opens.
_SOUND = "3ga aac aif aifc aiff amr awb caf flac m4a m4b mka mp2 mp3 oga ogg opus w64 wav wma"
_PICTURES = "3g2 3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts webm wmv"
EXTENSIONS = [*_SOUND.split(), *_PICTURES.split()]


def island_settings(request: HttpRequest, options: dict[str, object] | None) -> dict[str, object]:
    """For `json_script`; read by `frontend-island/src/settings.ts`. Sizes in bytes.

    `options`: those of `partials.upload_options()`; None where the island shows no choices.
    """
    return {
        "endpoint": "/api/v1/uploads/",
        "token": reverse("island-token"),
        "sign_out": reverse("sign-out"),
        "owner": str(cast(User, request.user).pk),
        "limit": settings.UPLOAD_LIMIT_BYTES,
        "extensions": EXTENSIONS,
        "accept": accept(),
        "choices": options or {"languages": [], "models": [], "default_model": "", "beams": []},
        "words": {**_target(), **_states(), **_buttons(), **_refusals(), **_said()},
    }


def accept() -> str:
    """The attribute of file inputs."""
    return ",".join(["audio/*", "video/*", *(f".{extension}" for extension in EXTENSIONS)])


def _target() -> dict[str, str]:
    return {
        "drop": _("Choose recordings, or drop them here"),
        "hint": _("Audio or video, up to {limit} each"),
        "folder": _("Choose a folder"),
        "drop_here": _("Drop the files to upload them"),
        "options": _("Options"),
        "options_hint": _("For the files you add next."),
        "language": _("Spoken language"),
        "automatic": _("Automatic"),
        "model": _("Model"),
        "english_only": _("English only"),
        "no_translation": _("no translation"),
        "translate": _("Translate into English"),
        "more_options": _("More options"),
        "recognition": _("Recognition"),
        "hot_words": _("Names and terms"),
        "hot_words_hint": _("They are recognised more easily. Separate them by commas."),
        "prompt": _("Context"),
        "prompt_hint": _("A few sentences as if said just before, in the language of the recording."),
        "uploads": _("Uploads"),
        "unfinished": _("Unfinished uploads: choose the file again to go on"),
        "kept": _("{percent} % is there, kept until {until}"),
    }


def _states() -> dict[str, str]:
    return {
        "waiting": _("Waiting for the files before it"),
        "starting": _("Connecting…"),
        "retrying": _("The connection was lost. It goes on by itself."),
        "offline": _("You are offline. It goes on by itself when the network is back."),
        "finishing": _("Storing the file…"),
        "paused": _("Paused"),
        "done": _("Uploaded"),
        "cancelled": _("Cancelled. Nothing was kept."),
        "left": _("{time} left"),
        "progress_of": _("Progress of {name}"),
    }


def _buttons() -> dict[str, str]:
    return {
        "pause": _("Pause"),
        "resume": _("Go on"),
        "retry": _("Try again"),
        "cancel": _("Cancel"),
        "remove": _("Remove from this list"),
        "choose": _("Choose"),
        "discard": _("Discard"),
        "pause_named": _("Pause {name}"),
        "resume_named": _("Go on with {name}"),
        "retry_named": _("Try {name} again"),
        "cancel_named": _("Cancel {name}"),
        "remove_named": _("Remove {name} from this list"),
        "discard_named": _("Discard {name}"),
    }


def _refusals() -> dict[str, str]:
    return {
        "too_large": _("This file is larger than {limit}, the most that can be uploaded here."),
        "empty": _("This file is empty. Choose another one."),
        "wrong_type": _("This is not a recording. Choose an audio or video file."),
        "left_out": _("Files in the folder that are not recordings were left out."),
        "file_gone": _("This file was moved or changed on your device. Choose it again."),
        "signed_out": _("You were signed out. Sign in again, then choose the file again; what was sent is kept."),
        "not_accepted": _("The server did not accept this file. Reload the page and try again."),
    }


def _said() -> dict[str, str]:
    """Read out by screen readers."""
    return {
        "said_start": _("Uploading {name}"),
        "said_quarter": _("{name}: {percent} percent uploaded"),
        "said_going_on": _("{name}: the connection is back"),
        "said_problem": _("{name}: {reason}"),
        "said_paused": _("{name} is paused"),
        "said_cancelled": _("{name} is cancelled"),
        "said_done": _("{name} is uploaded"),
    }
