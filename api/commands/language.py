"""The language of the command line, and a refusal in it. Refuses no environment: what it cannot read is English."""

import errno
import os
from collections.abc import Mapping

from api.settings import PREFIX, InvalidSetting, Settings
from privacy.refusal import Refusal
from privacy.words import Language, Words

CAUSES = {
    errno.ENOENT: Words(ja="ファイルまたはフォルダがありません", en="No such file or directory"),
    errno.EACCES: Words(ja="アクセスする権限がありません", en="Permission denied"),
    errno.EPERM: Words(ja="許可されていない操作です", en="Operation not permitted"),
    errno.EEXIST: Words(ja="同じ名前のものがすでにあります", en="File exists"),
    errno.ENOTDIR: Words(ja="フォルダではありません", en="Not a directory"),
    errno.EISDIR: Words(ja="フォルダです", en="Is a directory"),
    errno.ENOTEMPTY: Words(ja="フォルダが空ではありません", en="Directory not empty"),
    errno.ENOSPC: Words(ja="ディスクの空き容量がありません", en="No space left on device"),
    errno.EDQUOT: Words(ja="使えるディスク容量を超えました", en="Disk quota exceeded"),
    errno.EROFS: Words(ja="読取り専用のディスクです", en="Read-only file system"),
    errno.EIO: Words(ja="ディスクを読み書きできません", en="Input/output error"),
    errno.EMFILE: Words(ja="開いているファイルが多すぎます", en="Too many open files"),
    errno.ENAMETOOLONG: Words(ja="ファイル名が長すぎます", en="File name too long"),
    errno.EADDRNOTAVAIL: Words(ja="このマシンのアドレスではありません", en="Cannot assign requested address"),
    errno.ECONNREFUSED: Words(ja="接続を拒否されました", en="Connection refused"),
}
"""What the system says of the commonest failures, which it says in English alone."""
LOCALE_NAMES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The first of these that is set decides, as POSIX has it."""


def sentence(words: Words) -> str:
    """A sentence in the operator's language."""
    return words.within(language())


def refusal_text(refusal: Refusal) -> str:
    """A refusal as a sentence for the operator."""
    return sentence(refusal.message())


def cause_of(fault: OSError) -> str:
    """Why the system refused, in the operator's language; in the system's own words where we have none."""
    words = CAUSES.get(fault.errno or 0)
    return sentence(words) if words is not None else fault.strerror or type(fault).__name__


def language(environment: Mapping[str, str] | None = None) -> Language:
    """SUDARE_LANGUAGE if it is set, else Japanese where the locale says so, else English."""
    environment = os.environ if environment is None else environment
    asked = _setting(environment) or next(filter(None, map(environment.get, LOCALE_NAMES)), "")
    return "ja" if asked == "ja" or asked.startswith(("ja_", "ja.")) else "en"


def must_be_spoken() -> None:
    """Raise InvalidSetting where SUDARE_LANGUAGE names a language that is not spoken."""
    # For commands that read no settings: those that do refuse it by themselves.
    asked = {name: text for name, text in os.environ.items() if name.startswith(f"{PREFIX}LANGUAGE")}
    Settings.read(asked)


def _setting(environment: Mapping[str, str]) -> str:
    try:
        return Settings.read(environment).language
    except InvalidSetting:
        # The refusal to be shown may be this very one: another setting that is wrong must not change its language.
        return environment.get(f"{PREFIX}LANGUAGE", "")
