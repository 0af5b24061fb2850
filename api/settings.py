"""The server's settings, read once from the environment. An unknown SUDARE_ name stops the start."""

import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from privacy.refusal import Refusal
from privacy.words import LANGUAGES, Words

PREFIX = "SUDARE_"
NO_SETTINGS = (f"{PREFIX}KEY",)
"""Names of the environment that no setting has: an API key, which is a person's and no server's."""
SECRET_LENGTH_MIN = 32
LOG_LEVELS = ("debug", "info", "warning", "error")
UNIX = "unix"
SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_BIND = re.compile(r"(?:[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\])?:([0-9]{1,5})", re.ASCII)
_RATE = re.compile(rf"([0-9]{{1,9}}) per ({'|'.join(SECONDS)})", re.ASCII)
_HOST = r"(?:[0-9a-z](?:[0-9a-z-]*[0-9a-z])?(?:\.[0-9a-z](?:[0-9a-z-]*[0-9a-z])?)*|\[[0-9a-f:.]+\])"
_PREFIX = r"(?:/(?!\.{1,2}(?:/|$))[0-9A-Za-z._~-]+)*"
_PUBLIC_URL = re.compile(rf"(https?)://({_HOST}(?::([0-9]{{1,5}}))?)({_PREFIX})/?", re.ASCII)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class InvalidSetting(Refusal, ValueError):
    """A setting is unknown or cannot be read. Never quotes a secret."""

    code = "invalid_setting"


def _unknown(name: str) -> InvalidSetting:
    return InvalidSetting(
        Words(
            ja=f"{name} という設定はありません。設定は docs/settings.ja.md にあります",
            en=f"{name} is not a setting; docs/settings.md lists them all",
        )
    )


def _given_twice(name: str) -> InvalidSetting:
    return InvalidSetting(
        Words(
            ja=f"{name} が値とファイルの両方で指定されています",
            en=f"{name} is given twice, as a value and as a file",
        )
    )


def _not_one_of(name: str, choices: tuple[str, ...]) -> InvalidSetting:
    return InvalidSetting(
        Words(
            ja=f"{name} は {'、'.join(choices)} のいずれかです",
            en=f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}",
        )
    )


def _not_within(name: str, low: int, high: int) -> InvalidSetting:
    return InvalidSetting(
        Words(ja=f"{name} は {low}〜{high} で指定してください", en=f"{name} must be {low} to {high}")
    )


def _too_short(name: str) -> InvalidSetting:
    return InvalidSetting(
        Words(
            ja=f"{name} は {SECRET_LENGTH_MIN} 文字以上でなければなりません",
            en=f"{name} must have at least {SECRET_LENGTH_MIN} characters",
        )
    )


