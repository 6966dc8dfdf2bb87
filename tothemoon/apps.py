from django.apps import AppConfig
from django.core.checks import register

from tothemoon.checks import across_settings


class ToTheMoonConfig(AppConfig):
    name = "tothemoon"
    verbose_name = "ToTheMoon"

    def ready(self) -> None:
        register(across_settings)
