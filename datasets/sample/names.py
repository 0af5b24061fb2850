"""Names of residents, combined from short lists; any likeness to a person is chance."""

import functools

import numpy as np
import pyarrow as pa

from datasets.sample.draw import Draws, Ints


def words(*lines: str) -> tuple[str, ...]:
    """Return the words of all lines."""
    return tuple(" ".join(lines).split())


# Eighty common surnames, commonest first.
SURNAMES = words(
    "佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 林 斎藤 清水",
    "山崎 森 池田 橋本 阿部 石川 山下 中島 石井 小川 前田 岡田 長谷川 藤田 後藤 近藤 村上 遠藤 青木 坂本",
    "福田 太田 西村 藤井 金子 岡本 藤原 中野 三浦 原田 中川 松田 竹内 小野 田村 中山 和田 石田 森田 上田",
    "原 柴田 酒井 工藤 横山 宮崎 宮本 内田 高木 安藤 谷口 大野 丸山 今井 高田 河野 藤本 村田 武田 上野",
)

SURNAME_DRAWS = Draws.of(1 / (np.arange(len(SURNAMES)) + 12.0))

# Given names change with age: those of people up to 30, 31 to 55, 56 to 80, and older.
ERAS = (0, 31, 56, 81)

GIVEN_IN_ERA = 20

GIVEN_FEMALE = (
    words(
        "葵 結衣 美咲 陽菜 凛 さくら 莉子 花 芽依 心春",
        "優奈 七海 美優 愛 彩花 楓 咲良 結菜 琴音 紬",
    ),
    words(
        "裕子 真由美 智子 久美子 恵 麻衣 愛 美香 香織 陽子",
        "友美 由美子 直美 亜希子 舞 千尋 綾 理恵 瞳 彩",
    ),
    words(
        "洋子 恵子 京子 幸子 和子 久美子 由美子 明美 真理子 直美",
        "陽子 裕子 節子 悦子 順子 典子 恵美子 美智子 文子 弘子",
    ),
    words(
        "和子 幸子 節子 文子 千代子 トシ子 キヨ ハル 静子 美代子",
        "芳子 久子 久枝 スミ子 ヨシ子 サチ子 君子 冨美子 清子 花子",
    ),
)
# Twenty given names for each era.
GIVEN_MALE = (
    words("蓮 大翔 悠真 陽翔 湊 颯太 翔太 拓海 健太 大輝 樹 蒼 律 結翔 海斗 陸 駿 優斗 悠人 暖"),
    words("大輔 健一 誠 直樹 剛 学 哲也 達也 和也 健太郎 雄太 亮 浩二 智也 洋平 大介 隆 拓也 淳 真一"),
    words("茂 浩 隆 誠 清 勝 博 明 正 進 実 修 和夫 幸雄 博之 秀樹 健二 豊 達夫 康夫"),
    words("清 正 勇 茂 実 三郎 正雄 義雄 昭 武 弘 一郎 次郎 辰雄 久雄 忠 正男 昭二 勝 利雄"),
)

FOREIGN_OF_SEX = 5

# Full names for each nationality group but Japan: five of women, then five of men.
FOREIGN = {
    "china": words("王麗 李静 張敏 陳芳 劉洋", "王偉 李強 張磊 陳浩 劉勇"),
    "vietnam": words(
        "グエン・フオン チャン・ラン レ・ホア ファム・マイ ホアン・リン",
        "グエン・ナム チャン・フン レ・ドゥック ファム・ミン ホアン・ロン",
    ),
    "korea": words("金美英 李恵珍 朴知恩 崔秀妍 鄭有珍", "金民洙 李俊浩 朴成賢 崔東勲 鄭宇鎮"),
    "philippines": words(
        "マリア・サントス アナ・レイエス ローズ・クルス グレース・ラモス ジョイ・ガルシア",
        "ホセ・サントス マーク・レイエス ジョン・クルス ポール・ラモス カルロ・ガルシア",
    ),
    "nepal": words(
        "シタ・タマン アニタ・グルン プジャ・シュレスタ サリタ・ライ マヤ・タパ",
        "ラム・タマン ビカス・グルン スニル・シュレスタ ハリ・ライ サントス・タパ",
    ),
    "brazil": words(
        "アナ・シルバ ジュリア・ソウザ カミラ・コスタ マリナ・タナカ ラウラ・リマ",
        "ルカス・シルバ ペドロ・ソウザ ラファエル・コスタ ブルーノ・タナカ チアゴ・リマ",
    ),
    "indonesia": words(
        "シティ・ラハユ デウィ・レスタリ プトリ・ウタミ リナ・サリ アユ・ワティ",
        "ブディ・サントソ アグス・ワヒュ リズキ・プラタマ デディ・クルニア アディ・プトラ",
    ),
    "myanmar": words(
        "スー・ミャッ ティン・ザー エイ・ピュー ニン・ウェイ メイ・トゥー",
        "アウン・ミン ゾー・ウィン チョー・トゥ ミョー・ナイン テット・ナイン",
    ),
    "other": words(
        "エマ・スミス ソフィー・マルタン 林美玲 プリヤ・シン オルガ・イワノワ",
        "ジェームズ・スミス ルイ・マルタン 林志明 ラジ・シン イワン・ペトロフ",
    ),
}

JAPANESE_NAMES = len(SURNAMES) * 2 * len(ERAS) * GIVEN_IN_ERA


@functools.cache
def name_table() -> pa.Array:
    """Return every full name: Japanese by (surname, sex, era, name), then foreign by (group, sex, name)."""
    given = [name for era in (*GIVEN_FEMALE, *GIVEN_MALE) for name in era]
    japanese = [f"{surname} {name}" for surname in SURNAMES for name in given]
    foreign = [name for names in FOREIGN.values() for name in names]
    assert len(japanese) == JAPANESE_NAMES, "each era has as many names"
    assert len(foreign) == len(FOREIGN) * 2 * FOREIGN_OF_SEX, "each group has as many names"
    return pa.array(japanese + foreign, pa.string())


def draw_names(rng: np.random.Generator, *, surname: Ints, sex: Ints, age: Ints, nationality: Ints) -> Ints:
    """Return indexes into the name table; nationality 0 is Japan, others follow the order of `FOREIGN`."""
    era = np.searchsorted(ERAS, np.arange(120), side="right").astype(np.int16)[age] - 1
    one = rng.integers(0, GIVEN_IN_ERA, size=len(sex), dtype=np.uint8)
    names = ((surname.astype(np.int16) * 2 + sex) * len(ERAS) + era) * GIVEN_IN_ERA + one
    at = np.flatnonzero(nationality)
    group = (nationality[at].astype(np.int16) - 1) * 2 + sex[at]
    names[at] = JAPANESE_NAMES + group * FOREIGN_OF_SEX + one[at] % FOREIGN_OF_SEX
    return names
