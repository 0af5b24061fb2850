"""Whether a caller may call a view, and whether the address asks for what the view can give.

The checks stand before every view in one order: identity, rate, role, parameters.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import request

from api.http.identity import identified
from api.http.limits import count_request
from api.http.operations import View, declare, operation_of
from api.http.problems import RequestRefused
from api.http.wire import escaped
from api.services import services
from datasets.database.closed_lists import ROLES
from privacy.query import Problem

MONITOR = "monitor"


def allowed(*roles: str) -> Callable[[View], View]:
    """Let a view be called by these roles only; if none is named by every identified caller but a monitor.

    A monitor's key lies in the settings of other programs, so it opens nothing where monitors are not named.
    """
    refused = ("unauthenticated", "stopped", "rate_limited", "invalid_query", "forbidden")
    may_call = roles or tuple(role for role in ROLES if role != MONITOR)

    def mark(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            who = identified()
            # Counted before the role is looked at: whoever may not call this is not free to try without end.
            count_request(who.name)
            # Not ready and answering nevertheless would be two servers in one.
            services().readiness.must_be_current()
            if who.role not in may_call:
                raise RequestRefused("forbidden", expected=", ".join(may_call))
            _check_parameters(reads_query=operation_of(view).reads_query)
            _check_path(kwargs)
            return view(*args, **kwargs)

        return declare(checked, refuses=refused, roles=may_call)  # type: ignore[return-value]

    return mark


def public(view: View) -> View:
    """Let a view be called without a key. Its address is checked like that of any other; nobody's rate is counted."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        _check_parameters(reads_query=operation_of(view).reads_query)
        _check_path(kwargs)
        return view(*args, **kwargs)

    return declare(checked, refuses=("invalid_query",), roles=None)  # type: ignore[return-value]


def _check_parameters(*, reads_query: bool) -> None:
    """Refuse a parameter given twice, and any where none is read."""
    # A parameter that is overlooked does harm: `?mode=quote` would be charged for as a run.
    faults = [
        Problem(
            pointer=f"/{escaped(name)}",
            reason="duplicate_key" if reads_query else "unknown_field:no_parameters",
            given=name,
        )
        for name, values in request.args.lists()
        if len(values) > 1 or not reads_query
    ]
    if faults:
        raise RequestRefused("invalid_query", errors=faults)


def _check_path(parts: dict[str, str]) -> None:
    """Refuse NUL in the path."""
    # No name holds it, and PostgreSQL cannot even look for it.
    if any("\0" in part for part in parts.values()):
        raise RequestRefused("not_found")
