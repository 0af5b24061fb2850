"""Hierarchies of Japanese areas, read by rules from addresses, local government codes or postcodes.

It refuses what the rules cannot read; no register of towns is at hand, which would age and would have to be shipped.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.hierarchies.parts import Path, choice, items, require, with_unread
from privacy.words import Words

Kind = Literal["address", "code", "postcode"]
ADDRESS_LEVELS = ("chome", "town", "ward", "municipality", "prefecture", "region")
CODE_LEVELS = ("ward", "municipality", "prefecture", "region")
POSTCODE_LEVELS = ("6", "5", "4", "3", "2", "1")

REGIONS = {
    "北海道": "北海道",
    "東北": "青森県 岩手県 宮城県 秋田県 山形県 福島県",
    "関東": "茨城県 栃木県 群馬県 埼玉県 千葉県 東京都 神奈川県",
    "中部": "新潟県 富山県 石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県",
    "近畿": "三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県",
    "中国": "鳥取県 島根県 岡山県 広島県 山口県",
    "四国": "徳島県 香川県 愛媛県 高知県",
    "九州・沖縄": "福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県",
}
"""The usual eight regions (八地方区分), their prefectures in the order of the codes 01 to 47 (JIS X 0401)."""
REGION_OF = {prefecture: region for region, own in REGIONS.items() for prefecture in own.split()}
PREFECTURES = tuple(REGION_OF)

DESIGNATED = {
    "札幌市": "01100",
    "仙台市": "04100",
    "さいたま市": "11100",
    "千葉市": "12100",
    "横浜市": "14100",
    "川崎市": "14130",
    "相模原市": "14150",
    "新潟市": "15100",
    "静岡市": "22100",
    "浜松市": "22130",
    "名古屋市": "23100",
    "京都市": "26100",
    "大阪市": "27100",
    "堺市": "27140",
    "神戸市": "28100",
    "岡山市": "33100",
    "広島市": "34100",
    "北九州市": "40100",
    "福岡市": "40130",
    "熊本市": "43100",
}
"""政令指定都市, the cities with wards (区) that are no municipalities, and their codes."""
SPECIAL_WARDS = (
    "千代田 中央 港 新宿 文京 台東 墨田 江東 品川 目黒 大田 世田谷 渋谷 中野 杉並 豊島 北 荒川 板橋 練馬 足立 "
    "葛飾 江戸川"
)
"""The 23 特別区 of Tokyo, municipalities themselves."""
CITIES = (
    "市川 市原 四日市 廿日市 野々市 八日市 八日市場 今市 町田 大町 十日町 村山 東村山 武蔵村山 村上 田村 羽村 大村 "
    "中村 郡山 大和郡山 郡上 蒲郡 小郡"
)
"""Cities, some of them merged since, whose names hold 市, 町, 村 or 郡 before the 市 that ends them."""
TOWNS = "余市 大町 玉村 村田 市貝 市川三郷 市川 上市 下市 上郡 鹿町 市来 市島 市場 市浦 村岡 村松 今市 五日市"
"""Towns (町) and villages (村) of that sort, some of them merged since."""
DISTRICTS = "郡上 余市 高市 田村 東村山 西村山 北村山"
"""Districts (郡) of that sort."""


def _any(names: str) -> str:
    """A pattern for one of some names, the longest that fits."""
    return "|".join(sorted(names.split(), key=len, reverse=True))


PREFECTURE = re.compile("|".join(PREFECTURES))
TOWN = rf"(?:(?:{_any(TOWNS)})[町村]|[^市町村郡]{{1,7}}[町村])"
DISTRICT = re.compile(
    rf"(?!(?:{_any(CITIES)})市)(?:(?:{_any(DISTRICTS)})郡|[^市町村郡]{{1,5}}郡|三宅島|八丈島)(?={TOWN})"
)
SPECIAL_WARD = re.compile(rf"(?:{_any(SPECIAL_WARDS)})区")
MUNICIPALITY = re.compile(rf"(?:{_any(CITIES)})市|{TOWN}|[^市町村郡]{{1,7}}市")
WARD = re.compile(r"[^0-9市区町]{1,4}区")

NUMERALS = "〇一二三四五六七八九"
NUMERAL = "〇一二三四五六七八九十百"
COUNTED = re.compile(r"[0-9]{1,3}(?=条|丁目|番町|番丁)")
CHOME = re.compile(rf"[^0-9]*?[{NUMERAL}]+丁目")
HYPHENS = "-‐‑‒–—―−ー"
LOT = re.compile(rf"[0-9]|[{NUMERAL}]+(?:番地|番(?=[0-9{NUMERAL}])|号|[{HYPHENS}](?=[{NUMERAL}]))")
SECTION = re.compile(r"(?<=.)(?<!文)字")


def areas(
    name: str,
    values: Sequence[str],
    *,
    kind: Kind,
    levels: Sequence[str] | None = None,
    unknown: str | None = None,
) -> Hierarchy:
    """Areas, finest first, then `*`; the domain is the distinct `values`, since no register is at hand.

    | kind | read | levels (all, unless `levels` names some, finest first) |
    | --- | --- | --- |
    | `address` | 東京都千代田区丸の内一丁目1番1号 | `chome` 町丁目, `town` 町・大字, `ward` 政令市の区, |
    | | | `municipality`, `prefecture`, `region` |
    | `code` | 131016, 13101 | `ward`, `municipality`, `prefecture`, `region` |
    | `postcode` | 100-0001, 〒1000001 | the first `6`, `5`, … `1` digits: 100000*, 10000**, … |

    **address**: labels are the address up to the level (神奈川県横浜市中区), so that towns of one name in two
    cities stay apart. Everything from the lot number (番地, or 小字) on is cut off, `丸の内1-1-1` too, where nobody
    can tell whether the first number is a 丁目. A part that an address has not gets the label of the next coarser one:
    a city without wards stands on level `ward` itself. Full-width characters, blanks, 大字, digits for 丁目, 条
    and 番町 make no difference, nor whether the district (郡) of a town is written: it is left out, for a town's
    name occurs once in a prefecture (泊村 of Hokkaido and of the northern islands excepted). The prefecture must
    be there, except before a 政令指定都市. Names that hold 市, 町, 村 or 郡 are listed above, the rest goes by
    rules; an unlisted merged one of that sort may be cut too early, which never puts it under another prefecture.

    **code**: 全国地方公共団体コード of five digits, or six of which the last is the check digit (11 minus the sum of
    6, 5, 4, 3, 2 times the digits, modulo 11, of that the last digit), which must be right; 13000 gets the label of its
    prefecture, a ward's municipality is its 政令市. The first two digits give the prefecture's name.

    Texts that cannot be read so are refused (counted, not quoted) or, with `unknown`, get that label.
    """
    read = READERS[choice(name, "areas", kind, READERS)]
    known = LEVELS[kind]
    chosen = _chosen(name, known, levels)
    # Sorted, so that lines do not stand in the order of the rows.
    parts = {text: read(text) for text in sorted(set(values))}
    paths: list[Path] = [
        (text, *(labels[place] for place in chosen)) for text, labels in parts.items() if labels is not None
    ]
    unread = [text for text, labels in parts.items() if labels is None]
    return with_unread(
        name,
        paths,
        levels=len(chosen),
        unread=unread,
        of=len(values),
        words=Words(ja=f" {kind} として読み取れません", en=f"cannot be read as {kind}"),
        unknown=unknown,
    )


def _chosen(name: str, known: Sequence[str], levels: object) -> list[int]:
    if levels is None:
        return list(range(len(known)))
    chosen = [
        known.index(choice(name, "levels", str(level), known)) for level in items(name, "levels", levels)
    ]
    require(
        chosen == sorted(set(chosen)),
        name,
        Words(
            ja=f"levels は細かい順に指定してください：{', '.join(known)}。",
            en=f"levels must go from fine to coarse: {', '.join(known)}",
        ),
    )
    return chosen


def of_address(text: str) -> Path | None:
    """The labels of an address, one for each of `ADDRESS_LEVELS`, or none.

    Every label but the region is a beginning of one canonical text, and what a cut is depends on nothing behind
    it; so equal labels have equal labels above them, and the hierarchy is monotone for any text.
    """
    plain = _canonical(text)
    prefecture = PREFECTURE.match(plain)
    if prefecture is None:
        return None
    municipality, ward, town, chome = _cuts(plain, prefecture.end())
    if municipality is None:
        return None
    return *(plain[:end] for end in (chome, town, ward, municipality, prefecture.end())), REGION_OF[
        prefecture[0]
    ]


def _canonical(text: str) -> str:
    """The address in one spelling, with its prefecture and without its district."""
    # 大字 is dropped: half of the writers of an address leave it out.
    plain = "".join(unicodedata.normalize("NFKC", text).split()).replace("大字", "")
    plain = COUNTED.sub(lambda found: _numeral(int(found[0])), plain)
    # Without the prefecture only the designated cities are sure: their names occur once, as 府中市 does not.
    city = next((city for city in DESIGNATED if plain.startswith(city)), None)
    if city is not None:
        plain = PREFECTURES[int(DESIGNATED[city][:2]) - 1] + plain
    prefecture = PREFECTURE.match(plain)
    if prefecture is None:
        return plain
    district = DISTRICT.match(plain, prefecture.end())
    return plain if district is None else plain[: prefecture.end()] + plain[district.end() :]


def _cuts(plain: str, start: int) -> tuple[int | None, int, int, int]:
    """Where municipality, ward, town and 丁目 end; no municipality where the text behind `start` has none."""
    # A prefecture alone is an address too: all finer levels take its label.
    if start == len(plain):
        return start, start, start, start
    found = SPECIAL_WARD.match(plain, start) if plain.startswith("東京都") else None
    found = found or MUNICIPALITY.match(plain, start)
    if found is None:
        return None, 0, 0, 0
    municipality = found.end()
    # Only designated cities have wards of this kind: elsewhere 区 is part of a town's name.
    inner = WARD.match(plain, municipality) if found[0] in DESIGNATED else None
    ward = inner.end() if inner else municipality
    return municipality, ward, *_town_cuts(plain, ward)


def _town_cuts(plain: str, start: int) -> tuple[int, int]:
    chome = CHOME.match(plain, start)
    if chome is not None:
        return start + len(re.sub(rf"[{NUMERAL}]+丁目$", "", chome[0])), chome.end()
    # Digits without 丁目 are taken for the lot: too short an address is coarser, too long a one names a house.
    lot = LOT.search(plain, start)
    end = lot.start() if lot else len(plain)
    section = SECTION.search(plain, start + 1, end)
    return (section.start() if section else end), (section.start() if section else end)


def _numeral(number: int) -> str:
    """A number from 0 to 999 as it is written in names of places."""
    if number == 0:
        return NUMERALS[0]
    written = ""
    for unit, sign in ((100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, unit)
        # 十, not 一十: a one before a unit is not written.
        written += "" if digit == 0 else sign if digit == 1 and sign else NUMERALS[digit] + sign
    return written


def of_code(text: str) -> Path | None:
    """The labels of a local government code, one for each of `CODE_LEVELS`, or none."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if re.fullmatch(r"[0-9]{5,6}", plain, re.ASCII) is None or plain[5:] not in ("", check_digit(plain[:5])):
        return None
    # A wrong check digit is a mistyped code, which would put the person into another town.
    code, place = plain[:5], int(plain[:2])
    if not 1 <= place <= len(PREFECTURES):
        return None
    prefecture = PREFECTURES[place - 1]
    if code.endswith("000"):
        return prefecture, prefecture, prefecture, REGION_OF[prefecture]
    return code, _municipality(code), prefecture, REGION_OF[prefecture]


