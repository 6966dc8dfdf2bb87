"""The addresses of the console, beside the admin's own."""

from django.contrib import admin
from django.urls import path

from scoring import console, duel_console

urlpatterns = [
    path("", admin.site.admin_view(console.page), name="console"),
    path("preview/", admin.site.admin_view(console.preview), name="console_preview"),
    path("stages/", admin.site.admin_view(console.stages), name="console_stages"),
    path("save/", admin.site.admin_view(console.save), name="console_save"),
    path("aside/", admin.site.admin_view(console.set_aside), name="console_set_aside"),
    path("compare/", admin.site.admin_view(console.compare_two), name="console_compare"),
    path("difference/", admin.site.admin_view(console.difference_of_scores), name="console_difference"),
    path("import/", admin.site.admin_view(console.take_in), name="console_import"),
    path("duel/", admin.site.admin_view(duel_console.page), name="console_duel"),
    path("duel/start/", admin.site.admin_view(duel_console.begin), name="console_duel_start"),
    path("duel/stop/", admin.site.admin_view(duel_console.end), name="console_duel_stop"),
    path("revisions/<int:pk>.json", admin.site.admin_view(console.export), name="console_export"),
]
