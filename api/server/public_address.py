"""Under which address a request came, and from whom: what trusted proxies say, what the settings say, nobody else.

A client chooses its own headers. Unless its connection comes from a trusted proxy, its forwarding headers are dropped.
"""

import re
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, request
from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import RequestRedirect

from api.http.problems import RequestRefused
from api.settings import PublicUrl, TrustedProxies, ip_address_or_none

FOR = "HTTP_X_FORWARDED_FOR"
BELIEVED = {
    "HTTP_X_FORWARDED_PROTO": re.compile(r"https?"),
    "HTTP_X_FORWARDED_HOST": re.compile(r"(?:[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"),
    "HTTP_X_FORWARDED_PREFIX": re.compile(r"(?:/[0-9A-Za-z_~-][0-9A-Za-z._~-]*)+"),
}
"""Headers of a trusted proxy, and what they must look like: a proxy may hand on what its client sent."""
FORWARDING = ("HTTP_X_FORWARDED_", "HTTP_FORWARDED", "HTTP_X_REAL_IP")
"""How all headers begin that say such things; what nothing here reads, nothing below shall begin to."""


def install(app: Flask) -> None:
    """Have the application see addresses as the settings say."""
    settings = app.extensions["sudare"].settings
    inner: Any = app.wsgi_app
    app.wsgi_app = PublicAddress(  # type: ignore[method-assign]
        inner, TrustedProxies.read(settings.trusted_proxies), PublicUrl.read(settings.public_url)
    )
    app.before_request(_correct_no_path)


def _correct_no_path() -> None:
    """Refuse a path that is nearly one of ours as any that is none."""
    # werkzeug would redirect to the corrected path by a whole address, with whatever Host the client sent.
    if isinstance(request.routing_exception, RequestRedirect):
        raise RequestRefused("not_found")


class PublicAddress:
    """WSGI middleware: REMOTE_ADDR becomes the client's; scheme, host and prefix those that the public knows."""

    def __init__(self, inner: WSGIApplication, proxies: TrustedProxies, public: PublicUrl | None) -> None:
        self._inner, self._proxies, self._public = inner, proxies, public
        # It counts proxies and knows no list of them: whose client it is, is found here, and of the other headers the
        # nearest proxy's word counts.
        self._forwarded = ProxyFix(self._as_public, x_for=0, x_proto=1, x_host=1, x_prefix=1)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        forwarding = {name: environ.pop(name) for name in list(environ) if name.startswith(FORWARDING)}
        peer = environ.get("REMOTE_ADDR", "")
        if not self._proxies.trust(peer):
            return self._as_public(environ, start_response)
        environ["REMOTE_ADDR"] = self._client(parse_list_header(forwarding.get(FOR, "")), peer)
        for name, form in BELIEVED.items():
            said = parse_list_header(forwarding.get(name, ""))
            if said and form.fullmatch(said[-1]):
                environ[name] = said[-1]
        return self._forwarded(environ, start_response)

    def _client(self, addresses: list[str], peer: str) -> str:
        """The nearest address that is no trusted proxy's; each proxy adds that of its own client at the end."""
        found = peer
        for address in reversed(addresses):
            known = ip_address_or_none(address)
            # What a proxy hands on without adding to it is its client's word: further left nobody is believed.
            if known is None:
                break
            found = str(known)
            if not self._proxies.trust(found):
                break
        return found

    def _as_public(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._public is not None:
            environ["wsgi.url_scheme"] = self._public.scheme
            environ["HTTP_HOST"] = self._public.host
            environ["SCRIPT_NAME"] = self._public.prefix
        return self._inner(environ, start_response)
