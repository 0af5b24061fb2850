"""An answer as it is given out: its envelope and its table, read or written only as far as a reader wants it.

Refuses nothing.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from datasets.ledger.answers import StoredAnswer
from privacy.answer import AnswerTable


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An envelope and a table: as it was made, as the JSON under which it is kept, or both.

    `envelope` is a JSON object of what else there is to say: dataset, charge, fingerprint. `question` is the canonical
    question as JSON text, None in answers of versions that did not tell it.
    """

    envelope: bytes
    question: str | None = None
    made: AnswerTable | None = None
    kept: bytes | None = None

    def __post_init__(self) -> None:
        assert self.made is not None or self.kept is not None, "an answer has a table"

    @property
    def body(self) -> bytes:
        """The answer as one JSON object, the same bytes every time."""
        # Two objects joined as text: a table is kept once for many answers, and parsing could change its bytes.
        return self.head + self._table_json[1:]

    @property
    def head(self) -> bytes:
        """The beginning of the JSON answer, up to the members of its table."""
        # As text, too: a number of the question may have more digits than a float.
        asked = "" if self.question is None else f', "question": {self.question}'
        return self.envelope[:-1] + asked.encode() + b", "

    @property
    def table(self) -> AnswerTable:
        """The table, read from what is kept if it is not at hand."""
        return AnswerTable.from_json(self._table_members) if self.made is None else self.made

    @property
    def members(self) -> dict[str, Any]:
        """The members of the JSON answer except its question, columns and rows."""
        if self.made is not None:
            return {**json.loads(self.envelope), **self.made.annotations()}
        # As they are kept, since words of notes may have been put better since.
        rest = {name: self._table_members[name] for name in ("postprocessing", "notes")}
        return {**json.loads(self.envelope), **rest}

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
    """A stored answer with its table as it is kept, and as it was made if it is at hand."""
    envelope = envelope_of(stored)
    return SettledAnswer(stored=stored, envelope=envelope, question=asked_in(stored), kept=kept, made=made)


def asked_in(stored: StoredAnswer) -> str | None:
    """The canonical question of a stored answer; None where the body is kept as it was sent, by an earlier version."""
    return stored.question if told_in(stored) else None


def told_in(stored: StoredAnswer) -> Any:
    """The question in a sentence, {"ja": …, "en": …}; None in an answer of an earlier version.

    Its envelopes said neither, and the same key gives the same bytes for ever: they are not told more now.
    """
    return json.loads(stored.envelope).get("question_text")


def envelope_of(stored: StoredAnswer) -> bytes:
    """The envelope as readers get it, the same bytes every time: with what was known only when the answer was charged.

    That is when, and what each account had left; accounts without a limit are left out.
    """
    # An earlier version wrote everything into the envelope at once, which stays as it is.
    if stored.balances is None:
        return stored.envelope
    envelope = json.loads(stored.envelope)
    charge = envelope.pop("charge")
    accounts = [
        {**line, "remaining": str(left)}
        for line, left in zip(charge["accounts"], stored.balances, strict=True)
        if left is not None
    ]
    told = {**envelope, "asked_at": stored.asked_at, "charge": {**charge, "accounts": accounts}}
    return json.dumps(told, ensure_ascii=False, allow_nan=False).encode()
