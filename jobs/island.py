"""What the upload island is told by the page it stands on: addresses, limits, choices, and its sentences, translated."""

from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from jobs import words
from jobs.services.languages import LANGUAGES

FIRST_LANGUAGES = ("en", "de")  # of every list of them
# What recordings are called where the browser has no type for them: the containers the decoder opens.
EXTENSIONS = (
    "3g2 3ga 3gp aac aif aifc aiff amr asf avi awb caf flac flv m2ts m4a m4b m4v mka mkv mov mp2 mp3 mp4 mpeg mpg mts oga "
    "ogg ogv opus ts w64 wav webm wma wmv"
).split()


def island_settings(request: HttpRequest) -> dict[str, object]:
    """For `json_script`; read by `frontend-island/src/settings.ts`. Sizes in bytes."""
    return {
        "endpoint": "/api/v1/uploads/",
        "token": reverse("island-token"),
        "sign_out": reverse("sign-out"),
        "owner": str(cast(User, request.user).pk),
        "limit": settings.UPLOAD_LIMIT_BYTES,
        "extensions": EXTENSIONS,
        "accept": accept(),
        "choices": choices(),
        "words": {**_target(), **_states(), **_buttons(), **_refusals(), **_said()},
    }


def accept() -> str:
    """The attribute of file inputs."""
    return ",".join(["audio/*", "video/*", *(f".{extension}" for extension in EXTENSIONS)])


def choices() -> dict[str, object]:
    """What can be chosen for an upload."""
    rest = sorted((code for code in LANGUAGES if code not in FIRST_LANGUAGES), key=words.language)
    languages = [[code, words.language(code)] for code in (*FIRST_LANGUAGES, *rest)]
    return {"languages": languages, "models": [], "default_model": ""}


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
        "progress_of": _("Uploaded of {name}"),
    }


def _buttons() -> dict[str, str]:
    return {
        "pause": _("Pause"),
        "resume": _("Go on"),
        "retry": _("Try again"),
        "cancel": _("Cancel"),
        "remove": _("Remove from this list"),
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
