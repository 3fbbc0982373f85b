"""What a script wants to know first: who it is, what it may choose, how much it may send."""

from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from jobs import exports, words
from jobs.api.access import bearer_of
from jobs.api.problems import problems
from jobs.api.recordings import READ
from jobs.api.schemas import Language, LimitsOut, Me, ModelOut, ModelsOut
from jobs.services.languages import LANGUAGES
from jobs.services.offers import default_model, offers

router = Router(tags=["Facts"])


@router.get("/me", auth=READ, response={200: Me, **problems()}, summary="Whose token this is")
def me(request: HttpRequest) -> Me:
    """And what it may do."""
    user, scopes = bearer_of(request)
    return Me(name=user.get_username(), email=user.email or None, scopes=sorted(scopes))


@router.get("/models", auth=READ, response={200: ModelsOut, **problems()}, summary="Models and languages")
def models(request: HttpRequest) -> ModelsOut:
    """Models that live workers offer, the default first, and the languages they may be told."""
    default = default_model()
    found = [
        ModelOut(name=o.model, default=o.model == default, translates=o.translates, english_only=o.english_only)
        for o in offers()
    ]
    return ModelsOut(models=found, languages=[Language(code=code, name=words.language(code)) for code in LANGUAGES])


@router.get("/limits", auth=READ, response={200: LimitsOut, **problems()}, summary="Limits")
def limits(request: HttpRequest) -> LimitsOut:
    """Of this installation."""
    return LimitsOut(
        upload_bytes=settings.UPLOAD_LIMIT_BYTES,
        duration_seconds=settings.DURATION_LIMIT_SECONDS,
        unfinished_upload_seconds=settings.UPLOAD_EXPIRY_SECONDS,
        requests_per_minute=settings.API_REQUESTS_PER_MINUTE,
        retention_days=settings.RETENTION_DAYS,
        formats=list(exports.FORMATS),
    )
