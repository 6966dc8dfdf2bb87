from django.apps import AppConfig


class ToTheMoonConfig(AppConfig):
    name = "tothemoon"
    verbose_name = "ToTheMoon"
