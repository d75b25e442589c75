"""Every URL of the site."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from backend.accounts import pages as accounts
from backend.api import api
from backend.audit import pages as audit
from backend.datasets import pages as datasets
from backend.teams import pages as teams

admin.site.site_header = admin.site.site_title = "Administration"
admin.site.index_title = "Data and people"
own_form = admin.site.login


def enter_administration(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """Ask as the site does where there is more than passwords: the form of the administration knows nothing else."""
    form = secure_admin_login(show_administration) if settings.OTHER_DOORS else own_form
    answer: HttpResponse = form(request, extra_context)
    return answer


def show_administration(_request: HttpRequest, _extra_context: Any = None) -> HttpResponse:
    """Send staff on who are signed in already: the form would make them anybody whose password they know."""
    return redirect("admin:index")


admin.site.login = enter_administration  # type: ignore[method-assign]


def missing(_request: HttpRequest) -> HttpResponse:
    """Answer 404."""
    raise Http404


urlpatterns = [
    path("api/", api.urls),
    # People have no telephone numbers here, and allauth's operations on them would be server errors.
    re_path(r"^_allauth/(?:app|browser)/v1/(?:account|auth)/phone", missing),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", RedirectView.as_view(pattern_name="datasets")),
    path("datasets/", datasets.show_datasets, name="datasets"),
    path("datasets/new/", datasets.new_dataset, name="new_dataset"),
    path("datasets/<uuid:dataset_id>/", datasets.show_dataset, name="dataset"),
    path("datasets/<uuid:dataset_id>/rename/", datasets.rename, name="rename_dataset"),
    path("datasets/<uuid:dataset_id>/profile/", datasets.profile_again, name="profile_dataset_again"),
    path("datasets/<uuid:dataset_id>/copy/", datasets.ask_for_copy, name="copy_dataset"),
    path("datasets/<uuid:dataset_id>/delete/", datasets.delete, name="delete_dataset"),
    path("tasks/", datasets.show_tasks, name="tasks"),
    path("teams/", teams.show_teams, name="teams"),
    path("teams/start/", teams.start, name="start_team"),
    path("teams/<uuid:team_id>/", teams.show_team, name="team"),
    path("teams/<uuid:team_id>/log/", audit.show_log, name="team_log"),
    path("teams/<uuid:team_id>/rename/", teams.rename, name="rename_team"),
    path("teams/<uuid:team_id>/delete/", teams.delete, name="delete_team"),
    path("teams/<uuid:team_id>/members/<uuid:member_id>/role/", teams.change_role, name="change_role"),
    path("teams/<uuid:team_id>/members/<uuid:member_id>/remove/", teams.remove_member, name="remove_member"),
    path("teams/<uuid:team_id>/invite/", teams.invite, name="invite"),
    path("teams/<uuid:team_id>/invitations/<uuid:invitation_id>/withdraw/", teams.withdraw, name="withdraw_invitation"),
    path("invitations/<uuid:invitation_id>/accept/", teams.accept, name="accept_invitation"),
    path("invitations/<uuid:invitation_id>/decline/", teams.decline, name="decline_invitation"),
    path("keys/", accounts.show_keys, name="keys"),
    path("keys/<uuid:key_id>/delete/", accounts.delete_key, name="delete_key"),
]
