"""Addresses of our own resources, for links and headers. Never made from a Host header, which the client chooses."""

from flask import request

from api.services import services
from api.settings import PublicUrl


def address(path: str) -> str:
    """The address of a path that begins with `/`: absolute where the public one is set, else relative to the host."""
    public = PublicUrl.read(services().settings.public_url)
    # The prefix of a trusted proxy, which takes it off before it asks us.
    return public.address(path) if public else f"{request.script_root}{path}"
