"""All settings. Every value that differs between places is one call of `transcribe.env`."""

import sys
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from transcribe import env
from transcribe.watching.logs import logging_settings
from worker.lines import FORMATS
from worker.model import named

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Mode -----------------------------------------------------------------------------------------------------------
# Embedded: the one-command stack for trials and tests on 127.0.0.1. Everything else is production.
EMBEDDED = env.flag("TRANSCRIBE_EMBEDDED", False)
DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]" if EMBEDDED else "")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")

# --- Files ----------------------------------------------------------------------------------------------------------
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / ".data")))
MEDIA_ROOT = Path(env.text("MEDIA_ROOT", str(DATA_DIR / "media")))  # one root that every web and worker process sees

# --- Limits ---------------------------------------------------------------------------------------------------------
UPLOAD_LIMIT_BYTES = env.number("UPLOAD_LIMIT_BYTES", 1 << 30, minimum=1)  # inclusive
BODY_LIMIT_BYTES = env.number("BODY_LIMIT_BYTES", 16 << 20, minimum=1)  # every route but uploads
HEAD_SECONDS = env.number("HEAD_SECONDS", 30, minimum=1)  # for the head of a request, see transcribe.deadlines
BODY_SILENCE_SECONDS = env.number("BODY_SILENCE_SECONDS", 45, minimum=1)  # for 32 KiB of a body, or its rest
UPLOAD_EXPIRY_SECONDS = env.number("UPLOAD_EXPIRY_SECONDS", 24 * 3600, minimum=1)
UPLOADS_UNFINISHED_LIMIT = env.number("UPLOADS_UNFINISHED_LIMIT", 50, minimum=1)  # of one person
UPLOAD_LOCK_WAIT_SECONDS = env.number("UPLOAD_LOCK_WAIT_SECONDS", 5)  # for the connection before to give way
DISK_RESERVE_BYTES = env.number("DISK_RESERVE_BYTES", 1 << 30)  # nothing is admitted while less is free
DURATION_LIMIT_SECONDS = env.number("DURATION_LIMIT_SECONDS", 24 * 3600, minimum=1)  # enforced while decoding
API_REQUESTS_PER_MINUTE = env.number("API_REQUESTS_PER_MINUTE", 1200, minimum=2)  # of one person, by each web process
OPENAI_WAIT_SECONDS = env.number("OPENAI_WAIT_SECONDS", 590, minimum=1)  # their clients give up after 600
# A recording is deleted so long after its last run; 0: kept for ever. More is a thousand years: dates have an end.
RETENTION_DAYS = min(env.number("RETENTION_DAYS", 0), 365_000)

# --- Virus scan -----------------------------------------------------------------------------------------------------
CLAMD_ADDRESS = env.address("CLAMD_ADDRESS")  # HOST:PORT, or the path of a Unix socket; empty: nothing is scanned
# Where the scanner is away, or refuses a file: it is waited for, the run fails; or both go on, with a warning.
SCAN_POLICY = env.choice("SCAN_POLICY", "required", ("required", "best_effort"))
CLAMD_SILENCE_SECONDS = env.number("CLAMD_SILENCE_SECONDS", 900, minimum=1)  # more than clamd's MaxScanTime

# --- Model ----------------------------------------------------------------------------------------------------------
DEMO_CHECKPOINT = BASE_DIR / "worker" / "demo" / "demo.pt"
# Each a name that openai-whisper knows, the path of a checkpoint, or NAME=PATH. Workers offer all; the first one, or
# WHISPER_MODEL, is that of runs for which nobody chose.
WHISPER_MODELS = env.names("WHISPER_MODELS")
MODEL_NAME, WHISPER_MODEL = named(env.text("WHISPER_MODEL", WHISPER_MODELS[0] if WHISPER_MODELS else "base"))
MODEL_NAME = env.text("MODEL_NAME", MODEL_NAME)
MODELS = {MODEL_NAME: WHISPER_MODEL, **{n: what for n, what in map(named, WHISPER_MODELS) if n != MODEL_NAME}}
MODEL_FOLDER = env.text("MODEL_FOLDER", "")  # where downloaded weights lie; empty: openai-whisper's cache folder
DEMO_MODEL = Path(WHISPER_MODEL) == DEMO_CHECKPOINT  # a banner says so on every page

