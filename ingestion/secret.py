"""A key, which is visible to nobody on its way."""


class Secret:
    """A key that shows itself to nobody who prints it: not in a log, not among a traceback's variables."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(•••)"

    def __bool__(self) -> bool:
        return bool(self._value)

    def reveal(self) -> str:
        return self._value
