"""What workers do for teams."""

from django.conf import settings
from django.core.mail import send_mail
from django_tasks import task

from backend.teams.models import Invitation

MAIL = """{name} invites you to the team "{team}".

Sign in, or sign up with this address, and accept or decline the invitation{place}.
It is good until {until}. If you do not know why you get this mail, ignore it: nothing happens without you.
"""


@task(max_attempts=5, backoff_seconds=60, max_seconds=60)
def send_invitation(invitation_id: str) -> str:
    """Tell somebody that they are invited."""
    invitation = Invitation.objects.open().select_related("team", "invited_by").filter(pk=invitation_id).first()
    if invitation is None:
        return "withdrawn"
    text = MAIL.format(
        name=invitation.invited_by.email if invitation.invited_by else "Somebody",
        team=invitation.team.name,
        place=f" at {settings.FRONTEND}" if settings.FRONTEND else "",
        until=f"{invitation.expires_at:%Y-%m-%d}",
    )
    # A line break in the name of a team must not become a header.
    subject = " ".join(f"Invitation to the team {invitation.team.name}".split())
    send_mail(subject, text, None, [invitation.email])
    return "sent"
