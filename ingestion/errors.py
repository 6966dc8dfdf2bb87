"""What can be wrong with an answer, named after what the caller should do about it. No message ever holds a key."""


class OutsideError(Exception):
    """Something an outside service did. Catch one of the three below; each asks for something else."""


class Malformed(OutsideError):
    """What came in cannot be read: count it, pass over it, go on with the next."""


class Temporary(OutsideError):
    """It did not work now and may work later: wait, at least `retry_after` seconds where the service named a time."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Permanent(OutsideError):
    """Asking again changes nothing until a person does something: stop this use and tell the operator.

    `kind` is one of the constants here; `bad_request` concerns only the one thing asked for.
    """

    QUOTA_USED_UP = "quota_used_up"
    PLAN_LACKS = "plan_lacks"
    KEY_WRONG = "key_wrong"
    BLOCKED = "blocked"
    BAD_REQUEST = "bad_request"

    def __init__(self, message: str, kind: str = BAD_REQUEST) -> None:
        super().__init__(message)
        self.kind = kind
