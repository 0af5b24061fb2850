"""The settlement's own SQL, whole: what others wait for while it runs goes to the driver without a layer between.

SQLite lets one writer work at a time, so a settlement there is a few statements in a row. On PostgreSQL it is
one statement, which is a transaction by itself: it locks the payers' rows in the order in which they are handed over,
looks whether all of them can pay, and only then debits, links the chains and keeps lines, table and answer. If one
cannot pay it returns no row and has changed nothing.
"""

from privacy.budget import PRICE_NANO_MAX

DELTA_ATTO_MAX = 10**18

# The head is hashed in the statement that locks the row: a head that was read before could be outdated by then.
# A register's population pays wherever the register does, also where it joined after the payers were named.
# `sha256_hex` is the function that `store` gives to SQLite. A payer without a line (digest NULL) carries no chain.
# Payers that are stopped, and all those of a view that is, pay nothing: stopping is a transaction before or after.
# Who cannot pay is not among the rows that come back; the transaction then ends without a commit.
DEBIT_SQLITE = f"""
    UPDATE accounts SET
        spent = accounts.spent + payer.charge,
        delta_spent = accounts.delta_spent + payer.delta,
        entries = accounts.entries + (payer.digest IS NOT NULL),
        head = CASE WHEN payer.digest IS NULL THEN accounts.head ELSE sha256_hex(accounts.head || payer.digest) END
    FROM (
        SELECT json_extract(value, '$[0]') AS lineage, json_extract(value, '$[1]') AS kind,
            json_extract(value, '$[2]') AS holder, json_extract(value, '$[3]') AS charge,
            json_extract(value, '$[4]') AS delta, json_extract(value, '$[5]') AS digest
        FROM json_each(:payers)
    ) AS payer
    WHERE accounts.lineage = payer.lineage AND accounts.kind = payer.kind AND accounts.holder = payer.holder
        AND accounts.spent + payer.charge <= coalesce(accounts.granted, {PRICE_NANO_MAX})
        AND accounts.delta_spent + payer.delta <= coalesce(accounts.delta_granted, {DELTA_ATTO_MAX})
        AND (
            accounts.population IS NULL
            OR accounts.population IN (SELECT json_extract(value, '$[0]') FROM json_each(:payers))
        )
        AND NOT EXISTS (
            SELECT 1 FROM stops
            WHERE stops.kind = payer.kind AND stops.subject = payer.holder
                OR stops.kind = 'dataset' AND stops.subject = :dataset
        )
    RETURNING lineage, kind, holder, granted - spent, entries, head
"""
KEEP_TABLE_SQLITE = """
    INSERT INTO answer_tables (lineage, digest, content) VALUES (:lineage, :table_digest, :content)
    ON CONFLICT DO NOTHING
"""
KEEP_LINE_SQLITE = """
    INSERT INTO journal (lineage, number, at, kind, "user", body, head)
    VALUES (:lineage, :number, :at, :kind, :user, :body, :head)
"""
ANSWER_COLUMNS = """id, "user", idempotency_key, request_digest, dataset, lineage, version, entry, fingerprint, charge,
        dataset_charge, prices, outcome, asked_at, question, envelope, table_digest, balances"""
KEEP_ANSWER_SQLITE = f"""
    INSERT INTO answers ({ANSWER_COLUMNS})
    VALUES (:id, :user, :idempotency_key, :request_digest, :dataset, :lineage, :version, :entry, :fingerprint, :charge,
        :dataset_charge, :prices, :outcome, :asked_at, :question, :envelope, :table_digest, :balances)
"""

# `payer` is the list of payers in the order in which they are locked; LockRows stands above the sort in the plan, so
# `locked` takes the rows in that order, waits where it must, and sees each row as it is once it holds it. `fits` reads
# all of `locked` before any row changes; what it says still holds for the debit, since nobody else can change them.
# `stopped` is read FOR SHARE for the table's lock, not for a row's: whoever stops something takes a lock that waits
# for those of all settlements underway, and those that come after begin only once they can see the stop.
SETTLE_POSTGRESQL = f"""
    WITH payer AS (
        SELECT * FROM unnest(
            %(lineages)s::text[], %(kinds)s::text[], %(holders)s::text[], %(charges)s::bigint[], %(deltas)s::bigint[],
            %(bodies)s::text[], %(digests)s::text[], %(line_kinds)s::text[]
        ) WITH ORDINALITY
            AS payer (lineage, kind, holder, charge, delta, body, digest, line_kind, place)
    ), locked AS (
        SELECT payer.*, account.granted, account.spent, account.delta_granted, account.delta_spent,
            account.population
        FROM payer JOIN accounts AS account
            ON account.lineage = payer.lineage AND account.kind = payer.kind AND account.holder = payer.holder
        ORDER BY payer.place
        FOR UPDATE OF account
    ), stopped AS (
        SELECT subject FROM stops
        WHERE (kind, subject) IN (SELECT kind, holder FROM payer) OR kind = 'dataset' AND subject = %(dataset)s::text
        FOR SHARE
    ), fits AS (
        SELECT count(*) = %(payers)s::bigint AND bool_and(
            spent + charge <= coalesce(granted, {PRICE_NANO_MAX})
            AND delta_spent + delta <= coalesce(delta_granted, {DELTA_ATTO_MAX})
            AND (population IS NULL OR population = ANY (%(lineages)s::text[]))
        ) AND NOT EXISTS (SELECT 1 FROM stopped) AS all_pay
        FROM locked
    ), paid AS (
        UPDATE accounts SET
            spent = accounts.spent + locked.charge,
            delta_spent = accounts.delta_spent + locked.delta,
            entries = accounts.entries + CASE WHEN locked.digest IS NULL THEN 0 ELSE 1 END,
            head = CASE
                WHEN locked.digest IS NULL THEN accounts.head
                ELSE encode(sha256(convert_to(accounts.head || locked.digest, 'UTF8')), 'hex')
            END
        FROM locked, fits
        WHERE fits.all_pay AND accounts.lineage = locked.lineage AND accounts.kind = locked.kind
            AND accounts.holder = locked.holder
        RETURNING locked.place, locked.lineage, locked.line_kind, locked.body,
            accounts.granted - accounts.spent AS remaining, accounts.entries, accounts.head
    ), line AS (
        INSERT INTO journal (lineage, number, at, kind, "user", body, head)
        SELECT lineage, entries, %(asked_at)s::text, line_kind, %(user)s::text, body, head
        FROM paid WHERE body IS NOT NULL
    ), kept AS (
        INSERT INTO answer_tables (lineage, digest, content)
        SELECT %(lineage)s::text, %(table_digest)s::text, %(content)s::bytea FROM fits WHERE all_pay
        ON CONFLICT DO NOTHING
    ), answer AS (
        INSERT INTO answers ({ANSWER_COLUMNS})
        SELECT %(id)s::text, %(user)s::text, %(idempotency_key)s::text, %(request_digest)s::text, %(dataset)s::text,
            %(lineage)s::text, %(version)s::integer,
            (SELECT entries FROM paid WHERE lineage = %(lineage)s::text AND body IS NOT NULL),
            %(fingerprint)s::text, %(charge)s::bigint, %(dataset_charge)s::bigint, %(prices)s::text,
            %(outcome)s::text, %(asked_at)s::text, %(question)s::text, %(envelope)s::bytea, %(table_digest)s::text,
            (SELECT '[' || string_agg(coalesce(remaining::text, 'null'), ', ' ORDER BY place) || ']' FROM paid)
        FROM fits WHERE all_pay
    )
    SELECT remaining, entries, head FROM paid ORDER BY place
"""
