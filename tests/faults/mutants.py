"""Planted faults, and the few tests that must notice each.

A fault is an edit of one file: `old` stands there exactly once and becomes `new`.
"""

from dataclasses import dataclass

ANSWER, DESK, ENGINE = "tests/unit/test_answer.py", "tests/unit/test_desk.py", "tests/store/test_engine.py"
FIT = "tests/statistical/test_distribution.py"
PLAN, NOISE = "tests/unit/test_plan.py", "tests/unit/test_noise.py"
SENSITIVITY = f"{PLAN}::test_sensitivity_is_what_the_most_extreme_person_moves_and_no_more"
CLAMPED = f"{ENGINE}::test_values_outside_a_clamp_count_as_its_ends_and_missing_ones_not_at_all"
VIEWS, OVER_HTTP = "tests/store/test_ledger_views.py", "tests/http/test_views_and_measures.py"
RACED = f"{DESK}::test_a_charge_that_no_longer_fits_when_it_is_settled_is_refused"
FITS = f"{FIT}::test_noise_of_few_cells_is_of_the_same_kind"


@dataclass(frozen=True)
class Mutant:
    """One planted fault. `tests` are node ids; at least one of them must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    # Noise
    Mutant(
        "noise of half the scale",
        "privacy/noise.py",
        """        measurement = _measurement(calibrate(sensitivity, price))
        assert _cost(measurement, sensitivity) <= Fraction(price.nano, NANO), "the noise is too small"
""",
        """        measurement = _measurement(calibrate(sensitivity, price) / 2)
