#!/usr/bin/env python3
"""Django's own door: ./manage.py <command>. On a fresh clone use ./run <command>, which prepares the environment first."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # a sentence for the operator; a traceback above it would hide it
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
