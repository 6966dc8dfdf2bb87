"""The public addresses of the tokens."""

from django.urls import path

from tokens import views

urlpatterns = [
    path("", views.token_list, name="token-list"),
    path("tokens.csv", views.token_list_csv, name="token-csv"),
    path("pulse/", views.header, name="header"),
    path("tokens/<str:address>/", views.token_page, name="token"),
    path("tokens/<str:address>/chart.json", views.chart_data, name="token-chart"),
]
