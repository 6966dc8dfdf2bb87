from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core.checks import CheckMessage, Tags, register

from tothemoon.checks import OF_SETTINGS, across_settings


class ToTheMoonConfig(AppConfig):
    name = "tothemoon"
    verbose_name = "ToTheMoon"

    def ready(self) -> None:
        register(across_settings, OF_SETTINGS)
        from tokens.blind_spells import blind_spells
        from tothemoon.blind_spells import listening_gaps  # models, which can be read only now

        blind_spells.append(listening_gaps)


class Admin(SimpleAdminConfig):
    """Django's admin on a site of ours, which asks for the second factor of whoever has one.

    Its pages are looked for where they are needed: by the addresses of the site, and by its check. A worker or a command that has no use
    for them starts without, which is half of its start.
    """

    default_site = "tothemoon.admin_site.OwnAdminSite"

    def ready(self) -> None:
        register(check_dependencies, Tags.admin)
        register(every_page, Tags.admin)


def every_page(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Django's own check of the admin, of all there is in it: it may be asked before the addresses are read."""
    admin.autodiscover()
    return list(check_admin_app(app_configs, **kwargs))
