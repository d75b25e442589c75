"""People who sign in with an account that they have elsewhere, and whether they may have one here."""

from typing import Any

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.http import HttpRequest

from backend.accounts.models import User
from backend.sign_in import SSO


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc] # allauth is not typed
    """Named in the settings."""

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        """Take an address for verified only where that is said: allauth believes any text, "false" included."""
        # Every answer of a provider passes here before anybody is looked up by an address in it.
        for address in sociallogin.email_addresses:
            address.verified = str(address.verified).lower() == "true"
        user: User = super().populate_user(request, sociallogin, data)
        return user

    def is_open_for_signup(self, _request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Let in whom the rule for everybody lets in, or whom the single sign-on knows, where it decides alone."""
        if settings.OIDC_SIGN_UP and sociallogin.account.provider == SSO:
            return True
        if settings.ALLOW_SIGN_UP == "invited":
            from backend.teams.models import Invitation  # noqa: PLC0415 - teams are made of people

            # What nobody has verified may be somebody else's address.
            own = [address.email.lower() for address in sociallogin.email_addresses if address.verified]
            return Invitation.objects.open().filter(email__in=own).exists()
        return bool(settings.ALLOW_SIGN_UP == "open")
