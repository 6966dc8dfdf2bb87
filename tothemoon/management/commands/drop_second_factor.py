from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from tothemoon.second_factor import take_away


class Command(BaseCommand):
    help = "Takes the second factor away from somebody whose phone and recovery codes are lost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="as it is typed at the login")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"there is nobody called {name}.")
        if not take_away(user, by=None):
            raise CommandError(f"{name} has no second factor.")
        self.stdout.write(f"{name} logs in with the password alone now.")
