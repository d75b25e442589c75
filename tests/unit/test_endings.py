"""Signals that come when nothing can be unwound."""

import subprocess
import sys

LOST = """
import os, signal
from stackgen import endings

endings.watch()
try:
    os.kill(os.getpid(), signal.SIGTERM)
except KeyboardInterrupt:
    pass  # as Python does in a callback of the garbage collector's
try:
    with endings.told_to(lambda: None):
        print("asked")
except KeyboardInterrupt:
    print(endings.code_of_interrupt())
"""


def test_a_signal_whose_exception_was_lost_ends_the_next_prompt_before_it_asks() -> None:
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "130\n"
