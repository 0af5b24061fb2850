"""The one base of everything that is refused for a reason that may be told; what a fault of ours is, is not here.

    Refusal                 (every room derives its own; the tree of a room is drawn in its errors module)

A refusal has a domain code, fields, and words in Japanese and English that quote what the caller sent and never
what the data says. The command line prints the words; HTTP maps the code to a status in one table.
"""

from typing import ClassVar

from privacy.words import Words


class Refusal(Exception):
    """Something refused. A subclass states its `code`, and its `words` with places named like its attributes.

    Where each case has a sentence of its own, it is given instead: `raise BadTable(Words(ja=…, en=…))`.
    """

    code: ClassVar[str]
    words: Words

    def __init__(self, words: Words | None = None) -> None:
        super().__init__()
        if words is not None:
            self.words = words

    def message(self) -> Words:
        """What the caller is told."""
        # Words given to one refusal are finished sentences: a brace that the caller sent is no place to fill.
        return self.words if "words" in vars(self) else self.words.filled(**vars(self))

    def __str__(self) -> str:
        return self.message().en
