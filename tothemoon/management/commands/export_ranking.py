"""The ranking into a file, for a program on the same machine."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from scoring.ranking import Stale
from tothemoon.ranking import FORMATS, WRITERS, document, replace_file


class Command(BaseCommand):
    help = "Write what /api/ranking.json gives into a file, in one step. When it would be stale, the file stays as it is and the exit is 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", required=True, help="The file; its folder must exist.")
        parser.add_argument("--format", choices=FORMATS, help="Without it, what the file's name ends in, else json.")

    def handle(self, *_: Any, output: str | Path, **options: Any) -> None:
        output = Path(output)
        form = options["format"] or ("toml" if output.suffix == ".toml" else "json")
        try:
            body = document(timezone.now())
        except Stale as error:
            raise CommandError(f"Nothing written: {error}") from error
        try:
            replace_file(output, WRITERS[form](body))
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"{len(body['tokens'])} tokens in {output}")
