"""Who is asking, and whether the role allows it. The key is checked once a request; roles stand on the views."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import g, request

from api.http.limits import count_request
from api.http.problems import RequestRefused
from api.http.wire import escaped
from api.services import services
from datasets.people.service import Caller
from privacy.query import Problem

View = TypeVar("View", bound=Callable[..., Any])
SCHEME = "bearer "
KEY_LENGTH_MAX = 128


def caller() -> Caller:
    """The authenticated caller of this request."""
    found: Caller = g.caller
    return found


def allowed(*roles: str) -> Callable[[View], View]:
    """Let a view be called by these roles only; by every authenticated user if none is named."""

    def mark(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            g.caller = _authenticate()
            count_request(g.caller.name)
            if roles and g.caller.role not in roles:
                raise RequestRefused("forbidden", expected=", ".join(roles))
            _check_parameters(view)
            if any("\0" in part for part in kwargs.values()):
                raise RequestRefused("not_found")  # no name holds it, and PostgreSQL cannot even look for it
            return view(*args, **kwargs)

        checked.needs_key = True  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]

    return mark


def _check_parameters(view: View) -> None:
    """Each once, and none where none are described: `?mode=quote` must not be charged for as a run."""
    described = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
    reads_them = any(parameter["in"] == "query" for parameter in described)
    faults = [
        Problem(
            pointer=f"/{escaped(name)}", reason="duplicate_key" if reads_them else "unknown_field", given=name
        )
        for name, values in request.args.lists()
        if len(values) > 1 or not reads_them
    ]
    if faults:
        raise RequestRefused("invalid_query", errors=faults)


def _authenticate() -> Caller:
    header = request.headers.get("Authorization", "")
    key = header[len(SCHEME) :].strip() if header.lower().startswith(SCHEME) else ""
    if not key or len(key) > KEY_LENGTH_MAX:
        raise RequestRefused("unauthenticated")
    return services().people.authenticate(key)
