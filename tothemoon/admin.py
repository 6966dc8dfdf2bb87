"""Users and groups in the look of the other admin pages."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_static.admin import StaticDevice  # type: ignore[attr-defined]  # with its page, which is taken away below
from django_otp.plugins.otp_totp.admin import TOTPDevice  # type: ignore[attr-defined]
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from tothemoon import second_factor

admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.unregister(TOTPDevice)  # their pages would show everybody's secrets
admin.site.unregister(StaticDevice)


@admin.register(User)
class People(UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "is_staff", "is_superuser", "is_active", "has_second_factor", "last_login")
    sortable_by = ("username",)
    ordering = ("username",)
    actions = ("take_second_factor_away",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        device = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
        found: QuerySet[User] = super().get_queryset(request)
        return found.annotate(has_second_factor=Exists(device))

    @admin.display(description="second factor", boolean=True)
    def has_second_factor(self, person: Any) -> bool:
        return bool(person.has_second_factor)

    @admin.action(description="Take the second factor away (a phone is lost, and the recovery codes with it)", permissions=["superuser"])
    def take_second_factor_away(self, request: HttpRequest, people: QuerySet[User]) -> None:
        by = User.objects.get(username=request.user.get_username())
        names = [person.get_username() for person in people if second_factor.take_away(person, by)]
        self.message_user(request, f"The password alone opens the admin for {', '.join(names)}." if names else "None of them has one.")

    def has_superuser_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)


@admin.register(Group)
class Groups(GroupAdmin, ModelAdmin):  # type: ignore[misc]
    list_display = ("name",)
    sortable_by = ("name",)
