"""Each operation's name in the list of methods of the PPC secretariat, so that a report uses the reviewer's words.

Refuses to promote what the list does not have: such an operation stands under its nearest term, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from privacy.words import Words

REPORT = "個人情報保護委員会事務局レポート：匿名加工情報（2017年2月）"
"""The PPC secretariat's report of February 2017, whose table of methods the terms come from."""


@dataclass(frozen=True, slots=True)
class Term:
    """A method as the list calls it; `listed` is False where it is only the nearest entry to the operation."""

    words: Words
    listed: bool = True
    source: str = REPORT


_ITEM = Term(Words(ja="項目削除", en="removal of an attribute"))
_RECORD = Term(Words(ja="レコード削除", en="removal of records"))
_CELL = Term(Words(ja="セル削除", en="removal of cells"))
_GENERAL = Term(Words(ja="一般化", en="generalisation"))
_TAIL = Term(Words(ja="トップ（ボトム）コーディング", en="top and bottom coding"))
_MICRO = Term(Words(ja="ミクロアグリゲーション", en="microaggregation"))
_SWAP = Term(Words(ja="データ交換（スワップ）", en="data swapping"))
_NOISE = Term(Words(ja="ノイズ（誤差）付加", en="addition of noise"))
_PSEUDONYM = Term(Words(ja="仮ID", en="pseudonym"))


def _nearest(term: Term) -> Term:
    return Term(term.words, listed=False)


TERMS: Mapping[str, Term] = MappingProxyType(
    {
        "remove": _ITEM,
        "remove_rows": _RECORD,
        "suppress": _CELL,
        "suppress_rare": _CELL,
        "mask": _nearest(_GENERAL),
        "top_code": _TAIL,
        "bottom_code": _TAIL,
        "round": _nearest(_GENERAL),
        "noise": _NOISE,
        "microaggregate": _MICRO,
        "swap": _SWAP,
        "record_swap": _SWAP,
        "pram": _nearest(_NOISE),
        "sample": _nearest(_RECORD),
        "date_shift": _nearest(_NOISE),
        "pseudonym": _PSEUDONYM,
        "renumber": _PSEUDONYM,
        "generalise": _GENERAL,
        "suppress_records": _RECORD,
    }
)
"""Operation → term. The last two are the search's (full-domain and local recoding, record suppression)."""