def check_digit(code: str) -> str:
    """The sixth digit of a local government code (総務省「全国地方公共団体コード仕様」)."""
    total = sum(weight * int(digit) for weight, digit in zip((6, 5, 4, 3, 2), code, strict=True))
    return str((11 - total % 11) % 10)


def _municipality(code: str) -> str:
    """The code of the city that a ward of it belongs to, else the code itself."""
    # A city's wards are numbered on from its own code, and a prefecture can have several such cities.
    return max((city for city in DESIGNATED.values() if code[:3] == city[:3] and city <= code), default=code)


def of_postcode(text: str) -> Path | None:
    """The labels of a postcode, one for each of `POSTCODE_LEVELS`, or none."""
    plain = unicodedata.normalize("NFKC", text).strip().removeprefix("〒").strip()
    found = re.fullmatch(r"([0-9]{3})-?([0-9]{4})", plain, re.ASCII)
    if found is None:
        return None
    return tuple((found[1] + found[2])[:kept].ljust(7, "*") for kept in map(int, POSTCODE_LEVELS))


READERS: Mapping[str, Callable[[str], Path | None]] = {
    "address": of_address,
    "code": of_code,
    "postcode": of_postcode,
}
LEVELS = {"address": ADDRESS_LEVELS, "code": CODE_LEVELS, "postcode": POSTCODE_LEVELS}
