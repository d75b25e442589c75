"""The server's worker by itself: what it makes of the bytes that come, and how its loop treats those who are slow."""

import time

import pytest

from backend.core.server import MOST_COLLECTED, State, state_of


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(length: bytes, *, more: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length:" + length + b"\r\n" + more + b"\r\n"


FIVE = len(post(b" 5")) + 5
TWO_LENGTHS = post(b" 5", more=b"Content-Length: 7\r\n")
STATES = {
    "nothing": (b"", State.PART, 0),
    "half a head": (GET[:-2], State.PART, 0),
    "no body": (GET, State.WHOLE, len(GET)),
    "empty lines before it": (b"\r\n\r\n" + GET, State.WHOLE, 4 + len(GET)),
    "empty lines before a body": (b"\r\n" + post(b" 5") + b"abcd", State.PART, 2 + FIVE),
    "nothing but empty lines": (b"\r\n" * MOST_COLLECTED, State.TOO_LARGE, 0),
    "a large head": (GET[:-2] + b"x" * MOST_COLLECTED, State.TOO_LARGE, 0),
    "half a body": (post(b" 5") + b"abcd", State.PART, FIVE),
    "a body": (post(b"\t5") + b"abcde", State.WHOLE, FIVE),
    "blanks on both sides": (post(b" 5 \t") + b"abcde", State.WHOLE, 2 + FIVE),
    "the next request behind a body": (post(b" 5") + b"abcde" + GET, State.WHOLE, FIVE),
    "the largest that is collected": (post(b" 65536"), State.PART, len(post(b" 65536")) + 65_536),
    "a large one": (post(b" 65537"), State.LARGE, len(post(b" 65537")) + 65_537),
    "two lengths": (TWO_LENGTHS + b"abcd", State.PART, len(TWO_LENGTHS) + 5),
    "who waits to be asked": (post(b" 5", more=b"Expect: 100-continue\r\n"), State.LARGE, 0),
    "in chunks": (b"POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n5\r\nabc", State.LARGE, 0),
    # The parser refuses these.
    "no length": (post(b""), State.LARGE, 0),
    "less than nothing": (post(b" -1"), State.LARGE, 0),
    "thousands of digits": (post(b" " + b"9" * 5_000), State.LARGE, 0),
    "thousands of blanks": (post(b" 1" + b" " * 60_000 + b"x"), State.LARGE, 0),
}


@pytest.mark.parametrize(("received", "state", "enough"), STATES.values(), ids=STATES)
def test_how_much_of_a_request_is_there(received: bytes, state: State, enough: int) -> None:
    started = time.process_time()
    assert state_of(received) == (state, enough)
    assert time.process_time() - started < 5
