"""The tables of the server's database: people, datasets, accounts, the journal and the answers.

Every invariant that SQL can state is a constraint here. Amounts are whole nano-ε, or nano-ρ where the dataset's
measure is zCDP, those of δ whole 10^-18; times are UTC text in ISO 8601, so that both databases order and return
them alike. Personal data never enters this database.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from datasets.database.closed_lists import (
    ACCOUNT_KINDS,
    CAPS,
    CHAINED,
    GRANT_CHANGES,
    GRANT_STATES,
    OUTCOMES,
    ROLES,
    STOPPED,
)

CLUSTERED = {"sqlite_with_rowid": False}  # one page to write instead of two
PAID = text("charge > 0 AND outcome = 'answered'")  # those that a repeated question may be answered with

# Migrations name constraints as these patterns do, so that the comparison of tables and migrations finds no
# difference.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The SQL text of a closed list."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class OrganisationRow(Base):
    """Whoever a user asks for: a business, a portal, the municipality itself."""

    __tablename__ = "organisations"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[str] = mapped_column(String(32))
    title_ja: Mapped[str | None] = mapped_column(Text)
    title_en: Mapped[str | None] = mapped_column(Text)


class UserRow(Base):
    """A caller. Only the digest of its API key is kept; `disabled_at` ends its access at once.

    `key_made_at` is when the key was made, NULL for those made before that was kept.
    """

    __tablename__ = "users"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.name"))
    role: Mapped[str] = mapped_column(String(16))
    # Unique, and hence indexed: authentication is one look-up by digest.
    key_digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[str] = mapped_column(String(32))
    disabled_at: Mapped[str | None] = mapped_column(String(32))
    key_made_at: Mapped[str | None] = mapped_column(String(32))
    __table_args__ = (CheckConstraint(one_of("role", ROLES), name="role"),)


class InstallationRow(Base):
    """This installation, made by chance with its database: the only row.

    `id` begins with `installation:` and names the chain of the journal that holds what belongs to no dataset (keys,
    stops …), of which `entries` counts the lines and `head` is the last one's. `secret_digest` is the digest of the
    settings' secret, under which keys are kept, since `secret_at`; NULL until a server or a command first has one.
    """

    __tablename__ = "installations"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[str] = mapped_column(String(32))
    entries: Mapped[int] = mapped_column(BigInteger)
    head: Mapped[str] = mapped_column(String(64))
    secret_digest: Mapped[str | None] = mapped_column(String(64))
    secret_at: Mapped[str | None] = mapped_column(String(32))


class StopRow(Base):
    """Who or what is stopped until somebody resumes it: a user, an organisation, or a dataset.

    The subject of a dataset is its lineage, so that every version, every name and every view of it is stopped; that of
    a view is the view's own name.
    """

    __tablename__ = "stops"
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    __table_args__ = (CheckConstraint(one_of("kind", STOPPED), name="kind"),)


class LeaseRow(Base):
    """A piece of work that waits for time, done by one process of all machines: `holder` has it until `until`.

    `ended_at` is when it last ended, `failure` the class of what it last failed with.
    """

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str | None] = mapped_column(String(64))
    until: Mapped[str | None] = mapped_column(String(32))
    ended_at: Mapped[str | None] = mapped_column(String(32))
    failure: Mapped[str | None] = mapped_column(String(64))


class LineageRow(Base):
    """What a lifetime cap belongs to: all versions and names of one body of data, for ever.

    `salt` (hex) keys the choice of rows within a person at registration. A population has a row too, whose id begins
    with `population:` and whose salt is empty, since it has no rows of its own. `population` is the name of the one
    that the lineage belongs to, NULL for none; once said it stays.
    """

    __tablename__ = "lineages"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    salt: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[str] = mapped_column(String(32))
    population: Mapped[str | None] = mapped_column(String(64))


class DatasetRow(Base):
    """A name under which a lineage is asked; `version` is the one that answers now.

    A view, which joins datasets, belongs to several lineages: here stands the first of them.
    """

    __tablename__ = "datasets"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    lineage: Mapped[str] = mapped_column(ForeignKey("lineages.id"))
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[str] = mapped_column(String(32))
    retired_at: Mapped[str | None] = mapped_column(String(32))


class ViewLineageRow(Base):
    """A lineage whose cap pays for every answer from a view, the first one too. Only views stand here."""

    __tablename__ = "view_lineages"
    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    lineage: Mapped[str] = mapped_column(ForeignKey("lineages.id"), primary_key=True)


class VersionRow(Base):
    """One registered import. `folder` is relative to the data directory; `descriptor` is the YAML text.

    `sources` is the JSON of {dataset: version} that a view was joined from, NULL where there is a source file;
    the descriptor of a view is kept with its columns' domains filled in, as they were then. `engine` names who
    computes exact integers from it. `sealed` is 1 where the statistics file says which version and descriptor it is
    of, 0 for those that were registered before files said so. `purged_at` is when its rows were destroyed, NULL while
    they are there.
    """

    __tablename__ = "versions"
    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    descriptor: Mapped[str] = mapped_column(Text)
    folder: Mapped[str] = mapped_column(String(255))
    # Indexed, since every registration asks whether the same source has a lifetime cap already.
    source_digest: Mapped[str] = mapped_column(String(64), index=True)
    registered_at: Mapped[str] = mapped_column(String(32))
    sources: Mapped[str | None] = mapped_column(Text)
    engine: Mapped[str] = mapped_column(String(16), server_default="duckdb")
    sealed: Mapped[int] = mapped_column(Integer, server_default="0")
    purged_at: Mapped[str | None] = mapped_column(String(32))


class InstallationSecretRow(Base):
    """A secret (hex) of this installation, made once when it is first needed and never changed.

    What is kept under one of them can only be compared with what is kept under the same one, so none is derived from
    the secret of the settings, which may be changed.
    """

    __tablename__ = "installation_secrets"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    secret: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[str] = mapped_column(String(32))


class AccountRow(Base):
    """A limit on what may be learnt: `spent` never passes `granted`, and NULL there is no limit.

    A dataset's account (holder = the lineage) is its lifetime cap over everybody. A population's (lineage and holder =
    `population:` and its name) is the cap over all registers of one body of people. Both carry the head of their
    own journal: `entries` counts its lines, `head` is the hash of the last one. They alone may hold δ. `population`, of
    a dataset's account alone, is the population's account that pays beside it: held here, too, since a charge that
    waited for this row sees it as it is, and every other row as it was.
    """

    __tablename__ = "accounts"
    lineage: Mapped[str] = mapped_column(ForeignKey("lineages.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64), primary_key=True)
    granted: Mapped[int | None] = mapped_column(BigInteger)
    spent: Mapped[int] = mapped_column(BigInteger, default=0)
    entries: Mapped[int] = mapped_column(BigInteger, default=0)
    head: Mapped[str] = mapped_column(String(64), default="")
    delta_granted: Mapped[int | None] = mapped_column(BigInteger, default=0, server_default="0")
    delta_spent: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    population: Mapped[str | None] = mapped_column(String(64))
    __table_args__ = (
        CheckConstraint(one_of("kind", ACCOUNT_KINDS), name="kind"),
        CheckConstraint("granted >= 0", name="granted"),
        # The last line of defence: a charge that no code refused fails here, and with it its transaction.
        CheckConstraint("spent >= 0 AND spent <= granted", name="spent"),
        CheckConstraint(
            f"delta_granted >= 0 AND ({one_of('kind', CHAINED)} OR coalesce(delta_granted, 1) = 0)",
            name="delta_granted",
        ),
        CheckConstraint("delta_spent >= 0 AND delta_spent <= delta_granted", name="delta_spent"),
        # A dataset without a cap would answer for ever.
        CheckConstraint("kind <> 'dataset' OR granted IS NOT NULL", name="dataset_has_a_cap"),
    )


class JournalRow(Base):
    """A line of a lineage's journal: append-only, each `head` = SHA-256(previous head ‖ digest of `body`)."""

    __tablename__ = "journal"
    lineage: Mapped[str] = mapped_column(String(64), primary_key=True)
    # Counted by the dataset's account, not by the database: a gap would look like a line that was taken out.
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    # SQLite checks no length and changes no column's type, so its files keep the length they were made with.
    kind: Mapped[str] = mapped_column(String(32).with_variant(String(16), "sqlite"))
    user: Mapped[str | None] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(Text)
    head: Mapped[str] = mapped_column(String(64))
    __table_args__ = (CLUSTERED,)


