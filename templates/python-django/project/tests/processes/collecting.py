"""The project's settings for `collectstatic` in the tests: to compress every script takes longer than most tests."""

from backend.settings import *  # noqa: F403

# Style sheets are enough to see what comes of it.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("js", "svg", "png", "ico", "txt", "html", "json", "map", "woff2")
