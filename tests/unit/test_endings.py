"""Signals that come when nothing can be unwound."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

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
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, check=True)
    assert done.stdout == "130\n"


TWICE = """
import os, pathlib, shutil, signal, sys
from stackgen import endings, workshop

endings.watch()
place, number = pathlib.Path(sys.argv[1]), int(sys.argv[2])
remove = shutil.rmtree


def interrupted(*arguments, **options):
    os.kill(os.getpid(), number)
    remove(*arguments, **options)


shutil.rmtree = interrupted
try:
    with workshop.folder(place) as folder:
        (folder / "half").write_text("written")
        os.kill(os.getpid(), number)
except KeyboardInterrupt:
    print(list(place.iterdir()), endings.code_of_interrupt())
endings.over()
os.kill(os.getpid(), number)
print("over")
"""


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGHUP, 129)])
def test_a_second_signal_waits_until_what_the_first_one_left_is_removed(
    tmp_path: Path, how: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-c", TWICE, str(tmp_path), str(int(how))]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)] and None,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"[] {code}\nover\n", "")
