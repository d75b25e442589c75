"""What every test relies on, wherever it is run from."""

import signal

# A run in the background inherits SIGINT ignored, and so would every process that a test means to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["sizes"]
