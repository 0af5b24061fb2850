"""Who is asking. Knows ways to prove it, today a bearer key; what a person may do is `roles`' affair."""

from flask import g, request

from api.http.problems import RequestRefused
from api.services import services
from datasets.people.service import Caller

SCHEME = "bearer "
KEY_LENGTH_MAX = 128


def identified() -> Caller:
    """The caller of this request, looked up and remembered; refused if nobody is known to have sent it."""
    g.caller = _by_key()
    return caller()


def caller() -> Caller:
    """The identified caller of this request."""
    found: Caller = g.caller
    return found


def _by_key() -> Caller:
    header = request.headers.get("Authorization", "")
    key = header[len(SCHEME) :].strip() if header.lower().startswith(SCHEME) else ""
    # No key of ours is that long; a megabyte of header is not worth a digest.
    if not key or len(key) > KEY_LENGTH_MAX:
        raise RequestRefused("unauthenticated")
    return services().people.authenticate(key)
