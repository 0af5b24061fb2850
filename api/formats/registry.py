"""All formats of answers, and which of them a reader prefers."""

from collections.abc import Sequence

from werkzeug.datastructures import MIMEAccept

from api.formats.arrow import ARROW
from api.formats.base import AnswerFormat
from api.formats.csv import CSV
from api.formats.json import JSON
from api.formats.xlsx import XLSX

TABLE_FORMATS = (JSON, CSV, XLSX, ARROW)


def preferred(accept: MIMEAccept, among: Sequence[AnswerFormat]) -> AnswerFormat | None:
    """The format that an Accept header prefers, the first one if it is silent; None if it takes none of them."""
    # No header means any type (RFC 9110, 12.5.1), and best_match would give none.
    if not accept:
        return among[0]
    wanted = accept.best_match([form.media_type for form in among])
    return next((form for form in among if form.media_type == wanted), None)
