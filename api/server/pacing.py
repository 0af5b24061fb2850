"""Refusals for hurry are sent a moment later: who asks again at once is slowed and takes nothing from others."""

from flask import Flask, Response, g, request

HURRIED = ("rate_limited", "planning_busy")


def install(app: Flask) -> None:
    """Have the worker hold such answers back; no thread waits meanwhile."""
    app.after_request(_hold_back)


def _hold_back(response: Response) -> Response:
    # Under another worker, as in tests, there is nobody who could send it later.
    hold = getattr(request.environ.get("gunicorn.socket"), "hold_back", None)
    if hold is not None and g.get("problem_code") in HURRIED:
        hold()
    return response
