"""Django's settings: one module for every place; what differs between places comes from `env.py`."""

from datetime import timedelta
from typing import Any

import dj_database_url
import django_stubs_ext

from backend import sign_in
from backend.core import logs
from backend.env import MEBIBYTE, load

# Lets `ModelAdmin[Model]` and its like run, not only type-check.
django_stubs_ext.monkeypatch()
env = load()

DEBUG = env.debug
# A key that everybody knows is good enough where `debug` has already given everything away.
SECRET_KEY = env.secret_key.get_secret_value() if env.secret_key else "known-to-everybody-and-only-for-development"
SECRET_KEY_FALLBACKS = list(env.secret_key_fallbacks)
ALLOWED_HOSTS = list(env.allowed_hosts) or ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "backend.core",
    "backend.accounts",
    "backend.teams",
    "backend.datasets",
    "backend.tasks",
    "backend.audit",
    "django_tasks",
    "django_tasks_db",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "ninja",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "backend.metrics.requests.RequestMetrics",
    "backend.core.middleware.RequestLog",
    "backend.core.middleware.SecurityHeaders",
    "backend.core.health.Probes",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "backend.core.middleware.ApiProblems",
    "backend.core.middleware.BodyLimit",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "backend.audit.log.CurrentRequest",
]

ROOT_URLCONF = "backend.urls"
WSGI_APPLICATION = "backend.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


# --- Data -------------------------------------------------------------------------------------------------------


def database() -> dict[str, Any]:
    """PostgreSQL with a pool where DATABASE_URL names one, and otherwise a SQLite file that survives load."""
    url = env.database_url.get_secret_value() if env.database_url else f"sqlite:///{env.data_dir / 'db.sqlite3'}"
    config: dict[str, Any] = dict(dj_database_url.parse(url))
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            # Taking the write lock first lets SQLite wait for its turn; taken in the middle, it fails at once.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
        }
        # Opening the file costs as much as a small request; a few seconds spare that, and still notice a new file soon.
        config["CONN_MAX_AGE"] = 5
    else:
        config["OPTIONS"] = {**config.get("OPTIONS", {}), "connect_timeout": 5}
        if env.database_pool:
            config["OPTIONS"]["pool"] = {"min_size": 1, "max_size": env.database_pool, "timeout": 5}
    return config


env.data_dir.mkdir(parents=True, exist_ok=True)
DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Rate limits have to hold across processes, which a cache in memory cannot do.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        # With Django's 300, somebody who fails often enough under other names makes it forget whom it has blocked.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

MAX_BODY_BYTES = 1 * MEBIBYTE
# Functions that know requests which may bring more, and say how much.
LARGER_BODIES: list[str] = []
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
MAX_TEAMS = env.max_teams

TASKS = {
    "default": {
        "BACKEND": "backend.tasks.backend.Backend",
        # What may take minutes can have a queue of its own: a worker that is started for the other never waits for it.
        "QUEUES": ["default", "long"],
    }
}
TASK_LEASE = timedelta(seconds=env.task_lease_seconds)
TASK_RESULTS_KEPT = timedelta(days=30)
AUDIT_DAYS = env.audit_days


