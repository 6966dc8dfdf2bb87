from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core.checks import register

from tothemoon.checks import across_settings


class ToTheMoonConfig(AppConfig):
    name = "tothemoon"
    verbose_name = "ToTheMoon"

    def ready(self) -> None:
        register(across_settings)
        from tokens import chart  # models, which can be read only now
        from tothemoon.blind_spells import listening_gaps

        chart.blind_spells.append(listening_gaps)


class Admin(AdminConfig):
    """Django's admin on a site of ours, which asks for the second factor of whoever has one."""

    default_site = "tothemoon.admin_site.OwnAdminSite"