""",
        (FITS,),
    ),
    Mutant(
        "noise of half the scale where cells are many",
        "privacy/noise.py",
        "            return np.concatenate([np.array(part, dtype=np.int64) for part in noisy])",
        "            return (np.concatenate([np.array(part, dtype=np.int64) for part in noisy]) + exact) // 2",
        (f"{FIT}::test_noise_fits_its_scale_and_none_a_tenth_smaller_or_larger[1-0.3]",),
    ),
    Mutant(
        "noise that is never checked",
        "privacy/noise.py",
        'assert _cost(measurement, sensitivity) <= Fraction(price.nano, NANO), "the noise is too small"',
        "pass",
        (f"{NOISE}::test_noise_that_is_too_small_for_its_price_is_never_drawn",),
    ),
    Mutant(
        "empty cells without noise",
        "privacy/noise.py",
        "            return np.array(measurement(exact.tolist()), dtype=np.int64)",
        "            return np.where(exact == 0, 0, np.array(measurement(exact.tolist()), dtype=np.int64))",
        (f"{NOISE}::test_empty_cells_get_noise_like_any_other",),
    ),
    Mutant(
        "every thread's noise the same",
        "privacy/noise.py",
        "            noisy = threads.map(lambda chunk: measurement(chunk.tolist()), chunks)",
        "            once = np.array(measurement([0] * len(chunks[0])))\n"
        "            noisy = threads.map(lambda chunk: chunk + once[: len(chunk)], chunks)",
        (f"{FIT}::test_cells_of_one_answer_get_independent_noise",),
    ),
    Mutant(
        "scale rounded down",
        "privacy/noise.py",
        "    while Fraction(scale) < exact or _cost",
        "    while False and _cost",
        (f"{NOISE}::test_a_scale_is_hardly_larger_than_it_must_be",),
    ),
    Mutant(
        "the second statistic told without noise",
        "privacy/answer.py",
        "        noise.laplace(_vector(part, exact), sensitivity=part.sensitivity, price=part.price)\n"
        "        for part in plan.measurements",
        "        noise.laplace(_vector(part, exact), sensitivity=part.sensitivity, price=part.price)\n"
        "        if part is plan.measurements[0]\n"
        "        else _vector(part, exact)\n"
        "        for part in plan.measurements",
        (f"{ANSWER}::test_every_statistic_gets_its_own_noise_at_its_own_price",),
    ),
    # Sensitivity
    Mutant(
        "a person counted once though twice there",
        "privacy/plan.py",
        "    rows = schema.rows_per_person\n",
        "    rows = 1\n",
        (SENSITIVITY,),
    ),
    Mutant(
        "count moves by one row only",
        "privacy/plan.py",
        'exacts=(Exact("rows"),), sensitivity=rows, unit=unit',
        'exacts=(Exact("rows"),), sensitivity=1, unit=unit',
        (SENSITIVITY,),
    ),
    Mutant(
        "sensitivity of a mean halved",
        "privacy/plan.py",
        "rows * ((high - low) if",
        "rows * (max(1, (high - low) // 2) if",
        (SENSITIVITY,),
    ),
    Mutant(
        "sensitivity of a sum from its width",
        "privacy/plan.py",
        "else max(abs(low), abs(high)))",
        "else high - low)",
        (SENSITIVITY,),
    ),
    Mutant(
        "each statistic at the whole price",
        "privacy/plan.py",
        "    shares = split(price, weights)\n",
        "    shares = [price] * len(weights)\n",
        (f"{PLAN}::test_weights_share_the_price",),
    ),
    Mutant(
        "persons counted by rows",
        "privacy/plan.py",
        'exact = Exact("rows") if rows == 1 else Exact("persons")',
        'exact = Exact("rows")',
        (SENSITIVITY, f"{PLAN}::test_persons_with_one_row_each_are_counted_as_rows"),
    ),
    # Exact part
    Mutant(
        "persons counted by rows in the engine",
        "datasets/engines/sql.py",
        "return exp.Count(this=exp.Distinct(expressions=[exp.column(PERSON)]))",
        "return exp.Count(this=exp.column(PERSON))",
        (f"{ENGINE}::test_a_person_in_two_codes_of_one_bin_is_counted_once",),
    ),
    Mutant(
        "a clamp that is missing",
        "datasets/engines/sql.py",
        "    return exact.low > column.low, exact.high < column.high",
        "    return False, False",
        (CLAMPED,),
    ),
    Mutant(
        "missing cells added to sums as if they were numbers",
        "datasets/engines/sql.py",
        "yield columns[exact.column].missing",
        "yield columns[exact.column].missing - 1",
        (CLAMPED,),
    ),
    Mutant(
        "empty cells at the end left out",
        "datasets/engines/sql.py",
        "        summed = np.zeros(plan.cells, dtype=np.int64)",
        "        summed = np.zeros(cells[inside].max(initial=0) + 1, dtype=np.int64)",
        (f"{ENGINE}::test_an_empty_table_has_every_cell_and_all_are_zero",),
    ),
    Mutant(
        "missing matches a negated comparison",
        "privacy/resolve.py",
        "filters.complement(intervals, domain) if negated",
        "filters.complement(intervals, (column.missing, column.high)) if negated",
        ("tests/unit/test_filters.py::test_only_is_missing_finds_a_missing_age",),
    ),
    Mutant(
        "files outside left open",
        "datasets/engines/duckdb.py",
        '            "enable_external_access": "false",\n',
        "",
        (f"{ENGINE}::test_no_file_outside_can_be_read",),
    ),
    Mutant(
        "rows of a person kept by their place in the source",
        "datasets/ingest/statistics.py",
        """{', '.join([content_hash(schema, salt), *names])}""",
        """rowid""",
        ("tests/store/test_engine_bound.py::test_which_rows_of_a_person_count_does_not_depend_on_where_they_stand",),
    ),
    Mutant(
        "one row more a person than the bound",
        "datasets/ingest/statistics.py",
        'f" WHERE place <= {schema.rows_per_person}",',
        'f" WHERE place <= {schema.rows_per_person} + 1",',
        ("tests/store/test_engine_bound.py::test_nobody_keeps_more_rows_than_the_bound",),
    ),
    # Charging
    Mutant(
        "lifetime cap without a condition",
        "datasets/budgets.py",
        "        AND spent + :dataset_charge <= granted {and_also}",
        "        {and_also}",
        (f"{DESK}::test_the_lifetime_cap_holds_between_users_that_race",),
    ),
    Mutant(
        "debit that was read before and is written after",
        "datasets/ledger.py",
        """        table_digest = sha256_hex(settlement.table)
        try:
            with self._store.writing() as tx:
                return _settle(Direct(tx), settlement, table_digest, seal)
""",
        """        table_digest = sha256_hex(settlement.table)
        read = self.accounts(
            lineages=settlement.lineages, user=settlement.user, organisation=settlement.organisation
        )
        for state in read:
            _must_fit(state, settlement.charge)
        try:
            with self._store.writing() as tx:
                for state in read:
                    tx.execute(
                        text("UPDATE accounts SET spent = :s WHERE kind = :k AND holder = :h"),
                        {"s": state.spent.nano, "k": state.kind, "h": state.holder},
                    )
                return _settle(Direct(tx), settlement, table_digest, seal)
