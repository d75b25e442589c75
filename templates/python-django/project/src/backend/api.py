"""The API: its parts, who may enter, and how its failures look."""

from backend.accounts.api import router as accounts
from backend.accounts.auth import everyone, with_scope
from backend.audit.api import router as audit
from backend.core import problems
from backend.datasets.api import router as datasets
from backend.datasets.uploads import router as uploads
from backend.teams.api import router as teams
from backend.teams.invitations import mine as invitations
from backend.teams.invitations import of_teams as team_invitations

api = problems.ProblemApi(
    title="Backend",
    version="1.0.0",
    description="Upload data sets, and read what is in them. Sign in at `/_allauth/`, or send an API key. "
    "A key with scopes needs `datasets:read` or `teams:read` to read there, and the same with `write` to change.",
    auth=everyone,
    urls_namespace="api",
)
problems.register(api)
api.add_router("", accounts)
api.add_router("/teams", teams, auth=with_scope("teams"))
api.add_router("/teams", team_invitations, auth=with_scope("teams"))
api.add_router("/teams", audit, auth=with_scope("teams"))
api.add_router("/invitations", invitations)
api.add_router("/datasets", datasets, auth=with_scope("datasets"))
api.add_router("/uploads", uploads, auth=with_scope("datasets"))
