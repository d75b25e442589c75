"""Upload on the site of a python-django project in a real browser: `upload_in_browser.py URL EMAIL PASSWORD FILE`.

Run by a Python that has Playwright, with Debian's Chromium. The connection breaks at the second part: once, so that it
is sent again; and in another page for good, which is closed; a third page goes on. Prints JSON: for each page, the
addresses to which parts were sent in full, and what it ended with.
"""

import json
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Page, Request, Route, sync_playwright

ENDLESS = 10**9


def number(address: str) -> int:
    """Give the number of a part, of an address of the server or of a bucket."""
    parts = urlsplit(address)
    return int(parse_qs(parts.query).get("partNumber", [parts.path.rpartition("/")[2]])[0])


def upload(context: BrowserContext, file: Path, name: str, breaks: int) -> dict[str, object]:
    """Choose a file and send it; its second part breaks off so many times."""
    page = context.new_page()
    sent: list[str] = []
    told: list[str] = []
    left = breaks

    def pass_on(route: Route) -> None:
        nonlocal left
        is_second = route.request.method == "PUT" and number(route.request.url) == 2
        if is_second and left:
            left -= 1
            route.abort("connectionreset")
        else:
            route.continue_()

    def note(request: Request) -> None:
        if request.method == "PUT":
            sent.append(request.url)

    page.route("**/*", pass_on)
    page.on("requestfinished", note)
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    page.goto("/datasets/new/")
    page.fill("input[name=name]", name)
    page.set_input_files("input[name=file]", file)
    page.click("[data-send]")
    ended = _broken(page) if breaks == ENDLESS else _arrived(page)
    page.close()
    return {"parts": [number(address) for address in sent], "addresses": sent, "ended": ended, "told": told}


def _broken(page: Page) -> str:
    page.wait_for_function("() => document.querySelector('[data-told]').textContent.startsWith('The connection broke')")
    return page.inner_text("[data-told]")


def _arrived(page: Page) -> str:
    page.wait_for_url("**/datasets/*-*/")
    return page.inner_text("h1")


def main(url: str, email: str, password: str, file: str) -> None:
    """Upload it three times."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = browser.new_context(base_url=url)
        context.set_default_timeout(300_000)
        page = context.new_page()
        page.goto("/accounts/login/")
        page.fill("input[name=login]", email)
        page.fill("input[name=password]", password)
        page.press("input[name=password]", "Enter")
        page.wait_for_url("**/datasets/")
        tries = (("tried again", 1), ("gone on with", ENDLESS), ("gone on with", 0))
        sys.stdout.write(json.dumps([upload(context, Path(file), name, breaks) for name, breaks in tries]))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