class AnswerTableRow(Base):
    """The table of an answer (columns, rows …), kept once however often it is given."""

    __tablename__ = "answer_tables"
    lineage: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    # Not clustered: SQLite would read the tables of answers that it passes on its way to another.
    content: Mapped[bytes] = mapped_column(LargeBinary)


class AnswerRow(Base):
    """What was answered, kept for the life of the dataset: a retry and a repeated question read it again.

    The JSON answer is `envelope` (id, dataset, charge …), the `balances` after the charge put into it, and the table
    of `table_digest`. `balances` is the JSON list of what each account of the envelope had left, null for one without
    a limit; NULL where the envelope, written by an earlier version, holds them itself. `prices` is the JSON of
    {canonical statistic: nano-ε}; `request_digest` tells whether a retry asks the same; `entry` is the line of the
    lineage's journal that charged for it.
    """

    __tablename__ = "answers"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"))
    idempotency_key: Mapped[str] = mapped_column(String(255))
    request_digest: Mapped[str] = mapped_column(String(64))
    dataset: Mapped[str] = mapped_column(String(64))
    lineage: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(Integer)
    entry: Mapped[int] = mapped_column(BigInteger)
    fingerprint: Mapped[str] = mapped_column(String(80))
    charge: Mapped[int] = mapped_column(BigInteger)
    dataset_charge: Mapped[int] = mapped_column(BigInteger)
    prices: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(16))
    asked_at: Mapped[str] = mapped_column(String(32))
    question: Mapped[str] = mapped_column(Text)
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    table_digest: Mapped[str] = mapped_column(String(64))
    balances: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (
        # Two machines that answer the same request at once meet here: one of them loses and reads the other's
        # answer.
        UniqueConstraint("user", "idempotency_key"),
        CheckConstraint(one_of("outcome", OUTCOMES), name="outcome"),
        CheckConstraint("dataset_charge >= 0 AND dataset_charge <= charge", name="charge"),
        ForeignKeyConstraint(["dataset", "version"], ["versions.dataset", "versions.number"]),
        ForeignKeyConstraint(["lineage", "table_digest"], ["answer_tables.lineage", "answer_tables.digest"]),
        Index(
            "ix_answers_paid",
            "lineage",
            "version",
            "fingerprint",
            postgresql_where=PAID,
            sqlite_where=PAID,
        ),
        # For the pages of a user's own history, newest first.
        Index(None, "user", "id"),
    )


class GrantRow(Base):
    """A change of what an account may spend, with its reason and the people who answer for it.

    More of a cap over everybody takes two people; whoever asked for it may only take it back. Less takes one.
    """

    __tablename__ = "grants"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    lineage: Mapped[str] = mapped_column(ForeignKey("lineages.id"))
    kind: Mapped[str] = mapped_column(String(16))
    holder: Mapped[str] = mapped_column(String(64))
    amount: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    requested_by: Mapped[str] = mapped_column(String(64))
    decided_by: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[str] = mapped_column(String(32))
    change: Mapped[str] = mapped_column(String(8), server_default="raise")
    decision_reason: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (
        CheckConstraint(one_of("kind", ACCOUNT_KINDS), name="kind"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(one_of("state", GRANT_STATES), name="state"),
        CheckConstraint(one_of("change", GRANT_CHANGES), name="change"),
        CheckConstraint("state <> 'effective' OR decided_by <> requested_by", name="another_person"),
        CheckConstraint(
            f"change = 'lower' OR NOT {one_of('kind', CAPS)} OR state <> 'effective' OR decided_by IS NOT NULL",
            name="two_people",
        ),
    )
