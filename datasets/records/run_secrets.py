"""What must not leave with the record set (加工の方法に関する情報): seed, key of the evidence, figures from the data.

It lies in a folder that only its owner reads. The key of pseudonyms is never written here: it is kept apart by
whoever gave it, or destroyed when the run ends.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets.records import write as writing
from datasets.records.folder import FOLDER_MODE
from datasets.records.plan.plan import ProcessingPlan
from datasets.records.prepare import Prepared, seed_of
from privacy.deidentify.errors import DeidentifyError
from privacy.words import Words

FOLDER = "restricted"
KEY_BYTES_MIN = 32
SEED_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The seed of all draws and the keys of one run. `seed_text` is the seed as the plan or the draw gave it."""

    seed: bytes = field(repr=False)
    seed_text: str = field(repr=False)
    seed_given: bool
    pseudonyms: bytes = field(repr=False)
    key_given: bool
    evidence: bytes = field(repr=False)

    @classmethod
    def drawn(cls, plan: ProcessingPlan, *, key: bytes | None, source_sha256: str) -> "Secrets":
        """The plan's seed and the caller's key; whatever is missing is drawn."""
        # A short key could be found by trying, and with it every pseudonym.
        if key is not None and len(key) < KEY_BYTES_MIN:
            raise DeidentifyError(
                Words(
                    ja=f"鍵ファイルは {len(key)} バイトです。{KEY_BYTES_MIN} バイト以上必要です",
                    en=f"the key file has {len(key)} bytes and needs at least {KEY_BYTES_MIN}",
                )
            )
        seed_text = secrets.token_hex(SEED_BYTES) if plan.seed is None else plan.seed
        return cls(
            seed=seed_of(plan, seed=seed_text.encode(), source_sha256=source_sha256),
            seed_text=seed_text,
            seed_given=plan.seed is not None,
            pseudonyms=key if key is not None else secrets.token_bytes(KEY_BYTES_MIN),
            key_given=key is not None,
            # Never derived from the others: whoever verifies evidence gets this key and must learn no seed
            # from it.
            evidence=secrets.token_bytes(KEY_BYTES_MIN),
        )


def write(folder: Path, plan: ProcessingPlan, own: Secrets, prepared: Prepared, report: Any) -> None:
    """The restricted folder of a run."""
    inside = folder / FOLDER
    inside.mkdir(mode=FOLDER_MODE)
    writing.private(inside / "seed.json", _json({"seed": own.seed_text, "drawn": not own.seed_given}))
    writing.private(inside / "evidence.key", own.evidence)
    writing.private(inside / "method.json", _json(_method(plan, prepared, report)))


def _method(plan: ProcessingPlan, prepared: Prepared, report: Any) -> dict[str, Any]:
    return {
        "plan": json.loads(plan.canonical)[0],
        "operations": [
            {"attribute": done.column, "operation": done.operation, **dict(done.restricted)}
            for done in prepared.applied
            # Only operations with figures that would help to undo them.
            if done.restricted
        ],
        "levels": report.body.get("levels"),
        "hashes": report.body["hashes"],
    }


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()
