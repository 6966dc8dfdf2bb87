"""The public addresses of the stages."""

from django.urls import path

from trading import views

urlpatterns = [
    path("trading/", views.trading, name="trading"),
    path("trading/<str:address>/", views.asset, name="trading-asset"),
    path("trading/<str:address>/chart.json", views.asset_chart_data, name="trading-chart"),
]
