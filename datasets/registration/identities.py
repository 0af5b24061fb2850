"""Identities of registered versions: kept in their folders, and made from their vaults where none was kept yet.

All of one installation are made under one secret, which is drawn when it is first needed and stays: under another one
they could not be compared. It tells nobody who stands in a register, but whoever has it could try names.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import bindparam, select

from datasets.catalog import described
from datasets.database.inserts import insert_if_new
from datasets.database.store import Store, now
from datasets.database.tables import Base, InstallationSecretRow
from datasets.registration.ingest import (
    Identifier,
    ImportProblem,
    RegisterIdentity,
    read_identity,
    vault_of,
    write_identity,
)
from datasets.registration.overlap import RegisteredVersion

SECRET_NAME, SECRET_BYTES = "register identities", 32
SECRETS = Base.metadata.tables[InstallationSecretRow.__tablename__]
SECRET = select(SECRETS.c.secret).where(SECRETS.c.name == bindparam("name"))


def identity_secret(store: Store) -> bytes:
    """The installation's secret for identities; of two machines that draw one at once the second takes the first's."""
    name = {"name": SECRET_NAME}
    with store.reading() as connection:
        found = connection.execute(SECRET, name).scalar()
    if found is None:
        with store.writing() as tx:
            drawn = secrets.token_hex(SECRET_BYTES)
            insert_if_new(tx, SECRETS, {**name, "secret": drawn, "created_at": now()})
            found = tx.execute(SECRET, name).scalar_one()
    return bytes.fromhex(found)


@dataclass(frozen=True, slots=True)
class Identities:
    """The identities of the versions below a data directory, made under a secret."""

    data_dir: Path
    secret: bytes

    def kept(self, version: RegisteredVersion) -> RegisterIdentity | None:
        """What stands in the version's folder; None where nothing does that was made under this secret."""
        return read_identity(self.data_dir / version.folder, self.secret)

    def kept_or_made(self, identifier: Identifier) -> Callable[[RegisteredVersion], RegisterIdentity | None]:
        """Like `kept`, but where there is none it is made from the vault and kept; None where that is gone, too."""
        return lambda version: self.kept(version) or self._made(version, identifier)

    def _made(self, version: RegisteredVersion, identifier: Identifier) -> RegisterIdentity | None:
        folder, schema = self.data_dir / version.folder, described(version.descriptor).schema
        if not vault_of(folder).is_file():
            return None
        try:
            identity = identifier.identity(
                vault_of(folder), unit=schema.unit, rows_per_person=schema.rows_per_person
            )
        # A broken vault is as good as none: whoever compares with it must not take it for an empty one.
        except ImportProblem:
            return None
        write_identity(identity, folder)
        return identity
