"""The limits of what is read and of what one registration may use."""

from dataclasses import dataclass

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
