"""JSON: answers as they are stored, byte for byte."""

from api.formats.base import AnswerFormat, RenderableAnswer


def _as_stored(answer: RenderableAnswer) -> bytes:
    return answer.body


JSON = AnswerFormat(
    media_type="application/json", content_type="application/json", schema=None, render=_as_stored
)
