"""What the database refuses: that it is not there now, or that its tables are not those of this program.

Refusal
├── Unavailable      unreachable, locked for too long, full, damaged, or gone in the middle
└── NotInitialised   no tables yet, or those of another version of this program

Whatever else a driver raises is a constraint, which the room that wrote the row expects, or a fault of ours: both are
raised as they are.
"""

from collections.abc import Mapping
from typing import Literal

from privacy.refusal import Refusal
from privacy.words import Words

Tables = Literal["none", "earlier", "later"]
"""What tables a database has instead of ours: none, those of an earlier version, or those of a later one."""

WORDS: Mapping[Tables, Words] = {
    "none": Words(
        ja="データベースが初期化されていません。sudare init を実行してください",
        en="the database is not initialised: run sudare init",
    ),
    "earlier": Words(
        ja="データベースは以前のバージョンのものです。sudare init を実行して更新してください",
        en="the database is of an earlier version: run sudare init to upgrade it",
    ),
    "later": Words(
        ja="データベースはこのプログラムより新しいバージョンのものです。"
        "sudare init では戻せません。プログラムを更新してください",
        en="the database is of a later version than this program: upgrade the program, sudare init cannot go back",
    ),
}


class Unavailable(Refusal):
    """The database can't be reached, is locked for too long or ended the connection; nothing more is told.

    Whether a transaction that was committing at that moment has been kept is known by asking again.
    """

    code = "unavailable"
    words = Words(ja="データベースを利用できません", en="the database is not available")


class NotInitialised(Refusal):
    """The database answers, but its tables are not those of this program. `tables` says which it has instead."""

    code = "not_initialised"

    def __init__(self, tables: Tables) -> None:
        super().__init__(WORDS[tables])
        self.tables = tables
