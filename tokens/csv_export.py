"""Any list of the admin as CSV, as filtered and searched on the page: one query, sent row by row, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from tokens.admin_parts import ReadOnlyAdmin

MOST_ROWS = 500_000
AT_ONCE = 2_000
# What a spreadsheet takes for the beginning of a formula, their wide forms included.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class _Line:
    """A file for csv.writer that gives back what is written instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def cell(value: Any) -> Any:
    """A value as a CSV cell. Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers are numbers."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(DANGEROUS) else text


def lines(columns: Sequence[str], rows: Iterable[Sequence[Any]], most: int = MOST_ROWS) -> Iterator[str]:
    """The head and every row; a last line says so when there was more than `most`."""
    writer: Any = csv.writer(_Line())
    yield writer.writerow(columns)
    for number, row in enumerate(rows):
        if number == most:
            yield writer.writerow([f"cut after {most} rows: filter the list"])
            return
        yield writer.writerow([cell(value) for value in row])


class CsvExport(ReadOnlyAdmin):
    """Gives its list a link to the same as CSV. Subclasses name `csv_columns`: paths as in values_list()."""

    csv_columns: Sequence[str] = ()
    list_after_template: Any = "admin/csv_link.html"

    def csv_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """What the columns need beyond the model's own fields."""
        return rows

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_csv"
        return [path("export.csv", self.admin_site.admin_view(self.csv), name=name), *super().get_urls()]

    def csv(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:  # the list itself does the same
            return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist") + "?e=1")
        names = [column.replace("__", "_") for column in self.csv_columns]
        found = self.csv_rows(listed.get_queryset(request)).values_list(*self.csv_columns)[: MOST_ROWS + 1]
        stamp = timezone.now().strftime("%Y%m%d-%H%M%S")
        return StreamingHttpResponse(
            lines(names, found.iterator(chunk_size=AT_ONCE)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{self.opts.model_name}-{stamp}.csv"'},
        )
