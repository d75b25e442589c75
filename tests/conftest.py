"""What every test relies on, wherever it is run from."""

import signal

from hypothesis import HealthCheck, settings

# A run in the background inherits SIGINT ignored, and so would every process that a test means to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["rendering", "sizes"]


def pytest_configure() -> None:
    """Let a busy machine be slow, and chance find something before a release alone: no other change is to blame."""
    from sizes import is_release  # a plugin: imported before, its assertions would not be rewritten

    same = not is_release()
    settings.register_profile("ours", deadline=None, derandomize=same, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("ours")
