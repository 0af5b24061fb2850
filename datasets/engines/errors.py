"""What an engine refuses, and how it fails.

Refusal
└── EngineUnavailable   the rows cannot be opened: nothing was read, so nothing is charged
RuntimeError
└── EngineFailed        it failed after the rows may have been read: charged like an answer
"""

from privacy.refusal import Refusal
from privacy.words import Words


class EngineUnavailable(Refusal):
    """The rows of a version cannot be opened now: no file, a broken one, another version's, no engine to be reached.

    Known before any statement runs, hence from no value of the data. Names no file, address or engine.
    """

    code = "engine_unavailable"
    words = Words(
        ja="集計に使うデータを開けません。予算は消費していません",
        en="the data that answers are computed from cannot be opened; nothing was charged",
    )


class EngineFailed(RuntimeError):
    """The exact part could not be computed. Carries no text: the engine's words could quote data.

    A fault and no refusal: nobody is answered with it, the query service charges it and says AnswerFailed.
    """
