"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from learning import panel
from tothemoon.api import api
from tothemoon.api_page import api_page
from tothemoon.health import health
from tothemoon.language import switch
from tothemoon.metrics import metrics

admin.autodiscover()  # here and not in every process: workers show no pages

urlpatterns = [
    path("", include("tokens.urls")),
    path("", include("trading.urls")),
    path("", include("learning.urls")),
    path("language/<str:code>/", switch, name="language"),
    path("health", health, name="health"),
    path("metrics", metrics, name="metrics"),
    path("admin/scoring/console/", include("scoring.urls")),
    path("admin/evidence/", admin.site.admin_view(panel.page), name="evidence-panel"),
    path("api/", api_page, name="api-page"),
    path("api/", api.urls),
    path("admin/", admin.site.urls),
]

handler404 = "tothemoon.security.page_not_found"
