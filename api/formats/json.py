"""JSON: answers as they are stored, byte for byte."""

from api.formats.base import AnswerFormat


def _as_stored(body: bytes) -> bytes:
    return body


JSON = AnswerFormat(
    media_type="application/json", content_type="application/json", schema=None, render=_as_stored
)
