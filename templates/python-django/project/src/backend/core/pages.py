"""What the pages of several parts share: who may open them, and how people are told what has become of a form.

A page calls the operation of the API that does the same, so there is one set of rules, whoever asks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from pydantic import ValidationError

from backend.core.problems import Refused

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def page(view: View[P]) -> View[P]:
    """Open a page to people who are signed in; what belongs to others does not exist for them."""

    @login_required
    @never_cache
    @wraps(view)
    def opened(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except ObjectDoesNotExist:
            raise Http404 from None
        except Refused as refused:
            return refusal(request, refused.status, refused.detail)
        except RequestDataTooBig as error:
            return refusal(request, 413, str(error))

    return opened


def action(view: View[P]) -> View[P]:
    """Take a form without a page of its own."""
    return require_POST(page(view))


@contextmanager
def telling(request: HttpRequest, done: str) -> Iterator[None]:
    """Do what a form asks for, and tell on the next page that it is done, or why it is not."""
    try:
        yield
    except (Refused, ValidationError) as error:
        messages.error(request, in_words(error))
    else:
        messages.success(request, done)


def in_words(error: Refused | ValidationError) -> str:
    """Say what is wrong with a form, in a sentence or some."""
    if isinstance(error, Refused):
        return error.detail
    return " ".join(f"{' '.join(map(str, each['loc']))}: {each['msg']}." for each in error.errors())


def refusal(request: HttpRequest, status: int, detail: str | None) -> HttpResponse:
    """Tell on a page of its own that something cannot be done, and why."""
    return render(request, "refused.html", {"status": status, "detail": detail}, status=status)