""",
        (RACED, f"{DESK}::test_two_charges_at_once_are_both_counted"),
    ),
    Mutant(
        "debit without a condition",
        "datasets/ledger.py",
        "kind = 'user' AND holder = :user AND spent + :charge <= granted {and_also}",
        "kind = 'user' AND holder = :user {and_also}",
        (RACED,),
    ),
    Mutant(
        "overspending that the database lets through",
        "datasets/migrations/versions/0001_first.py",
        '"spent >= 0 AND spent <= granted"',
        '"spent >= 0"',
        (f"{DESK}::test_the_database_itself_refuses_to_hold_more_spent_than_granted",),
    ),
    Mutant(
        "view that only its first lineage pays for",
        "datasets/ledger.py",
        "    for lineage in asked.lineages[1:]:\n",
        "    for lineage in ():\n",
        (f"{VIEWS}::test_every_lineage_of_a_view_pays_the_same[sqlite]",),
    ),
    Mutant(
        "view open to whoever has an account in one lineage",
        "datasets/questions.py",
        'if sum(state.kind == "user" for state in accounts) < len(held.lineages):',
        'if not any(state.kind == "user" for state in accounts):',
        (f"{OVER_HTTP}::test_a_view_is_open_to_those_who_have_an_account_everywhere",),
    ),
    Mutant(
        "proof that overlooks the other lineages' lines",
        "datasets/journal.py",
        """        elif body.get("kind") == LINKED:
            problems += self._link(body, told)
""",
        "",
        (f"{VIEWS}::test_a_linked_line_that_was_written_twice_is_found[sqlite]",),
    ),
    Mutant(
        "proof that does not count the other lineages' lines",
        "datasets/journal.py",
        "if links > self.links:",
        "if False:",
        (
            f"{VIEWS}::test_a_linked_line_that_was_taken_out_without_a_trace_in_its_journal_is_missed[sqlite]",
        ),
    ),
    Mutant(
        "delta that is never charged",
        "datasets/ledger.py",
        "    if asked.delta_atto:\n",
        "    if False:\n",
        (f"{VIEWS}::test_the_delta_of_a_view_is_paid_in_every_lineage[sqlite]",),
    ),
    Mutant(
        "joined rows of whoever is near enough in spelling",
        "datasets/ingest/joining.py",
        "columns = [f\"{named(part.unit)} AS person\"]",
        "columns = [f\"lower({named(part.unit)}) AS person\"]",
        ("tests/store/test_views.py::test_the_join_is_what_a_loop_over_all_pairs_finds",),
    ),
    Mutant(
        "dataset charged nothing",
        "datasets/questions.py",
        "        return self._settle(asked, held, planned, made, charge=planned.price, dataset_charge=planned.price)",
        "        return self._settle(asked, held, planned, made, charge=planned.price, dataset_charge=NOTHING)",
        (f"{DESK}::test_an_answer_is_charged_to_the_user_and_the_dataset",),
    ),
    Mutant(
        "answer told though it could not be settled",
        "datasets/questions.py",
        """        except AlreadyAnswered as raced:
            stored = raced.stored
""",
        """        except AlreadyAnswered as raced:
            stored = raced.stored
        except Exception:
            from datasets.ledger import _stored

            stored = _stored(settlement, at=now(), entry=1, envelope=b"{}")
""",
        (f"{DESK}::test_what_could_not_be_settled_is_not_told",),
    ),
    Mutant(
        "failing is free",
        "datasets/questions.py",
        "            made = None\n",
        "            raise AnswerFailed from failure\n",
        (f"{DESK}::test_a_failure_after_data_was_opened_is_charged_and_stays_one",),
    ),
    Mutant(
        "data opened before the budget is looked at",
        "datasets/questions.py",
        "        self._must_fit(asked, held, charge=planned.price, dataset_charge=planned.price)\n",
        "",
        (f"{DESK}::test_a_refusal_opens_no_data_and_costs_nothing",),
    ),
    Mutant(
        "replay that draws fresh noise",
        "datasets/questions.py",
        """            if earlier is not None:
                return self._retell(asked, held, planned, earlier)
""",
        "",
        (f"{DESK}::test_the_same_question_again_is_free_and_tells_the_same",),
    ),
    Mutant(
        "retry that opens the data again",
        "datasets/questions.py",
        """            try:
                return self.replay(user=asked.caller.name, key=asked.key, digest=asked.digest)
            except NoAnswer:
                pass
""",
        "",
        (f"{DESK}::test_the_same_key_is_told_the_same_bytes_and_opens_no_data",),
    ),
    Mutant(
        "an answer retold as another dataset's",
        "datasets/questions.py",
        "            if stored.dataset == held.id\n            and ",
        "            if ",
        (f"{DESK}::test_an_answer_about_another_dataset_of_the_lineage_is_not_told_again",),
    ),
)  # fmt: skip
