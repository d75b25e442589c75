"""The pages about data sets: who sees what, what forms do, and what a browser needs of the HTML."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.urls import reverse

from backend.accounts.models import User
from backend.datasets import api as datasets
from backend.datasets import pages
from backend.datasets.models import Dataset
from backend.tasks.models import Worker
from backend.teams.models import Invitation, Team
from tests.conftest import Browser
from tests.datasets.conftest import CSV, Api
from tests.test_pages import problems, text


@pytest.fixture
def fruit(api: Api, team: Team) -> Dataset:
    """An uploaded data set that no worker has to read for these tests."""
    uploaded = Dataset.objects.get(pk=api.upload(team).json()["id"])
    uploaded.status = "ready"
    uploaded.save()
    return uploaded


def test_every_page_is_one_that_everybody_can_use(browser: Browser, dataset: Dataset) -> None:
    for path in [*map(reverse, ("datasets", "new_dataset", "tasks")), reverse("dataset", args=[dataset.pk])]:
        answer = browser.open(path)
        assert (path, answer.status_code, problems(answer)) == (path, 200, [])
        assert "no-store" in answer["Cache-Control"]


def test_what_belongs_to_another_team_does_not_exist(outsider: Browser, fruit: Dataset, team: Team) -> None:
    scoped = ("dataset", "rename_dataset", "profile_dataset_again", "delete_dataset")
    for path in (reverse(name, args=[fruit.pk]) for name in scoped):
        if outsider.open(path).status_code != 405:
            assert outsider.open(path).status_code == 404, path
        assert outsider.send(path, name="Mine").status_code in {404, 405}, path
    upload = outsider.send("/datasets/new/", team_id=str(team.pk), file=SimpleUploadedFile("fruit.csv", CSV))
    assert upload.status_code == 404
    for path in ("/datasets/", f"/datasets/?team_id={team.pk}", "/tasks/"):
        assert "fruit" not in text(outsider.open(path))
        assert "Analysts" not in text(outsider.open(path))
    fruit.refresh_from_db()
    assert (fruit.name, fruit.status, Dataset.objects.count()) == ("fruit", "ready", 1)


def test_a_page_says_so_while_the_database_is_gone(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(datasets, "matching", gone)
    assert browser.open("/datasets/").status_code == 503


def test_the_first_page_is_that_of_data_sets_which_tells_of_invitations(browser: Browser, ada: User) -> None:
    Invitation.objects.create(team=Team.objects.create(name="Other"), email=ada.email)
    first = browser.client.get("/", follow=True)
    assert first.redirect_chain[-1][0] == "/datasets/"
    assert "You are invited" in text(first)


def test_a_form_without_its_token_does_nothing(browser: Browser, fruit: Dataset) -> None:
    refused = browser.client.post(f"/datasets/{fruit.pk}/delete/")
    assert refused.status_code == 403
    assert "Send it again" in text(refused)
    team = {"team_id": str(fruit.team_id), "file": SimpleUploadedFile("fruit.csv", CSV)}
    assert browser.client.post("/datasets/new/", team).status_code == 403
    assert Dataset.objects.count() == 1


def test_a_file_is_uploaded_by_the_form_and_its_page_shows_what_is_in_it(
    browser: Browser, team: Team, run_tasks: Callable[[], int]
) -> None:
    Worker.objects.all().delete()
    arrived = browser.send("/datasets/new/", team_id=str(team.pk), file=SimpleUploadedFile("fruit.csv", CSV))
    assert arrived.redirect_chain[-1][0] == reverse("dataset", args=[Dataset.objects.get().pk])
    assert "data-live" in text(arrived)
    assert "No worker is running" in text(arrived)
    assert "No worker is running" in text(browser.open("/datasets/"))
    run_tasks()
    ready = text(browser.open(arrived.redirect_chain[-1][0]))
    assert "data-live" not in ready
    assert "No worker is running" not in ready + text(browser.open("/datasets/"))
    assert ready.count('role="img"') == 4
    assert ("<td>Apple</td>" in ready, '<td class="missing">missing</td>' in ready) == (True, True)
    assert f"/api/datasets/{Dataset.objects.get().pk}/file" in ready
    assert 'class="time">Done</td>' in text(browser.open("/tasks/"))


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (SimpleUploadedFile("fruit.txt", CSV), "Name the file with the extension"),
        (SimpleUploadedFile("fruit.csv", b""), "The file is empty."),
        (None, "Choose a file."),
    ],
)
def test_the_form_says_what_is_wrong_with_a_file(browser: Browser, team: Team, file: Any, told: str) -> None:
    answer = browser.send("/datasets/new/", team_id=str(team.pk), **({"file": file} if file else {}))
    assert answer.status_code == 422
    assert told in text(answer)
    assert not Dataset.objects.exists()


def test_rows_are_found_by_a_text_in_a_column_or_in_any(
    browser: Browser, api: Api, team: Team, run_tasks: Callable[[], int]
) -> None:
    lines = ["name,number", *(f"Apple {row},{row}" for row in range(150)), ",1", "<b>,"]
    page = f"/datasets/{api.upload(team, chr(10).join(lines).encode()).json()['id']}/"
    run_tasks()

    def found(query: str) -> tuple[list[str], str]:
        answer = browser.open(page + query)
        assert problems(answer) == []
        table = answer.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
        told = re.search(r'<p class="soft">(\d+ of .*?)[.;]', answer.content.decode())
        return re.findall(r"<tr>\s*<td>(.*?)</td>", table), told[1] if told else ""

    assert found("") == ([f"Apple {row}" for row in range(10)], "10 of 152 rows")
    for query in ("?text=99", "?text=%20apple+99&column=name", "?text=99&column=number"):
        assert found(query) == (["Apple 99"], "1 of the first 100 rows has this text")
    assert found("?text=apple+1")[1] == "11 of the first 100 rows have this text"
    for query in ("?text=apple&column=number", "?text=149", "?text=9&column=nothing"):
        assert found(query) == ([], "0 of the first 100 rows have this text")
    assert 'value="&lt;i&gt;"' in text(browser.open(f"{page}?text=<i>"))


def test_a_viewer_finds_no_form_to_change_anything_and_is_refused(visitor: Browser, fruit: Dataset, team: Team) -> None:
    for path in (reverse("dataset", args=[fruit.pk]), reverse("team", args=[team.pk])):
        assert "Rename" not in text(visitor.open(path))
    for name in ("rename_dataset", "profile_dataset_again", "delete_dataset"):
        assert "This needs the role editor" in text(visitor.send(reverse(name, args=[fruit.pk]), name="Mine"))
    assert "This needs the role owner" in text(visitor.send(reverse("rename_team", args=[team.pk]), name="Mine"))
    assert (
        visitor.send("/datasets/new/", team_id=str(team.pk), file=SimpleUploadedFile("a.csv", CSV)).status_code == 422
    )
    assert Dataset.objects.get().name == "fruit"


def test_the_list_finds_by_name_team_and_state_and_says_why_something_failed(
    browser: Browser, fruit: Dataset, team: Team
) -> None:
    broken = Dataset.objects.create(
        team=team, name="broken", format="csv", size=1, status="failed", problem="Too <odd>."
    )
    both, by_name, by_state = (
        text(browser.open(f"/datasets/{query}")) for query in ("", "?search=FRU", f"?status=failed&team_id={team.pk}")
    )
    assert [fruit.get_absolute_url() in page for page in (both, by_name, by_state)] == [True, True, False]
    assert [broken.get_absolute_url() in page for page in (both, by_name, by_state)] == [True, False, True]
    assert "Too &lt;odd&gt;." in by_state
    assert "Nothing is like that" in text(browser.open("/datasets/?search=nothing"))
    assert browser.open("/datasets/?status=odd&team_id=x&page=99&order=secret").status_code == 200


def test_a_list_has_pages_that_keep_what_was_searched_for(
    browser: Browser, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "ON_A_PAGE", 1)
    for name in ("a&b=1", "a&b=2"):
        Dataset.objects.create(team=team, name=name, format="csv", size=1, status="failed")
    first = text(browser.open("/datasets/?search=a%26b&order=name"))
    following = re.search(r'href="([^"]+)">Next', first)
    assert following
    second = text(browser.open("/datasets/" + following[1].replace("&amp;", "&")))
    assert ("a&amp;b=1" in first, "a&amp;b=2" in first) == (True, False)
    assert ("a&amp;b=1</a>" in second, "a&amp;b=2" in second) == (False, True)


def test_a_page_leads_to_the_other_versions_of_a_data_set(browser: Browser, fruit: Dataset, team: Team) -> None:
    path = fruit.get_absolute_url()
    assert "Versions" not in text(browser.open(path))
    form = text(browser.open(f"/datasets/new/?team_id={team.pk}&name=fruit"))
    assert 'value="fruit"' in form
    browser.send("/datasets/new/", team_id=str(team.pk), name="fruit", file=SimpleUploadedFile("more.csv", CSV))
    newer = Dataset.objects.get(file_name="more.csv")
    old, new = text(browser.open(path)), text(browser.open(newer.get_absolute_url()))
    assert f'<a href="{newer.get_absolute_url()}">newer version</a>' in old
    assert "newer version" not in new
    assert f'<a href="{path}">' in new
    assert "name=fruit" in new
    only_newest = text(browser.open("/datasets/?newest=true"))
    assert (path in only_newest, newer.get_absolute_url() in only_newest) == (False, True)
    fruit.name = "a&b"
    fruit.save()
    assert "name=a%26b" in text(browser.open(path))


def test_a_data_set_is_renamed_read_again_and_deleted(browser: Browser, fruit: Dataset) -> None:
    path = reverse("dataset", args=[fruit.pk])
    assert "<h1>Figs</h1>" in text(browser.send(f"{path}rename/", name=" Figs "))
    assert "name: String should have at least 1 character" in text(browser.send(f"{path}rename/", name=" "))
    assert "data-live" in text(browser.send(f"{path}profile/"))
    assert "A worker has this data set already." in text(browser.send(f"{path}profile/"))
    assert "The data set is deleted." in text(browser.send(f"{path}delete/"))
    assert browser.open(path).status_code == 404