# --- People and programs ----------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
# Codes need no page of a front end, so the API is complete without one.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_ADAPTER = "backend.accounts.adapter.AccountAdapter"
ALLOW_SIGN_UP = env.sign_up
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
# Mails point to the pages of a front end of one's own, or without one to those of this site.
FRONTEND = str(env.frontend_url).rstrip("/") if env.frontend_url else ""
FRONTEND_PAGES = {
    "account_signup": f"{FRONTEND}/sign-up",
    "account_confirm_email": f"{FRONTEND}/confirm-email/{{key}}",
    "account_reset_password": f"{FRONTEND}/reset-password",
    "account_reset_password_from_key": f"{FRONTEND}/reset-password/{{key}}",
    "socialaccount_login_error": f"{FRONTEND}/sign-in/failed",
}
HEADLESS_FRONTEND_URLS = FRONTEND_PAGES if FRONTEND else {}
# A flow that is switched off has no page, no operation and no table: `backend/sign_in.py` says what each needs.
OTHER_DOORS = bool(sign_in.apps(env))
INSTALLED_APPS += sign_in.apps(env)
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = env.passkeys
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
SOCIALACCOUNT_ADAPTER = "backend.accounts.elsewhere.Adapter"
SOCIALACCOUNT_PROVIDERS = sign_in.providers(env)
# An address that a provider has verified is as good as the code in a mail, with which anybody can reset a password.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# Where scripts of ours may send something beside this site.
CONNECT_ORIGINS: list[str] = []
SIGN_IN_ORIGINS = sign_in.origins(env)
OIDC_SIGN_UP = env.oidc_sign_up
ALLAUTH_TRUSTED_PROXY_COUNT = env.trusted_proxies

EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if env.email_host else 'console'}.EmailBackend"
EMAIL_HOST = env.email_host or "localhost"
EMAIL_PORT = env.email_port
EMAIL_HOST_USER = env.email_user
EMAIL_HOST_PASSWORD = env.email_password.get_secret_value()
EMAIL_USE_TLS = env.email_tls == "starttls"
EMAIL_USE_SSL = env.email_tls == "implicit"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.email_from


# --- Browsers ---------------------------------------------------------------------------------------------------

CSRF_TRUSTED_ORIGINS = list(env.trusted_origins)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = env.https and not DEBUG
SECURE_HSTS_SECONDS = env.hsts_seconds if env.https and not DEBUG else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = bool(SECURE_HSTS_SECONDS) and env.hsts_preload
# The two checks ask for subdomains and the preload list at once, which can lock other sites of the domain out.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.trusted_proxies else None
X_FRAME_OPTIONS = "DENY"

STATIC_URL = "/static/"
STATIC_ROOT = env.static_root
STORAGES: dict[str, dict[str, Any]] = {
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_AUTOREFRESH = DEBUG


# --- Data sets --------------------------------------------------------------------------------------------------

MAX_TEAM_DATASETS = env.max_team_datasets
MAX_TEAM_BYTES = env.max_team_gib * 1024 * MEBIBYTE
# 0: for ever.
DATASET_DAYS = env.dataset_days
PROFILE_QUEUE = env.profile_queue

# Where no bucket is named.
MEDIA_ROOT = env.data_dir / "files"
# Beside the data, so that a finished upload is moved there instead of copied, and none fills the memory of a tmpfs.
FILE_UPLOAD_TEMP_DIR = env.data_dir / "uploads"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)
FILE_UPLOAD_HANDLERS = [
    "backend.datasets.size_limit.SizeLimit",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
MAX_UPLOAD_BYTES = env.max_upload_mib * MEBIBYTE
# Of the parts in which a large file arrives. Buckets take none below 5 MiB but the last, and 10,000 of them.
PART_BYTES = max(8, env.max_upload_mib // 1000) * MEBIBYTE
LARGER_BODIES += ["backend.datasets.size_limit.allowed"]
if env.bucket:
    STORAGES["default"] = {"BACKEND": "backend.datasets.bucket.Bucket", "OPTIONS": env.bucket}
    CONNECT_ORIGINS += [env.bucket["endpoint"]]
else:
    # Here and not as FILE_UPLOAD_PERMISSIONS, which static files would get, too: those are made by root when the image
    # is built, and read by somebody else.
    STORAGES["default"] = {"BACKEND": "backend.datasets.files.Folder", "OPTIONS": {"file_permissions_mode": 0o640}}


# --- Words, time, logs and metrics ------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

METRICS_ADDRESS = None if env.metrics_port is None else (env.host, env.metrics_port)
WEB_THREADS = env.web_threads
LOGGING_CONFIG = None
logs.configure(level=env.log_level, as_json=env.json_logs)
