"""Ways to sign in beside a password, each switched on by its variables in the environment."""

from typing import Any
from urllib.parse import urlsplit

from backend.env import Env

# Their name is part of the address that a provider is told to send people back to: /accounts/oidc/sso/login/callback/
SSO = "sso"


def apps(env: Env) -> list[str]:
    """Name allauth's apps for what is switched on."""
    known = [f"allauth.socialaccount.providers.{name}" for name in providers(env)]
    return [
        *(["allauth.mfa", "django.contrib.humanize"] if env.two_factors or env.passkeys else []),
        *(["allauth.socialaccount", *known] if known else []),
    ]


def providers(env: Env) -> dict[str, dict[str, Any]]:
    """Give the settings of those who may vouch for people."""
    found: dict[str, dict[str, Any]] = {}
    if env.oidc_issuer:
        sso = {"provider_id": SSO, "name": env.oidc_name, "settings": {"server_url": str(env.oidc_issuer).rstrip("/")}}
        found["openid_connect"] = {"APPS": [sso | _client(env.oidc_client_id, env.oidc_client_secret)]}
    if env.google_client_id:
        found["google"] = {"APPS": [_client(env.google_client_id, env.google_client_secret)]}
    if env.github_client_id:
        found["github"] = {"APPS": [_client(env.github_client_id, env.github_client_secret)], "SCOPE": ["user:email"]}
    for settings in found.values():
        settings["OAUTH_PKCE_ENABLED"] = True
    return found


def origins(env: Env) -> list[str]:
    """Name the sites that a form of ours may lead to: browsers keep to that, also when they are sent on."""
    known = {"google": "https://accounts.google.com", "github": "https://github.com"}
    if env.oidc_issuer:
        issuer = urlsplit(str(env.oidc_issuer))
        known["openid_connect"] = f"{issuer.scheme}://{issuer.netloc}"
    return [known[name] for name in providers(env)]


def _client(client_id: str, secret: Any) -> dict[str, str]:
    return {"client_id": client_id, "secret": secret.get_secret_value()}
