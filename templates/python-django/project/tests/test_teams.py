"""Who may do what in a team."""

import uuid

import pytest

from backend.accounts.models import User
from backend.teams.models import Membership, Role, Team
from tests.conftest import Api


def test_whoever_starts_a_team_owns_it(api: Api) -> None:
    team = api("POST", "/teams", {"name": "  Analysts "}).json()
    assert (team["name"], team["role"]) == ("Analysts", "owner")
    assert api("GET", "/teams").json() == {"items": [team], "count": 1}
    assert api("PATCH", f"/teams/{team['id']}", {"name": "Scientists"}).json()["name"] == "Scientists"
    assert api("DELETE", f"/teams/{team['id']}").status_code == 204
    assert api("GET", "/teams").json()["count"] == 0


@pytest.mark.parametrize("name", ["", "   ", "a" * 201, "nul\0byte", None, 7, ["list"], "\ud800"])
def test_a_bad_name_is_refused_with_the_field_that_is_wrong(api: Api, name: object) -> None:
    refused = api("POST", "/teams", {"name": name})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "name"


def test_a_stranger_learns_nothing_of_a_team(stranger: Api, team: Team) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("POST", "/members", {"email": "eve@example.com"}),
        ("PATCH", f"/members/{Membership.objects.get(team=team).pk}", {"role": "viewer"}),
        ("DELETE", f"/members/{Membership.objects.get(team=team).pk}", None),
    ):
        theirs = stranger(method, f"/teams/{team.pk}{path}", body)
        nobodys = stranger(method, f"/teams/{uuid.uuid4()}{path}", body)
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.json() | {"request_id": ""} == nobodys.json() | {"request_id": ""}
    assert team.memberships.count() == 1


def test_a_member_of_another_team_cannot_be_changed_through_ones_own(api: Api, team: Team, stranger: Api) -> None:
    theirs = Membership.objects.exclude(team=team).get()
    assert api("DELETE", f"/teams/{team.pk}/members/{theirs.pk}").status_code == 404
    assert api("PATCH", f"/teams/{team.pk}/members/{theirs.pk}", {"role": "viewer"}).status_code == 404


def test_an_owner_adds_changes_and_removes_members(api: Api, team: Team, stranger: Api) -> None:
    added = api("POST", f"/teams/{team.pk}/members", {"email": "EVE@example.com", "role": "editor"})
    assert added.status_code == 201, added.content
    assert stranger("GET", f"/teams/{team.pk}").json()["role"] == "editor"
    assert api("POST", f"/teams/{team.pk}/members", {"email": "eve@example.com"}).status_code == 409
    member = f"/teams/{team.pk}/members/{added.json()['id']}"
    assert api("PATCH", member, {"role": "viewer"}).json()["role"] == "viewer"
    assert api("GET", f"/teams/{team.pk}/members").json()["count"] == 2
    assert api("DELETE", member).status_code == 204
    assert stranger("GET", f"/teams/{team.pk}").status_code == 404


def test_members_who_do_not_own_the_team_are_told_which_role_it_takes(viewer: Api, editor: Api, team: Team) -> None:
    for program, role in ((viewer, "viewer"), (editor, "editor")):
        refused = program("POST", f"/teams/{team.pk}/members", {"email": "eve@example.com"})
        assert refused.status_code == 403
        assert refused.json()["detail"] == f"This needs the role owner; yours is {role}."


def test_everybody_may_leave_but_the_last_owner(api: Api, viewer: Api, team: Team, ada: User) -> None:
    mine = Membership.objects.get(team=team, user__email="vi@example.com")
    assert viewer("DELETE", f"/teams/{team.pk}/members/{mine.pk}").status_code == 204
    owner = Membership.objects.get(team=team, user=ada)
    assert api("DELETE", f"/teams/{team.pk}/members/{owner.pk}").status_code == 409
    assert api("PATCH", f"/teams/{team.pk}/members/{owner.pk}", {"role": "editor"}).status_code == 409
    assert team.memberships.get().role == Role.OWNER


def test_somebody_without_an_account_cannot_be_added(api: Api, team: Team) -> None:
    for email in ("nobody@example.com", "not an address", "a@b\nBcc: c@d.example"):
        assert api("POST", f"/teams/{team.pk}/members", {"email": email}).status_code == 422


def test_a_team_that_owns_data_is_not_deleted(api: Api, team: Team) -> None:
    api.upload(team)
    refused = api("DELETE", f"/teams/{team.pk}")
    assert refused.status_code == 409
    assert "data sets" in refused.json()["detail"]
