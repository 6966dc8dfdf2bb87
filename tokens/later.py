"""A function by its name: what one app gives another at the start, without loading at the start what only some pages ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Later:
    """Called, it loads the function of that name and calls it. Two of one name are equal: a list holds it once."""

    name: str

    def __call__(self, *given: Any) -> Any:
        return import_string(self.name)(*given)
