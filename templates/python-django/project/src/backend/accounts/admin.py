"""People and keys in the admin."""

from typing import Any, ClassVar

from allauth.account.adapter import get_adapter
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import BooleanField
from django.forms import BooleanField as FormBooleanField
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from backend.accounts.models import ApiKey, User
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


class NewUserForm(AdminUserCreationForm[User]):
    """A new person needs an address instead of a user name."""

    class Meta:
        """The fields of the first page."""

        model = User
        fields = ("email", "name")
        field_classes: ClassVar[dict[str, type]] = {}


@admin.register(User)
class PeopleAdmin(UserAdmin[User]):
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
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    """Keys; a new one's secret is shown once, in the message after saving."""

    list_display = ("name", "start", "user", "is_valid", "read_only", "created_at", "expires_at", "last_used_at")
    list_filter = ("created_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("name", "start", "user__email")
    autocomplete_fields = ("user",)
    readonly_fields = ("start", "created_at", "last_used_at")
    fields = ("user", "name", "expires_at", "read_only", "start", "created_at", "last_used_at")
    # Yes or no, although the column may hold nothing.
    formfield_overrides = {BooleanField: {"form_class": FormBooleanField}}  # noqa: RUF012 - Django's own name

    @admin.display(boolean=True, description="valid")
    def is_valid(self, key: ApiKey) -> bool:
        """Tell whether the key opens anything now."""
        return key.user.is_active and (key.expires_at is None or key.expires_at > timezone.now())

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool) -> None:  # noqa: FBT001 - the interface's signature
        """Issue a new key instead of saving one that has no secret."""
        if change:
            super().save_model(request, obj, form, change)
            return
        issued, secret = ApiKey.issue(obj.user, obj.name, obj.expires_at, read_only=bool(obj.read_only))
        obj.__dict__.update(issued.__dict__)
        messages.warning(request, f"Copy the secret now, it is not shown again: {secret}")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        """Keep a key with its owner."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return (*fields, "user") if obj else fields
