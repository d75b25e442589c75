"""What is said in a form that the other side can take: a terminal, file or pipe of any encoding."""

import json

_PLAIN = {"→": "->", "…": "...", "·": "-", "“": '"', "”": '"'}


def text(said: str, encoding: str | None) -> str:
    """Give a text as the encoding can carry it: arrows and quotes as plain signs, and ? for what is left."""
    if _fits(said, encoding):
        return said
    plain = "".join(_PLAIN.get(sign, sign) for sign in said)
    return plain.encode(encoding or "ascii", "replace").decode(encoding or "ascii")


def data(said: str, encoding: str | None) -> str:
    """Give a JSON text as the encoding can carry it: nothing is lost, since JSON can escape every sign."""
    if _fits(said, encoding):
        return said
    return "".join(sign if sign.isascii() else json.dumps(sign)[1:-1] for sign in said)


def _fits(said: str, encoding: str | None) -> bool:
    try:
        said.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