SAME_SECRETS = Words(
    ja=f"{PREFIX}SECRET_KEY と {PREFIX}SECRET_KEY_PREVIOUS が同じ値です",
    en=f"{PREFIX}SECRET_KEY and {PREFIX}SECRET_KEY_PREVIOUS are the same",
)
NO_SECRET = Words(
    ja=f"PostgreSQL を使うときは {PREFIX}SECRET_KEY または {PREFIX}SECRET_KEY_FILE が必要です。"
    "このデータベースを使うすべてのサーバーで同じ値を指定してください",
    en=f"with PostgreSQL {PREFIX}SECRET_KEY or {PREFIX}SECRET_KEY_FILE is needed, the same for every server that "
    "uses the database",
)
SECRET_IN_A_FILE = Words(
    ja=f"{NO_SECRET.ja}。これまでのシークレットは {PREFIX}SECRET_KEY_FILE={{file}} と指定すれば引き続き使えます",
    en=f"{NO_SECRET.en}; the one that was used so far is handed over by {PREFIX}SECRET_KEY_FILE={{file}}",
)


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: int

    @classmethod
    def read(cls, text: str) -> "Rate":
        """Read "60000 per minute"."""
        matched = _RATE.fullmatch(text)
        if matched is None or int(matched[1]) == 0:
            raise InvalidSetting(
                Words(
                    ja=f"{PREFIX}RATE_LIMIT は 60000 per minute のように指定してください（second、hour、day も可）",
                    en=f"{PREFIX}RATE_LIMIT must read like 60000 per minute (second, hour, day)",
                )
            )
        return cls(int(matched[1]), SECONDS[matched[2]])


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicUrl:
    """Under which address the public reaches the server: `https` or `http`, host with port, path without a last `/`."""

    scheme: str
    host: str
    prefix: str

    @classmethod
    def read(cls, text: str) -> "PublicUrl | None":
        """Read "https://stat.example.jp/sudare"; None for nothing."""
        if not text:
            return None
        matched = _PUBLIC_URL.fullmatch(text)
        if matched is None or not _is_host(matched[2]) or not 0 < int(matched[3] or 1) < 1 << 16:
            raise InvalidSetting(
                Words(
                    ja=f"{PREFIX}PUBLIC_URL は https://stat.example.jp または https://www.example.jp/stat のように"
                    "指定してください（ホスト名は小文字、ユーザー名、? や # は不可）",
                    en=f"{PREFIX}PUBLIC_URL must read like https://stat.example.jp or https://www.example.jp/stat "
                    "(a host in lower case, no user, no ? and no #)",
                )
            )
        return cls(scheme=matched[1], host=matched[2], prefix=matched[4])

    def address(self, path: str) -> str:
        """The address of a path of ours, which begins with `/`."""
        return f"{self.scheme}://{self.host}{self.prefix}{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedProxies:
    """Of whom forwarding headers are believed: networks, and whoever connects through the unix socket."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    @classmethod
    def read(cls, text: str) -> "TrustedProxies":
        """Read "127.0.0.1, 10.0.0.0/24, unix"; nothing trusts nobody."""
        given = [part.strip() for part in text.split(",")] if text.strip() else []
        try:
            networks = tuple(ipaddress.ip_network(part) for part in given if part != UNIX)
        except ValueError:
            raise InvalidSetting(
                Words(
                    ja=f"{PREFIX}TRUSTED_PROXIES は 127.0.0.1, 10.0.0.0/24, unix のように"
                    "アドレス、ネットワークまたは unix をカンマで区切って指定してください（名前は不可）",
                    en=f"{PREFIX}TRUSTED_PROXIES must read like 127.0.0.1, 10.0.0.0/24, unix: addresses, networks "
                    "without host bits, or unix, separated by commas (no names)",
                )
            ) from None
        return cls(networks=networks, unix=UNIX in given)

    def trust(self, address: str) -> bool:
        """Whether headers of this peer are believed; a peer of the unix socket has the address ""."""
        if not address:
            return self.unix
        known = ip_address_or_none(address)
        return known is not None and any(known in network for network in self.networks)


def ip_address_or_none(text: str) -> Address | None:
    """An address as it is written in headers; None for anything else. IPv4 within IPv6 is IPv4."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _is_host(host: str) -> bool:
    """Whether what stands in brackets is an IPv6 address, where there are brackets."""
    inside = host.rpartition("]")[0].removeprefix("[")
    return not host.startswith("[") or ip_address_or_none(inside) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its default; docs/settings.md explains each."""

    database_url: str = "sqlite:///var/sudare.db"
    data_dir: Path = Path("var/data")
    bind: str = "127.0.0.1:8000"
    workers: int = 2
    threads: int = 4
    secret_key: str = ""
    secret_key_previous: str = ""
    response_quantum_ms: int = 100
    log_level: str = "info"
    query_timeout_s: int = 60
    planning_work_max: int = 1_000_000
    rate_limit: str = "60000 per minute"
    language: str = ""
    public_url: str = ""
    trusted_proxies: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; `NAME_FILE` reads the value of NAME from a file."""
        environment = os.environ if environment is None else environment
        known = {field.name: field for field in fields(cls)}
        values: dict[str, object] = {}
        for name, text in environment.items():
            if not name.startswith(PREFIX) or name in NO_SETTINGS:
                continue
            key = name.removeprefix(PREFIX).lower()
            # Secrets of containers come as files: an environment is handed on to every process that is started.
            if key.endswith("_file") and key.removesuffix("_file") in known:
                key, text = key.removesuffix("_file"), _content(name, text)
            if key not in known:
                # Never passed over: a mistyped limit would leave the default in force and nobody would see it.
                raise _unknown(name)
            if key in values:
                raise _given_twice(f"{PREFIX}{key.upper()}")
            values[key] = _convert(name, text, type(getattr(cls(), key)))
        return cls(**values)._checked()  # type: ignore[arg-type]

    def _checked(self) -> "Settings":
        for name in ("workers", "threads", "query_timeout_s"):
            if not 1 <= getattr(self, name) <= 1_000:
                raise _not_within(f"{PREFIX}{name.upper()}", 1, 1_000)
        Rate.read(self.rate_limit)
        PublicUrl.read(self.public_url)
        TrustedProxies.read(self.trusted_proxies)
        if not _is_bindable(self.bind):
            raise InvalidSetting(
                Words(
                    ja=f"{PREFIX}BIND は 127.0.0.1:8000 または unix:/run/sudare.sock のように指定してください",
                    en=f"{PREFIX}BIND must read like 127.0.0.1:8000 or unix:/run/sudare.sock",
                )
            )
        # Without a quantum an answer's time tells what noise hides; only tests, which read no environment, go without.
        if not 1 <= self.response_quantum_ms <= 60_000:
            raise _not_within(f"{PREFIX}RESPONSE_QUANTUM_MS", 1, 60_000)
        if not 1_000 <= self.planning_work_max <= 100_000_000:
            raise _not_within(f"{PREFIX}PLANNING_WORK_MAX", 1_000, 100_000_000)
        if self.log_level not in LOG_LEVELS:
            raise _not_one_of(f"{PREFIX}LOG_LEVEL", LOG_LEVELS)
        if self.language and self.language not in LANGUAGES:
            raise _not_one_of(f"{PREFIX}LANGUAGE", LANGUAGES)
        for name in ("secret_key", "secret_key_previous"):
            given = getattr(self, name)
            if given and len(given) < SECRET_LENGTH_MIN:
                raise _too_short(f"{PREFIX}{name.upper()}")
        if self.secret_key and self.secret_key == self.secret_key_previous:
            raise InvalidSetting(SAME_SECRETS)
        return self

    @property
    def secret_file(self) -> Path:
        """Where a secret is kept that was made and not given."""
        return self.data_dir / "secret.key"

    def must_name_secret(self) -> None:
        """Raise InvalidSetting where a secret has to be given, and is not."""
        # Several machines may use the database, and each would make one beside its own data.
        if not self.secret_key and not self.database_url.startswith("sqlite"):
            words = SECRET_IN_A_FILE if self.secret_file.exists() else NO_SECRET
            raise InvalidSetting(words.filled(file=self.secret_file.absolute()))

    @property
    def has_secret(self) -> bool:
        """Whether the secret is given or was made by now."""
        return bool(self.secret_key) or self.secret_file.exists()

    def secret(self) -> bytes:
        """The key that protects stored digests: the setting, or a file made once beside the data."""
        self.must_name_secret()
        if self.secret_key:
            return self.secret_key.encode()
        if not self.has_secret:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            _write_once(self.secret_file, secrets.token_hex(32))
        found = _content(str(self.secret_file), str(self.secret_file))
        if len(found) < SECRET_LENGTH_MIN:
            raise _too_short(str(self.secret_file))
        return found.encode()

    def previous_secret(self) -> bytes | None:
        """The secret before this one, while keys that were made under it still work."""
        return self.secret_key_previous.encode() or None


def _is_bindable(bind: str) -> bool:
    """Whether gunicorn can listen there at all: a host and a port, or a socket's path."""
    # Looked at here, since gunicorn tries a host that does not exist again and again without an end.
    matched = _BIND.fullmatch(bind)
    return bind.startswith("unix:/") or (matched is not None and 0 < int(matched[1]) < 1 << 16)


def _write_once(file: Path, text: str) -> None:
    """Create a file that only its owner reads; the first of two writers wins, and none is half-written."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
        # On disk before it has its name: a key lost in a power cut makes every digest made with it useless.
        opened.flush()
        os.fsync(opened.fileno())
    try:
        # A link fails where the name is taken; a rename would replace the key that a first writer uses already.
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        words = Words(ja=f"{name}: ファイルを読めません", en=f"{name}: the file cannot be read")
        raise InvalidSetting(words) from fault


def _convert(name: str, text: str, kind: type) -> object:
    if kind is int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise InvalidSetting(
                Words(ja=f"{name} は整数で指定してください", en=f"{name} must be a whole number")
            )
        return int(text)
    return Path(text) if issubclass(kind, Path) else text
