"""People and keys in the admin."""

from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar

from allauth.account.adapter import get_adapter
from allauth.account.admin import EmailAddressAdmin
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from backend.accounts.models import ApiKey, User
from backend.audit.admin import AuditedAdmin
from backend.core.admin import ReadOnlyAdmin
from backend.teams.models import Team

M = TypeVar("M", bound=Model)


class SignInForm(AdminAuthenticationForm):
    """Signing in to the admin counts attempts as the API does; Django by itself would let anybody guess for ever."""

    def clean(self) -> dict[str, Any]:
        """Check the password, unless there were too many wrong ones."""
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if email and password:
            self.user_cache = get_adapter().authenticate(self.request, email=email.lower(), password=password)
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        return self.cleaned_data


admin.site.login_form = SignInForm
admin.site.unregister(Group)


admin.site.unregister(EmailAddress)


@admin.register(EmailAddress)
class AddressesAdmin(AuditedAdmin[EmailAddress], EmailAddressAdmin):  # type: ignore[misc] # allauth is not typed
    """Addresses, and whether people have proved that they are theirs."""


@admin.register(Group)
class GroupsAdmin(AuditedAdmin[Group], GroupAdmin):
    """What staff may do."""


class NewUserForm(AdminUserCreationForm[User]):
    """A new person needs an address instead of a user name."""

    class Meta:
        """The fields of the first page."""

        model = User
        fields = ("email", "name")
        field_classes: ClassVar[dict[str, type]] = {}


@admin.register(User)
class PeopleAdmin(AuditedAdmin[User], UserAdmin[User]):
    """People."""

    add_form = NewUserForm
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let nobody go who is the only owner of a team."""
        found, counts, perms, protected = super().get_deleted_objects(objs, request)
        return found, counts, perms, [*protected, *Team.owned_only_by(objs)]


class OnesOwnAdmin(AuditedAdmin[M], ReadOnlyAdmin[M], Generic[M]):
    """What people make for themselves, to look at and to delete: made by staff, it would open their account unseen."""

    list_select_related = ("user",)

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Let staff with the permission shut a key out, or help somebody who has lost a second factor."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)


# allauth's pages, in whose place ours stand, are registered first.
if apps.is_installed("allauth.mfa"):
    import_module("allauth.mfa.admin")
    Authenticator = apps.get_model("mfa.Authenticator")
    admin.site.unregister(Authenticator)

    @admin.register(Authenticator)
    class AuthenticatorAdmin(OnesOwnAdmin[Any]):
        """Second factors, without what codes are made of."""

        list_display = ("user", "type", "created_at", "last_used_at")
        list_filter = ("type",)
        search_fields = ("user__email",)
        fields = ("user", "type", "created_at", "last_used_at")


if apps.is_installed("allauth.socialaccount"):
    import_module("allauth.socialaccount.admin")
    SocialAccount = apps.get_model("socialaccount.SocialAccount")
    # The environment says who may vouch for people, and no token is kept.
    for each in (SocialAccount, apps.get_model("socialaccount.SocialApp"), apps.get_model("socialaccount.SocialToken")):
        admin.site.unregister(each)

    @admin.register(SocialAccount)
    class SocialAccountAdmin(OnesOwnAdmin[Any]):
        """Accounts that people have elsewhere."""

        list_display = ("user", "provider", "uid", "last_login", "date_joined")
        list_filter = ("provider",)
        search_fields = ("user__email", "uid")
        fields = ("user", "provider", "uid", "last_login", "date_joined")


@admin.register(ApiKey)
class ApiKeyAdmin(OnesOwnAdmin[ApiKey]):
    """API keys."""

    list_display = ("name", "start", "user", "is_valid", "may", "created_at", "expires_at", "last_used_at")
    list_filter = ("created_at", "expires_at")
    search_fields = ("name", "start", "user__email")
    fields = ("user", "name", "may", "expires_at", "start", "created_at", "last_used_at")

    @admin.display(boolean=True, description="valid")
    def is_valid(self, key: ApiKey) -> bool:
        """Tell whether the key opens anything now."""
        return key.user.is_active and (key.expires_at is None or key.expires_at > timezone.now())
