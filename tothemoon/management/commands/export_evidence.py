"""The evidence as files for DuckDB, Polars or Spark."""

from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from learning.export_files import has_parquet
from learning.exporting import Busy, days, export

WIDTH = 24


class Command(BaseCommand):
    help = "Write vectors, predictions, signals and outcomes into files, a folder a table and in it a folder a day. Nothing is deleted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=("parquet", "csv"), default="parquet", help="default: parquet, which needs pyarrow")
        parser.add_argument("--since", type=date.fromisoformat, metavar="DAY", help="2026-11-01; default: the first day there is")
        parser.add_argument("--until", type=date.fromisoformat, metavar="DAY", help="this day included; default: the last one there is")
        parser.add_argument("--out", type=Path, default=settings.BASE_DIR / "var" / "evidence", metavar="FOLDER")

    def handle(self, *_: Any, format: str, since: date | None, until: date | None, out: Path, **__: Any) -> None:
        if since and until and since > until:
            raise CommandError("--since must not lie after --until")
        if format == "parquet" and not has_parquet():
            format = "csv"
            self.stderr.write("pyarrow is not installed (extra [parquet], requirements-parquet.lock): CSV instead")
        wanted = days(since, until)
        try:
            written = export(out, format, wanted, lambda number: self._progress(number, len(wanted)))
        except (Busy, OSError) as error:
            raise CommandError(f"Nothing more written: {error}") from error
        rows = ", ".join(f"{number:,} {name}" for name, number in written.rows.items()) or "no rows"
        self.stdout.write(f"{rows} of {len(wanted)} days in {written.files} files, {written.bytes / 1e6:.1f} MB: {out}")

    def _progress(self, done: int, all_of: int) -> None:
        if self.stderr.isatty():
            filled = WIDTH * done // all_of
            self.stderr.write(
                f"\r\033[K[{'#' * filled}{'-' * (WIDTH - filled)}] {done}/{all_of} days" * (done < all_of),
                ending="\r\033[K" * (done == all_of),
            )
