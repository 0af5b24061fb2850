"""What is refused about people. Quotes names that the caller gave, never a key.

PeopleError (Refusal)
├── UnknownKey          no enabled user has this key, or it is no key at all
├── InvalidName         not [a-z][a-z0-9-]{0,62}
├── InvalidRole         not in the closed list of roles
├── InvalidTitle        empty, too long, or with characters that cannot be shown
├── AlreadyThere        the name is taken
├── NoSuchUser          nobody has this name
├── UserDisabled        the user is disabled, so it gets no new key
├── NotDisabled         the user has its access, so there is none to give back
└── NoSuchOrganisation  no organisation has this name
"""

from privacy.refusal import Refusal
from privacy.words import Words


class PeopleError(Refusal):
    """Something about people that is refused."""


# One error for a wrong, an old and a disabled user's key: the caller must not learn which.
class UnknownKey(PeopleError):
    """No enabled user has this key. Never says more: a caller learns nothing about who exists."""

    code = "unknown_key"
    # The name is not part of it: the caller has shown a key, and no name yet.
    words = Words(ja="有効な API キーではありません", en="no enabled user has this key")


class InvalidName(PeopleError):
    """A name is a lower case letter, then up to 62 lower case letters, digits or hyphens."""

    code = "invalid_name"
    words = Words(
        ja="名前は英小文字で始まる、英小文字・数字・ハイフンの 63 文字以内でなければなりません",
        en="a name is a lower case letter, then up to 62 lower case letters, digits or hyphens",
    )


class InvalidRole(PeopleError):
    """There is no such role."""

    code = "invalid_role"
    words = Words(ja="そのような役割はありません", en="there is no such role")


class InvalidTitle(PeopleError):
    """A display name is a line of 1 to 100 characters that can be shown."""

    code = "invalid_title"
    words = Words(
        ja="表示名は 1〜100 文字で、前後の空白、改行その他の制御文字、目に見えない文字を含めることはできません",
        en="a display name has 1 to 100 characters, no spaces around it, and no control or invisible characters",
    )


class WrongSecret(PeopleError):
    """Keys are kept under another secret than this one: every key would be unknown."""

    code = "wrong_secret"
    words = Words(
        ja="シークレットが、このデータベースの API キーに使われているものと異なります。すべてのサーバーで同じ "
        "SUDARE_SECRET_KEY（または SUDARE_SECRET_KEY_FILE）を指定してください。シークレットを替えるときは、以前の値を "
        "SUDARE_SECRET_KEY_PREVIOUS に指定します。以前の値が失われた場合は sudare init --new-secret を実行し、"
        "全員の API キーを発行し直してください",
        en="the secret is not the one that this database's keys are kept under: give every server the same "
        "SUDARE_SECRET_KEY (or SUDARE_SECRET_KEY_FILE). To change the secret, name the one before in "
        "SUDARE_SECRET_KEY_PREVIOUS. If that is lost, run `sudare init --new-secret` and rotate everybody's key",
    )


class SecretLost(PeopleError):
    """Nothing has the secret that keys are kept under, and a new one would end them all."""

    code = "secret_lost"

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file

    words = Words(
        ja="{file} がありませんが、データベースにはこのシークレットを前提とする記録があります。バックアップから戻すか、"
        "SUDARE_SECRET_KEY で指定してください。失われた場合は sudare init --new-secret を実行し、"
        "全員の API キーを発行し直してください",
        en="{file} is missing, and the database has keys that depend on it: put it back from a backup, or give the "
        "secret as SUDARE_SECRET_KEY. If it is lost, run `sudare init --new-secret` and rotate everybody's key",
    )


# Templates fill their places from attributes, hence the name is kept as one.
class _Named(PeopleError):
    """A refusal about one name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class AlreadyThere(_Named):
    """The name is taken."""

    code = "already_there"
    words = Words(ja="{name} はすでに使われています", en="{name} exists already")


class NoSuchUser(_Named):
    """Nobody has this name."""

    code = "no_such_user"
    words = Words(ja="利用者 {name} はいません", en="no user {name}")


class NoSuchOrganisation(_Named):
    """No organisation has this name."""

    code = "no_such_organisation"
    words = Words(ja="組織 {name} はありません", en="no organisation {name}")


class UserDisabled(_Named):
    """The user is disabled: a new key would give it no access."""

    code = "user_disabled"
    words = Words(
        ja="利用者 {name} は無効化されています。アクセスを戻すには sudare user enable {name} を実行してください"
        "（新しい API キーが発行されます）",
        en="user {name} is disabled: `sudare user enable {name}` gives its access back, with a new key",
    )


class NotDisabled(_Named):
    """The user has its access: there is none to give back."""

    code = "user_not_disabled"
    words = Words(
        ja="利用者 {name} は無効化されていません。新しい API キーは sudare user rotate {name} で発行できます",
        en="user {name} is not disabled; `sudare user rotate {name}` gives it a new key",
    )