# --- Temporal and the worker ----------------------------------------------------------------------------------------
TEMPORAL_ADDRESS = env.text("TEMPORAL_ADDRESS", "127.0.0.1:7233")
TEMPORAL_NAMESPACE = env.text("TEMPORAL_NAMESPACE", "default")
HEARTBEAT_TIMEOUT_SECONDS = env.number("HEARTBEAT_TIMEOUT_SECONDS", 30, minimum=1)
GRACEFUL_SHUTDOWN_SECONDS = env.number("GRACEFUL_SHUTDOWN_SECONDS", 30, minimum=0)
REPAIR_SECONDS = env.number("REPAIR_SECONDS", 60, minimum=1)
WORKER_BEAT_SECONDS = env.number("WORKER_BEAT_SECONDS", 5, minimum=1)  # a worker silent for three beats is not alive
CANCEL_GRACE_SECONDS = env.number("CANCEL_GRACE_SECONDS", 5, minimum=0)  # then the engine child is killed
WINDOW_CAP_SECONDS = env.number("WINDOW_CAP_SECONDS", 600, minimum=1)  # wall clock for a batch in the engine
ENGINE_MODE = env.choice("ENGINE_MODE", "fast", ("fast", "exact"))  # exact: openai-whisper's tokens, about half as fast
ENGINE_SLOTS = env.number("ENGINE_SLOTS", 0)  # 0: one for each GPU, else as many as cores and memory allow
FAILPOINTS = env.text("FAILPOINTS", "")  # a folder, for fault tests alone, see jobs.failpoints

# --- Django ---------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    # first, so that it replaces runserver by one that serves sockets; it doubles the start of every other command
    *(["daphne"] if "runserver" in sys.argv else []),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "django_htmx",
    "tailwind",
    "transcribe.theme",
    "transcribe.embedded",
    "transcribe.preflight",
    "accounts",
    "jobs",
    "worker",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "transcribe.static.static_files",
    "transcribe.headers.private_by_default",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.refresh.refresh_sign_in",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "transcribe.urls"
CSRF_FAILURE_VIEW = "transcribe.api.csrf_failure"
ASGI_APPLICATION = "transcribe.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "transcribe.theme.context.site",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


# A database host that vanishes without a word is noticed: the system's own limits are hours, and heartbeats wait too.
SILENCE_LIMITS = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
# So is a process that stands still in a transaction: others wait for its locks. 0: nothing is told to Postgres.
DATABASE_TRANSACTION_SECONDS = env.number("DATABASE_TRANSACTION_SECONDS", 30)


def _database(url: str) -> dict[str, object]:
    """DATABASE_URL as Django wants it; `?host=` may name the folder of a Unix socket."""
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    seconds = DATABASE_TRANSACTION_SECONDS
    still = {"options": f"-c idle_in_transaction_session_timeout={seconds}s"} if seconds else {}
    return {
        "ENGINE": "transcribe.postgres",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": query.pop("port", parts.port or ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, **still, **SILENCE_LIMITS, **query},
    }


DATABASES = {"default": _database(env.text("DATABASE_URL"))}
DATABASE_IDLE_CONNECTIONS = env.number(
    "DATABASE_IDLE_CONNECTIONS", 10
)  # that one web process keeps for its next requests

