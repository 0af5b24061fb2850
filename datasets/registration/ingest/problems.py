"""Why a source cannot be registered, and the limits of what is read. No message ever holds a cell's text."""

from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30

LINE_BYTES_MAX = MIB
VALUE_BYTES_MAX = MIB
COLUMNS_MAX = 1_000
ROWS_MAX = 2**33
PARQUET_FOOTER_BYTES_MAX = 64 * MIB
PARQUET_EXPANSION_MAX = 100
PROBLEMS_SHOWN_MAX = 20


class ImportProblem(ValueError):
    """The source is refused. `line` counts from 1 (in Parquet: rows); `column` is a declared name."""

    def __init__(self, message: str, *, line: int | None = None, column: str | None = None) -> None:
        self.message, self.line, self.column = message, line, column
        where = "" if line is None else f"line {line}: "
        super().__init__(where + message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one registration may use. `staging_bytes_max` 0 means 4 GiB and twenty times the source."""

    memory_mib: int = 1_000
    threads: int = 2
    staging_bytes_max: int = 0

    def staging_bytes(self, source_bytes: int) -> int:
        return self.staging_bytes_max or 4 * GIB + 20 * source_bytes
