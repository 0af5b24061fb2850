"""Names for what is kept: in the order they were made, and not guessable. Refuses no prefix; knows no database."""

import os
import secrets
import threading
import time

BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's alphabet, as ULIDs have it: ascends as ASCII does
MICROSECONDS_BITS = 10  # 0 to 999 within a millisecond
RANDOM_BITS = 70


class _AscendingClock:
    """Microseconds since 1970 that never repeat and never go back in this process, whatever the clock does."""

    def __init__(self) -> None:
        self._last = 0
        self.renew_lock()

    def renew_lock(self) -> None:
        self._lock = threading.Lock()

    def microseconds(self) -> int:
        with self._lock:
            self._last = max(time.time_ns() // 1_000, self._last + 1)
            return self._last


_clock = _AscendingClock()
# A thread that holds the lock while another forks does not exist in the child, where nobody would ever release it.
os.register_at_fork(after_in_child=_clock.renew_lock)


def new_id(prefix: str) -> str:
    """A name nobody can guess that sorts by the time it was made: prefix_ and 26 characters, a ULID.

    Within a process every name sorts after the one before it, on which paging by name relies. Between processes
    the order is that of their clocks, to the microsecond.
    """
    milliseconds, microseconds = divmod(_clock.microseconds(), 1_000)
    # A ULID is 48 bits of milliseconds and 80 random ones; the first ten of those go on counting the time.
    number = (milliseconds << MICROSECONDS_BITS | microseconds) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
    return f"{prefix}_{''.join(BASE32[number >> shift & 31] for shift in range(125, -1, -5))}"