# --- Sign-in --------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
SESSION_ENGINE = "accounts.sessions"  # in the database, and each row knows whose it is
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
LOCAL_LOGIN = env.flag("LOCAL_LOGIN", EMBEDDED)
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "accounts.oidc.ProviderBackend"]
# An OpenID Connect provider, such as Authentik; its discovery document is read below this address. Empty: none.
OIDC_ISSUER = env.text("OIDC_ISSUER", "")  # exactly as its tokens say it, the final slash too
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID") if OIDC_ISSUER else ""
OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET") if OIDC_ISSUER else ""
OIDC_PROVIDER_NAME = env.text("OIDC_PROVIDER_NAME", "Authentik")  # as the button says it
OIDC_SCOPES = env.text("OIDC_SCOPES", "openid profile email")
OIDC_API_CLIENTS = env.names("OIDC_API_CLIENTS", OIDC_CLIENT_ID)  # whose access tokens scripts may use here
OIDC_ALLOWED_GROUPS = env.names("OIDC_ALLOWED_GROUPS")  # empty: whoever the provider lets through
OIDC_STAFF_GROUPS = env.names("OIDC_STAFF_GROUPS")  # empty: the administration decides who is staff
OIDC_SUPERUSER_GROUPS = env.names("OIDC_SUPERUSER_GROUPS")
OIDC_REFRESH_SECONDS = env.number("OIDC_REFRESH_SECONDS", 900, minimum=60)  # then the provider is asked again
AUDIT_DAYS = env.number("AUDIT_DAYS", 365, minimum=1)  # how long the audit log is kept
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- Brand ----------------------------------------------------------------------------------------------------------
BRAND_NAME = env.text("BRAND_NAME", "Transcribe")
BRAND_LOGO = env.text("BRAND_LOGO", "")  # the path of an SVG, PNG, WebP or JPEG file; empty: our own sign
BRAND_ACCENT = env.text("BRAND_ACCENT", "#2a6455")  # links, buttons, progress; `manage.py check` judges it
BRAND_ACCENT_DARK = env.text("BRAND_ACCENT_DARK", "")  # on dark pages; empty: made from the other

# --- Security -------------------------------------------------------------------------------------------------------
# Embedded mode speaks plain HTTP on loopback, so cookies cannot demand TLS there.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not EMBEDDED
COOKIE_PREFIX = "" if EMBEDDED else "__Host-"  # browsers take such a cookie from this very host over TLS alone
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid", f"{COOKIE_PREFIX}csrftoken"
SECURE_SSL_REDIRECT = not EMBEDDED and env.flag("SSL_REDIRECT", True)
SECURE_HSTS_SECONDS = 0 if EMBEDDED else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not EMBEDDED
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_TLS_PROXY", False) else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SECURE_CSP = {
    "default-src": ["'self'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "connect-src": ["'self'"],
    "media-src": ["'self'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "form-action": [
        "'self'",
        *([f"{urlsplit(OIDC_ISSUER).scheme}://{urlsplit(OIDC_ISSUER).netloc}"] if OIDC_ISSUER else []),
    ],
}

# --- Language, time, static files -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}django_language"
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = SESSION_COOKIE_SECURE
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "transcribe.static.Storage"},
}
TAILWIND_APP_NAME = "transcribe.theme"

# --- Logs: job id and run, never tokens, file names or transcript text ----------------------------------------------
LOG_FORMAT = env.choice("LOG_FORMAT", "text" if EMBEDDED else "json", FORMATS)  # json: one object a line
LOGGING = logging_settings(LOG_FORMAT, env.text("LOG_LEVEL", "INFO"))

# --- Metrics --------------------------------------------------------------------------------------------------------
# Who sends this token reads /metrics; without one, programs on the same machine alone.
METRICS_TOKEN = env.secret("METRICS_TOKEN") if env.text("METRICS_TOKEN", "") else ""
# Where a worker shows its own, and where the Temporal SDK in it shows its: host:port each; empty: nowhere.
WORKER_METRICS_ADDRESS = env.text("WORKER_METRICS_ADDRESS", "" if EMBEDDED else "127.0.0.1:9464")
TEMPORAL_METRICS_ADDRESS = env.text("TEMPORAL_METRICS_ADDRESS", "")
