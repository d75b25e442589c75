"""The project's settings in a known environment: nothing of the developer's own `.env` comes in."""

import os
import tempfile
from pathlib import Path

from backend.env import Env

DATA = Path(tempfile.mkdtemp(prefix="backend-tests-"))
KNOWN = {
    "ENV_FILE": "",
    "DEBUG": "false",
    "SECRET_KEY": "a-secret-of-the-tests-that-is-long-enough-0123456789",
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "HTTPS": "false",
    "DATA_DIR": str(DATA),
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
    "MAX_UPLOAD_MIB": "1",
    "ALLOW_SIGN_UP": "open",
    "LOG_FORMAT": "json",
    "METRICS_PORT": "0",
    # Every door that there is.
    "TWO_FACTORS": "true",
    "PASSKEYS": "true",
    "OIDC_ISSUER": "http://127.0.0.1:9/realm",
    "OIDC_CLIENT_ID": "tests",
    "OIDC_CLIENT_SECRET": "tests",
    "GOOGLE_CLIENT_ID": "tests",
    "GOOGLE_CLIENT_SECRET": "tests",
    "GITHUB_CLIENT_ID": "tests",
    "GITHUB_CLIENT_SECRET": "tests",
}
for name in Env.model_fields:
    os.environ.pop(name.upper(), None)
os.environ.update(KNOWN)

from backend.settings import *  # noqa: E402, F403

# One round: the tests make many users, and none of their passwords is worth guarding.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# A code may be made at the end of a half minute, and be entered in the next.
MFA_TOTP_TOLERANCE = 1
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True
STORAGES |= {  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
