"""An answer as it is given out: its envelope and its table, read or written only as far as a reader wants it.

Refuses nothing.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from datasets.ledger.answers import StoredAnswer
from privacy.answer import AnswerTable
from privacy.derived import presented
from privacy.presentation import Presentation

PRESENTATION = "presentation"
"""The member of a kept envelope that says what is done with the released table; readers see what came of it."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An envelope and a released table: as it was made, as the JSON under which it is kept, or both.

    `envelope` is a JSON object of what else there is to say: dataset, charge, fingerprint. `question` is the canonical
    question as JSON text, None in answers of versions that did not tell it. With a `presentation` the table that is
    told is made of the released one, in the same way every time.
    """

    envelope: bytes
    question: str | None = None
    made: AnswerTable | None = None
    kept: bytes | None = None
    presentation: Presentation | None = None

    def __post_init__(self) -> None:
        assert self.made is not None or self.kept is not None, "an answer has a table"

    @property
    def body(self) -> bytes:
        """The answer as one JSON object, the same bytes every time."""
        if self.presentation is not None:
            return self.head + self.table.as_json(self._annotations)[1:]
        # Two objects joined as text: a table is kept once for many answers, and parsing could change its bytes.
        return self.head + self._table_json[1:]

    @property
    def head(self) -> bytes:
        """The beginning of the JSON answer, up to the members of its table."""
        # As text, too: a number of the question may have more digits than a float.
        asked = "" if self.question is None else f', "question": {self.question}'
        return self.envelope[:-1] + asked.encode() + b", "

    @cached_property
    def table(self) -> AnswerTable:
        """The table as it is told."""
        return self.released if self.presentation is None else presented(self.released, self.presentation)

    @cached_property
    def released(self) -> AnswerTable:
        """The whole table as it was released, read from what is kept if it is not at hand."""
        return AnswerTable.from_json(self._table_members) if self.made is None else self.made

    @property
    def members(self) -> dict[str, Any]:
        """The members of the JSON answer except its question, columns and rows."""
        return {**json.loads(self.envelope), **self._annotations}

    @property
    def _annotations(self) -> dict[str, Any]:
        """What the table's JSON says beside columns and rows."""
        if self.made is not None:
            rest = self.made.annotations()
        else:
            # As they are kept, since words of notes may have been put better since.
            rest = {name: self._table_members[name] for name in ("postprocessing", "notes")}
        if self.presentation is None:
            return rest
        return {
            "postprocessing": [*rest["postprocessing"], *self.presentation.codes],
            "notes": [*rest["notes"], *self.presentation.notes],
            # How many rows there are in all, and were charged; whoever sees three of them should know.
            "released_rows": len(self.released.columns[0].values),
        }

    @property
    def _table_json(self) -> bytes:
        if self.kept is not None:
            return self.kept
        assert self.made is not None
        return self.made.as_json()

    @cached_property
    def _table_members(self) -> Any:
        return json.loads(self._table_json)


@dataclass(frozen=True, kw_only=True)
class SettledAnswer(Answer):
    """An answer that was charged and is kept."""

    stored: StoredAnswer


def settled_answer(stored: StoredAnswer, kept: bytes, *, made: AnswerTable | None = None) -> SettledAnswer:
    """A stored answer with its released table as it is kept, and as it was made if it is at hand."""
    return SettledAnswer(
        stored=stored,
        envelope=envelope_of(stored),
        question=asked_in(stored),
        kept=kept,
        made=made,
        presentation=_presentation(stored),
    )


def asked_in(stored: StoredAnswer) -> str | None:
    """The canonical question of a stored answer; None where the body is kept as it was sent, by an earlier version."""
    return stored.question if told_in(stored) else None


def told_in(stored: StoredAnswer) -> Any:
    """The question in a sentence, {"ja": …, "en": …}; None in an answer of an earlier version.

    Its envelopes said neither, and the same key gives the same bytes for ever: they are not told more now.
    """
    return json.loads(stored.envelope).get("question_text")


def _presentation(stored: StoredAnswer) -> Presentation | None:
    """What was asked to be done with a stored answer's table."""
    kept = json.loads(stored.envelope).get(PRESENTATION)
    return None if kept is None else Presentation.from_json(kept)


def envelope_of(stored: StoredAnswer) -> bytes:
    """The envelope as readers get it, the same bytes every time: with what was known only when the answer was charged.

    That is when, and what each account had left; accounts without a limit are left out.
    """
    # An earlier version wrote everything into the envelope at once, which stays as it is.
    if stored.balances is None:
        return stored.envelope
    envelope = json.loads(stored.envelope)
    envelope.pop(PRESENTATION, None)
    charge = envelope.pop("charge")
    accounts = [
        {**line, "remaining": str(left)}
        for line, left in zip(charge["accounts"], stored.balances, strict=True)
        if left is not None
    ]
    told = {**envelope, "asked_at": stored.asked_at, "charge": {**charge, "accounts": accounts}}
    return json.dumps(told, ensure_ascii=False, allow_nan=False).encode()
