"""What the database refuses: only that it is not there now.

Refusal
└── Unavailable   unreachable, locked for too long, or gone in the middle
"""

from privacy.refusal import Refusal
from privacy.words import Words


class Unavailable(Refusal):
    """The database can't be reached, is locked for too long or ended the connection; nothing more is told.

    Whether a transaction that was committing at that moment has been kept is known by asking again.
    """

    code = "unavailable"
    words = Words(ja="データベースを利用できません", en="the database is not available")
