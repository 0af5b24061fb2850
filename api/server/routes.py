"""What of a request may stand in logs and metrics: its route and method, and nothing that the caller chose."""

from flask import request


def route_name() -> str:
    """The route's rule; "none" where no route fits."""
    # A path holds what callers type, a mistyped key at times. It would also make endless series of metrics.
    return request.url_rule.rule if request.url_rule else "none"


def method_name(*, unknown: str) -> str:
    """The method; `unknown` where no route fits, because then it may be any word."""
    return request.method if request.url_rule else unknown
