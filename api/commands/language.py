"""The language of the command line, and a refusal in it. Refuses no environment: what it cannot read is English."""

import os
from collections.abc import Mapping

from api.settings import PREFIX, InvalidSetting, Settings
from privacy.refusal import Refusal
from privacy.words import Language, Words

LOCALE_NAMES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The first of these that is set decides, as POSIX has it."""


def sentence(words: Words) -> str:
    """A sentence in the operator's language."""
    return words.within(language())


def refusal_text(refusal: Refusal) -> str:
    """A refusal as a sentence for the operator."""
    return sentence(refusal.message())


def language(environment: Mapping[str, str] | None = None) -> Language:
    """SUDARE_LANGUAGE if it is set, else Japanese where the locale says so, else English."""
    environment = os.environ if environment is None else environment
    asked = _setting(environment) or next(filter(None, map(environment.get, LOCALE_NAMES)), "")
    return "ja" if asked == "ja" or asked.startswith(("ja_", "ja.")) else "en"


def must_be_spoken() -> None:
    """Raise InvalidSetting where SUDARE_LANGUAGE names a language that is not spoken; also for what reads no settings."""
    asked = {name: text for name, text in os.environ.items() if name.startswith(f"{PREFIX}LANGUAGE")}
    Settings.read(asked)


def _setting(environment: Mapping[str, str]) -> str:
    try:
        return Settings.read(environment).language
    except InvalidSetting:
        # The refusal to be shown may be this very one: another setting that is wrong must not change its language.
        return environment.get(f"{PREFIX}LANGUAGE", "")
