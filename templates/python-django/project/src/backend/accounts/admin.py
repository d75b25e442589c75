"""People and keys in the admin."""

from typing import Any, ClassVar

from allauth.account.adapter import get_adapter
from allauth.account.admin import EmailAddressAdmin
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils import timezone

from backend.accounts.models import ApiKey, User
from backend.audit.admin import AuditedAdmin
from backend.core.admin import ReadOnlyAdmin
from backend.teams.models import Team


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


@admin.register(ApiKey)
class ApiKeyAdmin(AuditedAdmin[ApiKey], ReadOnlyAdmin[ApiKey]):
    """Keys, to look at and to delete. People make their own: a key that staff made would act as somebody unseen."""

    list_display = ("name", "start", "user", "is_valid", "may", "created_at", "expires_at", "last_used_at")
    list_filter = ("created_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("name", "start", "user__email")
    fields = ("user", "name", "may", "expires_at", "start", "created_at", "last_used_at")

    @admin.display(boolean=True, description="valid")
    def is_valid(self, key: ApiKey) -> bool:
        """Tell whether the key opens anything now."""
        return key.user.is_active and (key.expires_at is None or key.expires_at > timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Let staff with the permission shut a key out."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)
