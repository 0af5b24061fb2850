"""How a text file of a table is written. Reads nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a text file of records is written. Shift_JIS is read as Windows writes it (cp932)."""

    delimiter: str = ","
    encoding: str = "utf-8"

    @property
    def codec(self) -> str:
        """The codec's name in Python."""
        # Files that call themselves Shift_JIS come from Windows and have its further characters.
        return {"shift_jis": "cp932", "utf-8-sig": "utf-8"}.get(self.encoding, self.encoding)
