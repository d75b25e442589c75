"""Look at the site of a python-django project in a real browser: `site_in_browser.py URL EMAIL PASSWORD AXE FOLDER`.

Run by a Python that has Playwright, with Debian's Chromium. Each page is checked with axe, and for being wider than its
window, in both colour schemes and at three widths; FOLDER gets its pictures. What is wrong is printed, a line each.
"""

import re
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

WIDTHS = (1280, 390, 360)
SIGNED_OUT = ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/")
SIGNED_IN = (
    "/datasets/",
    "/datasets/new/",
    "/teams/",
    "/keys/",
    "/tasks/",
    "/accounts/email/",
    "/accounts/password/change/",
)
# Pages that are reached from a list, by the first link of this form.
BEHIND = (
    ("/datasets/?status=ready", r"/datasets/[0-9a-f-]{36}/"),
    ("/datasets/?status=failed", r"/datasets/[0-9a-f-]{36}/"),
    ("/teams/", r"/teams/[0-9a-f-]{36}/"),
)
AXE = "async () => (await axe.run()).violations.map(v => `${v.id}: ${v.nodes.map(n => n.target).join(', ')}`)"
WIDER = "() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"


def look(page: Page, path: str, axe: str, folder: Path) -> list[str]:
    """Give what is wrong with a page, at each width in each colour scheme."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            answer = page.goto(path)
            where = f"{path} {scheme} {width}"
            if not answer or answer.status != 200:
                found.append(f"{where}: {answer and answer.status}")
                continue
            page.screenshot(path=folder / f"{re.sub('[^a-z0-9]+', '-', path)}-{scheme}-{width}.png", full_page=True)
            page.evaluate(axe)
            found += [f"{where}: {violation}" for violation in page.evaluate(AXE)]
            if wider := page.evaluate(WIDER):
                found.append(f"{where}: {wider} px wider than its window")
    return found


def main(url: str, email: str, password: str, axe_file: str, pictures: str) -> None:
    """Go through the site as somebody who signs in."""
    axe, folder = Path(axe_file).read_text(encoding="utf-8"), Path(pictures)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        # axe is a script of ours, which the site's policy rightly refuses.
        page = browser.new_page(base_url=url, bypass_csp=True)
        page.set_default_timeout(120_000)
        told: list[str] = []
        page.on("pageerror", lambda error: told.append(f"{page.url}: {error}"))
        found = [problem for path in SIGNED_OUT for problem in look(page, path, axe, folder)]
        page.goto("/accounts/login/")
        page.fill("input[name=login]", email)
        page.fill("input[name=password]", password)
        page.press("input[name=password]", "Enter")
        page.wait_for_url("**/datasets/")
        paths = list(SIGNED_IN)
        for listed, form in BEHIND:
            page.goto(listed)
            links = [link.get_attribute("href") or "" for link in page.locator("a").all()]
            paths.append(next(link for link in links if re.fullmatch(form, link)))
        found += [problem for path in paths for problem in look(page, path, axe, folder)]
        sys.stdout.write("\n".join(found + told))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
