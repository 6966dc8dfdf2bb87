"""The public addresses of the evidence."""

from django.urls import path

from learning import signal_views, verdict_views

urlpatterns = [
    path("evidence/", verdict_views.verdict, name="evidence"),
    path("evidence/<slug:name>.csv", verdict_views.table, name="evidence-table"),
    path("evidence/signals/", signal_views.signals, name="evidence-signals"),
    path("evidence/signals/<int:pk>/", signal_views.signal, name="evidence-signal"),
]
