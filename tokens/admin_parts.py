"""What the admin pages of every app share: tables that can only be read, counts that end, filters that ask a question."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

FURTHEST = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # cannot be subscripted at run time
    """Counts to 10,000 and no further: a table of millions answers as quickly as one of thousands, and nobody turns page 200."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[:FURTHEST].count())


class ReadOnlyAdmin(ModelAdmin):
    """A table that workers write and people read: nothing is added, changed or deleted here."""

    actions: Any = None
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 50
    list_fullwidth = True
    list_filter_sheet = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def figure(field: str, written: Callable[[object], str], heading: str = "") -> Callable[[Any], str]:
    """A column of a list that writes a number as the pages do: in a few digits rather than in all of a float's."""

    @admin.display(description=heading or field.replace("_", " "))
    def column(row: Any) -> str:
        return written(getattr(row, field))

    column.__name__ = field
    return column


class QuestionFilter(admin.SimpleListFilter):
    """A filter whose choices are questions. Subclasses give `questions`: name → (words, a function of the rows)."""

    questions: dict[str, tuple[str, Any]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, words) for name, (words, _) in self.questions.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.questions.get(self.value() or "")
        return asked[1](queryset) if asked else queryset
