"""Why a source cannot be registered, and the limits of what is read. No message ever holds a cell's text."""

from dataclasses import dataclass

from privacy.refusal import Refusal
from privacy.words import Words

MIB = 1 << 20
GIB = 1 << 30

LINE_BYTES_MAX = MIB
VALUE_BYTES_MAX = MIB
COLUMNS_MAX = 1_000
ROWS_MAX = 2**33
# Read whole into memory before anything in it can be trusted.
PARQUET_FOOTER_BYTES_MAX = 64 * MIB
PARQUET_EXPANSION_MAX = 100
PROBLEMS_SHOWN_MAX = 20


class ImportProblem(Refusal, ValueError):
    """The source is refused. `line` counts from 1 (in Parquet: rows); `column` is a declared name."""

    code = "import_problem"

    def __init__(self, message: Words, *, line: int | None = None, column: str | None = None) -> None:
        self.message, self.line, self.column = message, line, column
        super().__init__(_placed(self.message, line))


def _placed(message: Words, line: int | None) -> Words:
    """The message behind the line that it is about."""
    if line is None:
        return message
    return Words(ja=f"{line} 行目：{message.ja}", en=f"line {line}: {message.en}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one registration may use. `staging_bytes_max` 0 means 4 GiB and twenty times the source."""

    memory_mib: int = 1_000
    threads: int = 2
    staging_bytes_max: int = 0

    def staging_bytes(self, source_bytes: int) -> int:
        # Vault, coded rows, ranked rows and spill files together: each may be several times a compressed
        # source.
        return self.staging_bytes_max or 4 * GIB + 20 * source_bytes
