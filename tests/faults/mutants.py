"""Planted faults, and the few tests that must notice each.

A fault is an edit of one file: `old` stands there exactly once and becomes `new`.
"""

from dataclasses import dataclass

FROM_SECOND = (
    "test_wide_keys_are_told_apart_by_a_table_a_search_or_an_offset[steps from the second value-count]"
)
ANSWER, QUERIES, ENGINE = (
    "tests/unit/test_answer.py",
    "tests/unit/test_query_service.py",
    "tests/store/test_engine.py",
)
WORK = "tests/store/test_engine_work.py"
UNITS = "tests/unit/test_second_units.py"
CONSTANT, MADE_ALIKE = "tests/unit/test_constant_columns.py", "tests/store/test_columns_made_constant.py"
FIT = "tests/statistical/test_distribution.py"
UNKNOWN, OPEN = "tests/unit/test_partition_selection.py", "tests/store/test_open_columns.py"
SPLITS = "tests/unit/test_splits.py"
BOUNDS_OF_QUANTILES = "tests/unit/test_quantile_bounds.py"
SEARCHED = "tests/unit/test_sensitivity_search.py"
PLAN, NOISE = "tests/unit/test_plan.py", "tests/unit/test_noise.py"
SENSITIVITY = f"{PLAN}::test_sensitivity_is_what_the_most_extreme_person_moves_and_no_more"
CLAMPED = f"{ENGINE}::test_values_outside_a_clamp_count_as_its_ends_and_missing_ones_not_at_all"
RESTORE = "tests/http/test_restore.py"
GRANTS, BUDGETS = "tests/store/test_ledger_grants.py", "tests/store/test_budgets.py"
VIEWS, OVER_HTTP = "tests/store/test_ledger_views.py", "tests/http/test_views_and_measures.py"
RACES = "tests/store/test_ledger_races.py"
SIX = f"{RACES}::test_of_six_payers_none_ever_pays_more_than_it_has"
PROOF = "tests/store/test_ledger_proof.py"
SWAPPED = "tests/http/test_swapped_files.py"
NOT_THE_VERSIONS = "test_rows_that_are_not_those_of_the_version_answer_nothing_and_cost_nothing"
OVERLAPS, IDENTITY = "tests/store/test_overlaps.py", "tests/unit/test_identity.py"
READABLE = "tests/http/test_readable_answers.py"
JOBS, PUBLIC = "tests/store/test_jobs.py", "tests/http/test_public_address.py"
REUSE, POPULATIONS = "tests/http/test_reuse.py", "tests/store/test_ledger_populations.py"
SETTLED, KILLED = "tests/store/test_ledger_settle.py", "tests/faults/test_ledger_kill.py"
AUDIT = "tests/statistical/test_audit.py"
IN_EPSILON = f"{AUDIT}::test_noisy_numbers_tell_less_than_they_cost"
IN_RHO = f"{AUDIT}::test_gaussian_numbers_tell_less_than_they_cost"
FITS = f"{FIT}::test_noise_of_few_cells_is_of_the_same_kind"
QUANTILES, LAYOUT = "tests/unit/test_quantiles.py", "tests/unit/test_layout.py"
LEAST_SQUARES = "tests/unit/test_margins.py::test_fit_agrees_with_numpy_least_squares"
AXES, PRICING = "tests/unit/test_axes.py", "tests/unit/test_pricing.py"
EACH_KIND = f"{ENGINE}::test_each_kind_of_exact_integer_is_that_found_by_hand"
TREE = f"{QUANTILES}::test_a_person_moves_one_count_of_each_level_for_every_row"
RHO = "tests/unit/test_budget.py::test_rho_is_told_as_the_epsilon_of_the_tight_curve"
ADDED = """        measurement = _measurement(mechanism.kind, mechanism.measure, mechanism.scale)
        assert mechanism.kind != "noisy_max"
        assert _cost(measurement, mechanism) <= mechanism.price.nano, "the noise is too small"
"""
CHOSEN = ADDED.replace("!=", "==")
SEARCH, LOCAL = "tests/unit/test_deid_search.py", "tests/unit/test_deid_local.py"
PAPERS, VERIFIED = "tests/unit/test_deid_papers.py", "tests/unit/test_deid_verify.py"
STANDARD, NUMBERS = "tests/unit/test_deid_standard.py", "tests/unit/test_deid_operations_numbers.py"
REACHED = "tests/http/test_problems_over_http.py::test_every_code_is_reached_over_http_in_one_shape"
IDEMPOTENCY = "tests/http/test_idempotency.py"
GATHERED, PLANNER = "tests/unit/test_gathering.py", "tests/faults/test_planner.py"
SECRET, PEOPLE = "tests/store/test_secret.py", "tests/store/test_accounts.py"
BY_ROLE = "tests/http/test_roles.py"
PRESENTED = "tests/http/test_presentation.py"
ASKING, DESCRIBED = "tests/http/test_post_queries.py", "tests/http/test_described_answers.py"


@dataclass(frozen=True)
class Mutant:
    """One planted fault. `tests` are node ids; at least one of them must fail.

    `audited` persons are asked about where an audit must notice it, so that chance cannot hide it; 0 for the usual
    number.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    audited: int = 0


MUTANTS = (
    # What is done before the price is paid, and how requests come
    Mutant(
        "the end of a chunk may be anything",
        "api/server/gathering.py",
        "        if not LINE_END.startswith(found):",
        "        if False:",
        (GATHERED,),
    ),
    Mutant(
        "a connection is kept behind a body that was not read",
        "api/server/gathering.py",
        "            self.message.force_close()",
        "            pass",
        (GATHERED,),
    ),
    Mutant(
        "a body of unannounced length is cut at the limit",
        "api/http/blueprints.py",
        "            request.max_content_length = wire.BODY_BYTES_MAX + 1",
        "            pass",
        ("tests/http/test_bad_input.py::test_a_body_of_unannounced_length_is_refused_and_never_cut",),
    ),
    Mutant(
        "hints plan as much as they like",
        "privacy/hints.py",
        "        left -= planning_work(candidate.query, plan.schema).total\n",
        "        pass\n",
        ("tests/unit/test_hints.py::test_a_heavy_question_is_not_planned_again",),
    ),
    Mutant(
        "values that conditions exclude anyway are called left out",
        "privacy/left_out.py",
        "    return filters.intersection(((column.missing, column.high),), *members)",
        "    return ((column.missing, column.high),)",
        ("tests/unit/test_hints.py",),
    ),
    Mutant(
        "a hint for what gains nothing",
        "privacy/hints.py",
        "hint is not None and hint.gain >= GAIN_MIN",
        "hint is not None",
        ("tests/unit/test_hints.py",),
    ),
    Mutant(
        "a kept answer loses its notes",
        "privacy/answer.py",
        'note for note in body["notes"] if note["code"] not in NOTES',
        'note for note in body["notes"] if note["code"] in ()',
        ("tests/unit/test_hints.py::test_a_kept_answer_keeps_the_words_it_was_told_with",),
    ),
    Mutant(
        "preparing has no limit of work",
        "datasets/queries/planner.py",
        "        work.must_be_within(self._work_max * times)",
        "        pass",
        (f"{PLANNER}::test_work_beyond_the_limit_is_refused_before_anybody_works_or_counts",),
    ),
    Mutant(
        "work does not count against the rate",
        "datasets/queries/planner.py",
        "        admit(work.total)",
        "        admit(0)",
        ("tests/http/test_planning_work.py",),
    ),
    Mutant(
        "all threads may wait for the planner",
        "datasets/queries/planner.py",
        "threading.BoundedSemaphore(slots)",
        "threading.BoundedSemaphore(slots + 1)",
        (f"{PLANNER}::test_more_than_the_slots_are_refused_and_light_work_is_not",),
    ),
    Mutant(
        "a planner process outlives its parent",
        "datasets/queries/planner_process.py",
        "            os._exit(0)",
        "            return",
        (f"{PLANNER}::test_no_process_outlives_the_one_that_started_it",),
    ),
    Mutant(
        "a run does not wait for the quantum",
        "api/queries/views.py",
        "        wait_for_quantum()\n",
        "        pass\n",
        ("tests/http/test_quantum.py",),
    ),
    Mutant(
        "a quantum of nothing is accepted",
        "api/settings.py",
        "        if not 1 <= self.response_quantum_ms",
        "        if not 0 <= self.response_quantum_ms",
        ("tests/unit/test_refusals.py::test_a_setting_outside_of_its_bounds_stops_the_start",),
    ),
    Mutant(
        "a server without its data is ready",
        "api/server/health.py",
        "        found.readiness.must_be_open()",
        "        pass",
        ("tests/http/test_health_and_pages.py",),
    ),
    Mutant(
        "a database of another version is answered from",
        "api/http/roles.py",
        "            services().readiness.must_be_current()",
        "            pass",
        ("tests/http/test_health_and_pages.py",),
    ),
    # Noise
    Mutant(
        "noise of half the scale",
        "privacy/noise.py",
        ADDED,
        "        measurement = _measurement(mechanism.kind, mechanism.measure, mechanism.scale / 2)\n",
        (FITS,),
    ),
    Mutant(
        "gaussian noise at half of its deviation",
        "privacy/noise.py",
        ADDED,
        """        half = 2 if mechanism.kind == "discrete_gaussian" else 1
        measurement = _measurement(mechanism.kind, mechanism.measure, mechanism.scale / half)
""",
        (FITS,),
    ),
    Mutant(
        "noise of half the scale where cells are many",
        "privacy/noise.py",
        "        return np.concatenate([np.array(part, dtype=np.int64) for part in noisy])",
        "        return (np.concatenate([np.array(part, dtype=np.int64) for part in noisy]) + exact) // 2",
        (f"{FIT}::test_noise_fits_its_scale_and_none_a_tenth_smaller_or_larger[discrete_laplace-pure-1-0.3]",),
    ),
    Mutant(
        "noise that is never checked",
        "privacy/noise.py",
        ADDED,
        ADDED[: ADDED.index("        assert _cost")],
        (f"{NOISE}::test_noise_that_is_too_small_for_its_price_is_never_drawn",),
    ),
    Mutant(
        "choices that are never checked",
        "privacy/noise.py",
        CHOSEN,
        CHOSEN[: CHOSEN.index("        assert _cost")],
        (f"{NOISE}::test_a_choice_that_is_too_sharp_for_its_price_is_never_made",),
    ),
    Mutant(
        "every thread's noise the same",
        "privacy/noise.py",
        "            noisy = [measurement(chunks[0].tolist()), *(other.result() for other in others)]",
        "            once = np.array(measurement([0] * len(chunks[0])))\n"
        "            noisy = [chunk + once[: len(chunk)] for chunk in chunks]",
        (f"{FIT}::test_threads_do_not_share_their_noise",),
    ),
    Mutant(
        "a share of the price not looked at before its noise is made",
        "privacy/plan.py",
        "    pricing.check_shares(known, shares, layout)\n",
        "",
        (f"{PLAN}::test_a_share_of_next_to_nothing_is_refused_before_noise_is_made_for_it",),
    ),
    Mutant(
        "domains listed before the cells are counted",
        "privacy/plan.py",
        "    return cells <= CELLS_MAX\n",
        "    return True\n",
        ("tests/unit/test_work.py::test_domains_are_not_listed_before_the_cells_are_known_to_be_few",),
    ),
    Mutant(
        "terms counted for each condition alone",
        "privacy/plan.py",
        "        terms += terms_in(where)\n",
        "        terms = terms_in(where)\n",
        ("tests/http/test_bad_language.py::test_the_terms_of_all_conditions_of_a_request_count_together",),
    ),
    Mutant(
        "a question of any cost a row let through",
        "privacy/plan.py",
        "    must_be_cheap_a_row(query, schema)\n",
        "",
        ("tests/unit/test_work.py::test_a_question_whose_rows_cost_the_engine_too_much_is_refused_before_anything_else",),
    ),
    Mutant(
        "an intersection that forgets one of the sets",
        "privacy/filters.py",
        "        if inside == len(disjoint):\n",
        "        if inside >= max(1, len(disjoint) - 1):\n",
        ("tests/unit/test_filters.py::test_an_intersection_holds_the_codes_of_both",),
    ),
    Mutant(
        "scale rounded down",
        "privacy/noise.py",
        "        if _cost(_measurement(",
        "        if True or _cost(_measurement(",
        (f"{NOISE}::test_opendp_prices_a_scale_at_no_more_than_is_charged",),
    ),
    Mutant(
        "the second statistic told without noise",
        "privacy/answer.py",
        "    return tuple(array for part in plan.measurements for array in _release(part, exact, noise))",
        """    from types import SimpleNamespace

    none = SimpleNamespace(add=lambda exact, mechanism: exact)
    return tuple(
        array
        for part in plan.measurements
        for array in _release(part, exact, noise if part is plan.measurements[0] else none)
    )""",
        (f"{ANSWER}::test_every_statistic_gets_its_own_noise_at_its_own_price",),
    ),
    Mutant(
        "empty cells without noise",
        "privacy/noise.py",
        "            return np.array(measurement(exact.tolist()), dtype=np.int64)",
        "            return np.where(exact == 0, 0, np.array(measurement(exact.tolist()), dtype=np.int64))",
        (f"{NOISE}::test_empty_cells_get_noise_like_any_other",),
    ),
    # Seen from outside, by the audit alone
    Mutant(
        "noise of half the scale, seen from outside",
        "privacy/noise.py",
        ADDED,
        "        measurement = _measurement(mechanism.kind, mechanism.measure, mechanism.scale / 2)\n",
        (f"{IN_EPSILON}[count-few]",),
    ),
    Mutant(
        "gaussian noise at half of its deviation, seen from outside",
        "privacy/noise.py",
        ADDED,
        """        half = 2 if mechanism.kind == "discrete_gaussian" else 1
        measurement = _measurement(mechanism.kind, mechanism.measure, mechanism.scale / half)
""",
        (f"{IN_RHO}[totals over three keys-many]",),
    ),
    Mutant(
        "one grid of a workload at twice its price",
        "privacy/measurement.py",
        "        cells = reachable_over(layout.axes, subset)\n",
        """        cells = reachable_over(layout.axes, subset)
        part = part if subset == layout.grids[0] else Price(2 * part.nano)
""",
        (f"{IN_EPSILON}[workload-many]",),
    ),
    Mutant(
        "each grid of totals at the whole price",
        "privacy/measurement.py",
        "    parts = split(price, list(layout.shares))\n",
        "    parts = [price] * len(layout.shares)\n",
        (f"{IN_RHO}[totals over three keys-many]",),
    ),
    Mutant(
        "a grand total told without noise",
        "privacy/answer.py",
        "        found.append(noise.add(vector.ravel(), draw.mechanism).reshape(vector.shape))\n",
        """        found.append(
            noise.add(vector.ravel(), draw.mechanism).reshape(vector.shape)
            if draw.subset or len(part.draws) == 1
            else vector
        )
""",
        (f"{AUDIT}::test_all_margins_together_tell_less_than_they_cost",),
    ),
    Mutant(
        "a level of a tree left out of its price",
        "privacy/quantiles.py",
        "        return self.rows * len(self.levels)\n",
        "        return self.rows * max(1, len(self.levels) - 1)\n",
        (TREE,),
    ),
    Mutant(
        "a tree priced as if each person had one row, seen from outside",
        "privacy/quantiles.py",
        "        return self.rows * len(self.levels)\n",
        "        return len(self.levels)\n",
        (f"{AUDIT}::test_quantiles_tell_less_than_they_cost[tree of two levels-many]",),
        audited=10_000,
    ),
    Mutant(
        "choices at a third of their scale",
        "privacy/noise.py",
        CHOSEN,
        "        measurement = _measurement(mechanism.kind, mechanism.measure, mechanism.scale / 3)\n",
        (f"{AUDIT}::test_quantiles_tell_less_than_they_cost[median-many]",),
        audited=20_000,
    ),
    # Sensitivity
    Mutant(
        "a person counted once though twice there",
        "privacy/plan.py",
        "    reader = StatisticReader(schema, resolver, rows=bound,",
        "    reader = StatisticReader(schema, resolver, rows=1,",
        (SENSITIVITY,),
    ),
    Mutant(
        "count moves by one row only",
        "privacy/statistics.py",
        'Plain(key="count", exact=ExactAggregate(kind="rows"), rows=self.rows, unit=unit)',
        'Plain(key="count", exact=ExactAggregate(kind="rows"), rows=1, unit=unit)',
        (SENSITIVITY,),
    ),
    Mutant(
        "sensitivity of a mean halved",
        "privacy/aggregates.py",
        "        return self.rows * (self.high - self.low)\n",
        "        return self.rows * max(1, (self.high - self.low) // 2)\n",
        (SENSITIVITY,),
    ),
    Mutant(
        "sensitivity of a variance halved",
        "privacy/aggregates.py",
        "        return self.rows * self.top**2\n",
        "        return max(1, self.rows * self.top**2 // 2)\n",
        (SENSITIVITY,),
    ),
    Mutant(
        "sensitivity of a sum from its width",
        "privacy/statistics.py",
        "        reach = max(abs(low), abs(high))\n",
        "        reach = high - low\n",
        (SENSITIVITY,),
    ),
    Mutant(
        "a person in many cells counted as if in one",
        "privacy/aggregates.py",
        "            return max(1, touched)\n",
        "            return 1\n",
        (SENSITIVITY,),
    ),
    Mutant(
        "L2 where L1 is needed",
        "privacy/measurement.py",
        "        sensitivity=estimator.l1(cells) if laplace else estimator.squared(cells),",
        "        sensitivity=math.isqrt(estimator.squared(cells)) if laplace else estimator.squared(cells),",
        (f"{PLAN}::test_laplace_noise_is_told_l1_and_gaussian_noise_squared_l2",),
    ),
    Mutant(
        "L2 that is not squared",
        "privacy/measurement.py",
        "        sensitivity=estimator.l1(cells) if laplace else estimator.squared(cells),",
        "        sensitivity=estimator.l1(cells),",
        (SENSITIVITY,),
    ),
    Mutant(
        "a clamp per person trusted though zero lies outside",
        "privacy/person_totals.py",
        "    return min(max(total, clamp[0]), clamp[1])\n",
        "    return min(max(total, min(0, clamp[0])), max(0, clamp[1]))\n",
        (f"{PLAN}::test_sums_clamped_per_person_move_no_further_than_their_sensitivity",),
    ),
    Mutant(
        "cells beyond the best one forgotten in sums clamped per person",
        "privacy/person_totals.py",
        "        touched -= min(count, touched)\n",
        "        touched = 0\n",
        (f"{SEARCHED}::test_sums_clamped_per_person_move_no_further_than_the_bound_and_nearly_as_far",),
    ),
    Mutant(
        "alternatives of a filter taken for conditions",
        "privacy/reachable.py",
        "            boxes = tuple(chain.from_iterable(_boxes(term) for term in tree.terms))\n",
        "            boxes = _all_of([_boxes(term) for term in tree.terms])\n",
        (f"{SEARCHED}::test_boxes_hold_every_row_that_passes_and_few_are_exact",),
    ),
    Mutant(
        "a column that some boxes leave free held to the others",
        "privacy/reachable.py",
        "    named = set.intersection(*(set(box) for box in boxes)) if boxes else set()\n",
        "    named = set().union(*boxes)\n    boxes = [{**dict.fromkeys(named, ()), **box} for box in boxes]\n",
        (f"{SEARCHED}::test_filters_of_too_many_boxes_are_seen_from_outside",),
    ),
    Mutant(
        "a filter that narrows the noise and not the clamp of the question",
        "privacy/statistics.py",
        "        low, high = self._in_reach(place, bounds)\n        exact = ExactAggregate",
        "        low, high = self._in_reach(place, bounds)\n        low, high = low, max(low, high - 1)\n"
        "        exact = ExactAggregate",
        (f"{SEARCHED}::test_a_narrower_clamp_is_the_same_question_and_has_the_same_exact_value",),
    ),
    Mutant(
        "rectangles of means and variances refused though they are in reach",
        "privacy/bounds.py",
        "        reach = distribution.scale * of_variance + 1\n",
        "        reach = distribution.scale * of_variance / 3\n",
        ("tests/unit/test_bounds.py::test_bounds_of_a_variance_hold_it_in_cells_of_a_few_rows",),
    ),
    Mutant(
        "shares refused though they are in reach",
        "privacy/bounds.py",
        "    allowed = distribution.shares_tail(confidence, grid, classes=classes)",
        "    allowed = 0.5 * distribution.shares_tail(confidence, grid, classes=classes)",
        ("tests/unit/test_bounds.py::test_bounds_of_a_share_hold_it_in_cells_of_a_few_rows",),
    ),
    Mutant(
        "rows kept and rows left out each trusted to be few",
        "privacy/aggregates.py",
        "self.kept**2 + (self.rows - self.kept) ** 2",
        "max(self.kept, self.rows - self.kept) ** 2",
        (f"{SEARCHED}::test_of_many_made_up_questions_none_claims_less_than_somebody_moves_nor_much_more",),
    ),
    Mutant(
        "rows left out forgotten in the sensitivity of the share kept",
        "privacy/statistics.py",
        '''            rows=self.schema.rows_per_person,
            some=ExactAggregate(kind="rows"),
''',
        '''            rows=self.rows,
            some=ExactAggregate(kind="rows"),
''',
        (f"{PLAN}::test_a_narrower_bound_lowers_sensitivities_but_not_that_of_the_share_kept",),
    ),
    Mutant(
        "levels of a tree forgotten",
        "privacy/quantiles.py",
        "        return self.rows * len(self.levels)\n",
        "        return self.rows\n",
        (TREE,),
    ),
    Mutant(
        "scores of a low quantile that move further than said",
        "privacy/quantiles.py",
        "sensitivity=self.rows * max(choice.q.numerator, choice.q.denominator - choice.q.numerator),",
        "sensitivity=self.rows * max(1, choice.q.numerator),",
        (f"{QUANTILES}::test_no_person_moves_a_score_further_than_its_sensitivity_and_somebody_moves_one_as_far",),
    ),
    Mutant(
        "each quantile at the whole price",
        "privacy/quantiles.py",
        "            return split(price, [Fraction(1)] * len(self.qs))\n",
        "            return [price] * len(self.qs)\n",
        (f"{QUANTILES}::test_each_choice_costs_its_share_and_all_together_the_price",),
    ),
    Mutant(
        "below a split as much spent as if it had cost nothing",
        "privacy/splits.py",
        "        left |= {child: rest for child in",
        "        left |= {child: left[number] for child in",
        (f"{SPLITS}::test_each_path_spends_the_price_and_none_more",),
    ),
    Mutant(
        "bounds of a quantile as if one pair alone could be wrong",
        "privacy/quantile_bounds.py",
        "    shift = stray(mechanism, len(lows), DOUBT)\n",
        "    shift = stray(mechanism, 1, DOUBT)\n",
        (f"{BOUNDS_OF_QUANTILES}::test_at_worst_bounds_miss_the_quantile_as_often_as_they_may_and_no_more",),
    ),
    Mutant(
        "a pair of bounds scored by both of its ends",
        "privacy/quantile_bounds.py",
        "-np.maximum(low_loss[lows], high_loss[highs])",
        "-(low_loss[lows] + high_loss[highs])",
        (
            f"{BOUNDS_OF_QUANTILES}::test_a_row_more_moves_a_pairs_score_by_its_sensitivity_at_most_and_once_as_far",
        ),
    ),
    Mutant(
        "each grid of a workload at the whole price",
        "privacy/measurement.py",
        "    parts = split(price, list(layout.shares))\n",
        "    parts = [price] * len(layout.shares)\n",
        (f"{LAYOUT}::test_the_price_of_a_statistic_is_split_over_its_grids",),
    ),
    Mutant(
        "each statistic at the whole price",
        "privacy/plan.py",
        "    shares = parallel.prices(price, weights, sets)\n",
        "    shares = [price] * len(weights)\n",
        (f"{PLAN}::test_weights_share_the_price",),
    ),
    Mutant(
        "persons counted by rows",
        "privacy/statistics.py",
        '                exact = ExactAggregate(kind="rows" if self.rows == 1 else "persons")',
        '                exact = ExactAggregate(kind="rows")',
        (SENSITIVITY, f"{PLAN}::test_persons_with_one_row_each_are_counted_as_rows"),
    ),
    # Estimates and prices
    Mutant(
        "weights of least squares inverted",
        "privacy/margins.py",
        "        information = 1 / (variance * cells)\n",
        "        information = variance * cells\n",
        (LEAST_SQUARES,),
    ),
    Mutant(
        "tables fitted to each other that count different rows",
        "privacy/plan.py",
        """    if layout.direct:
        return tree
""",
        "    return tree\n",
        ("tests/unit/test_groups.py::test_margins_count_only_rows_that_every_key_has_a_cell_for",),
    ),
    Mutant(
        "every cell at once with the confidence of one",
        "privacy/pricing.py",
        "        confidence = confidence ** (1 / cells) if layout.direct else 1 - (1 - confidence) / cells\n",
        "        pass\n",
        (f"{PRICING}::test_every_cell_holds_with_the_confidence_asked_for_all_of_them",),
    ),
    Mutant(
        "rho told as epsilon with the wrong sign",
        "privacy/budget.py",
        "- order - log_delta) / beyond",
        "- order + log_delta) / beyond",
        (RHO,),
    ),
    # Exact part
    Mutant(
        "a clamp that is missing",
        "datasets/engines/sql.py",
        "    clamped = masked(inner, all_of(*tests, *within(value, column, exact)), kind)\n",
        "    return masked(inner, all_of(*tests, _is_present(value, column)), kind)\n",
        (CLAMPED,),
    ),
    Mutant(
        "a clamp per person that is missing",
        "datasets/engines/sql.py",
        "low, high, of_person = exact.person_low, exact.person_high, ",
        "low, high, of_person = -(2**62), 2**62, ",
        (EACH_KIND,),
    ),
    Mutant(
        "a narrower bound that is not heeded",
        "datasets/engines/sql.py",
        "Bound(plan.bound)",
        "Bound(plan.schema.rows_per_person)",
        (f"{ENGINE}::test_rows_beyond_a_narrower_bound_count_only_where_all_rows_are_asked_for",),
    ),
    Mutant(
        "bins that reach one too far",
        "privacy/resolve.py",
        "else known[place + 1] - 1),",
        "else known[place + 1]),",
        (f"{AXES}::test_bins_cover_from_the_first_edge_to_the_last_which_is_inside",),
    ),
    Mutant(
        "bins of a histogram that begin one too low",
        "datasets/engines/keys.py",
        "bin: Node = (\"-\", cast(value, kind), Bound(exact.low))",
        "bin: Node = (\"-\", cast(value, kind), Bound(exact.low - 1))",
        (f"{ENGINE}::test_wide_columns_are_put_on_a_grid_and_into_bins",),
    ),
    Mutant(
        "a closed end that takes the next bin's only code",
        "datasets/engines/keys.py",
        "if edge - 1 not in {0, *edges} and wider",
        "if edge - 1 not in {0} and wider",
        (f"{ENGINE}::test_wide_keys_are_told_apart_by_a_table_a_search_or_an_offset[steps and one value-count]",),
    ),
    Mutant(
        "the lowest value taken for missing",
        "datasets/engines/keys.py",
        "if edge - 1 not in {0, *edges} and wider",
        "if edge - 1 not in {*edges} and wider",
        (f"{ENGINE}::{FROM_SECOND}",),
    ),
    Mutant(
        "fiscal years from January",
        "privacy/axes.py",
        "FISCAL_YEAR_BEGINS = 4\n",
        "FISCAL_YEAR_BEGINS = 1\n",
        (f"{AXES}::test_fiscal_years_run_from_april",),
    ),
    Mutant(
        "empty cells at the end left out",
        "datasets/engines/sql.py",
        "summed = np.zeros(cells_over(plan.axes, part.over) * exact.size, dtype=np.int64)",
        "summed = np.zeros(places.max(initial=0) + 1, dtype=np.int64)",
        (f"{ENGINE}::test_an_empty_table_has_every_cell_and_all_are_zero",),
    ),
    Mutant(
        "persons told apart by the ranks of their rows",
        "datasets/engines/sql.py",
        "unit_name(exact.column) if of_units else PERSON",
        "unit_name(exact.column) if of_units else RANK",
        (EACH_KIND,),
    ),
    Mutant(
        "missing cells added to sums as if they were numbers",
        "datasets/engines/sql.py",
        "    return (\">=\", value, Bound(column.low))\n",
        "    return (\">=\", value, Bound(column.missing))\n",
        (CLAMPED,),
    ),
    Mutant(
        "rows that take no part counted as a person",
        "datasets/engines/sql.py",
        'is_person: Node = (">", name("p"), ZERO',
        'is_person: Node = (">=", name("p"), ZERO',
        (EACH_KIND,),
    ),
    Mutant(
        "totals of rows that take no part added up",
        "datasets/engines/sql.py",
        "columns.append((total(_added(exact, taking_part, rows)), ",
        "columns.append((total(_added(exact, None, rows)), ",
        (f"{WORK}::test_what_a_row_holds_outside_the_condition_cannot_overflow",),
    ),
    Mutant(
        "a WHERE",
        "datasets/engines/expressions.py",
        "    return exp.select(*shown).from_(_printable(source)).group_by(*groups)\n",
        """    rows = _printable(source)
    tests = ["f0"] if rows.alias in ("marked", "valued") and " AS f0" in rows.sql() else []
    return exp.select(*shown).from_(rows).where(*tests).group_by(*groups)
""",
        (f"{WORK}::test_all_rows_of_all_row_groups_reach_the_aggregates",),
    ),
    Mutant(
        "statements rewritten by what the table is known to hold",
        "datasets/engines/connections.py",
        "{one for (one,) in known} - OPTIMIZERS",
        "set()",
        (f"{WORK}::test_a_plan_is_the_same_for_neighbours_and_for_an_empty_table",),
    ),
    Mutant(
        "a statistics table that is compressed as its values allow",
        "datasets/engines/format.py",
        'STORAGE = "USING COMPRESSION uncompressed"',
        'STORAGE = ""',
        (f"{WORK}::test_registration_stores_columns_as_they_are",),
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
        "datasets/engines/connections.py",
        '            "enable_external_access": "false",\n',
        "",
        (f"{ENGINE}::test_no_file_outside_can_be_read",),
    ),
    Mutant(
        "rows of a person kept by their place in the source",
        "datasets/registration/ingest/statistics.py",
        """{', '.join([content_hash(schema, salt), *names])}""",
        """rowid""",
        ("tests/store/test_engine_bound.py::test_which_rows_of_a_person_count_does_not_depend_on_where_they_stand",),
    ),
    Mutant(
        "rows of a person that differ in a column that is constant",
        "datasets/registration/ingest/statistics.py",
        "if name in constant else name for",
        "if False else name for",
        (f"{MADE_ALIKE}::test_every_row_of_a_person_has_the_codes_of_the_first_whatever_the_file_says",),
    ),
    Mutant(
        "every key taken for one that is constant per person",
        "privacy/exact.py",
        "for place in subset if not axes[place].constant)",
        "for place in subset if False)",
        (f"{CONSTANT}::test_sensitivity_is_what_the_most_extreme_person_moves_and_no_more",),
    ),
    Mutant(
        "persons added up over keys that vary",
        "privacy/measurement.py",
        "    return all(axis.constant for axis in layout.axes)\n",
        "    return any(axis.constant for axis in layout.axes)\n",
        (f"{CONSTANT}::test_persons_add_up_to_margins_of_keys_that_are_constant_and_of_no_others",),
    ),
    Mutant(
        "a filter on what varies asked of each person's first row",
        "datasets/engines/sql.py",
        " | _columns_of(plan.filter)\n",
        "\n",
        (f"{MADE_ALIKE}::test_persons_need_not_be_told_apart_where_their_first_rows_tell",),
    ),
    Mutant(
        "a person that names several households noised for one",
        "privacy/units.py",
        "        return min(self.rows, cells) if self.constant else self.rows\n",
        "        return min(self.rows, cells)\n",
        (f"{UNITS}::test_sensitivity_is_what_the_most_extreme_person_moves_and_no_more",),
    ),
    Mutant(
        "households added up over cells",
        "privacy/measurement.py",
        "Quantiles | UndeclaredValueCount | UnitCount):",
        "Quantiles | UndeclaredValueCount):",
        (f"{UNITS}::test_households_do_not_add_up_whatever_is_constant",),
    ),
    Mutant(
        "rows that name no household counted as one",
        "datasets/engines/sql.py",
        "ZERO if of_units else OUTSIDE)",
        "OUTSIDE)",
        (f"{MADE_ALIKE}::test_the_engine_counts_the_households_that_are_found_by_hand",),
    ),
    Mutant(
        "one row more a person than the bound",
        "datasets/registration/ingest/statistics.py",
        'f" WHERE place <= {schema.rows_per_person}",',
        'f" WHERE place <= {schema.rows_per_person} + 1",',
        ("tests/store/test_engine_bound.py::test_nobody_keeps_more_rows_than_the_bound",),
    ),
    Mutant(
        "a cancelled run that is interrupted once only",
        "datasets/engines/connections.py",
        "                    entry.deadline = 0.0\n",
        "",
        (f"{ENGINE}::test_a_run_that_is_cancelled_between_two_statements_runs_no_more_of_them",),
    ),
    Mutant(
        "a file that was cut off taken for whole",
        "datasets/engines/duckdb.py",
        "if TABLE in tables and _is_whole(connection, file) and ",
        "if TABLE in tables and ",
        (f"{ENGINE}::test_a_file_that_lacks_its_last_bytes_is_unavailable_though_duckdb_opens_it",),
    ),
    Mutant(
        "another version's rows answer, with this one's noise",
        "datasets/engines/duckdb.py",
        "    if found == ([] if place.seal is None else [(place.seal,)]):\n",
        "    if True:\n",
        (f"{SWAPPED}::{NOT_THE_VERSIONS}[another dataset's file-closed]",),
    ),
    Mutant(
        "a file that lost its seal is taken for one of before",
        "datasets/engines/duckdb.py",
        "    if found == ([] if place.seal is None else [(place.seal,)]):\n",
        "    if found in ([], [(place.seal,)]):\n",
        (f"{SWAPPED}::{NOT_THE_VERSIONS}[a file without a seal-closed]",),
    ),
    Mutant(
        "terms of a version changed by hand",
        "datasets/catalog.py",
        "    content = json.dumps([id, number, list(lineages), descriptor])\n",
        "    content = json.dumps([id, number, list(lineages)])\n",
        (f"{SWAPPED}::{NOT_THE_VERSIONS}[a smaller bound-closed]",),
    ),
    Mutant(
        "whether a server is ready is asked of a file that is not there any more",
        "datasets/engines/connections.py",
        "        with self._lock:\n            self._drop_what_is_gone(key, file)\n            try:\n",
        "        with self._lock:\n            try:\n",
        (f"{SWAPPED}::test_a_server_that_has_the_file_open_is_not_ready_once_it_is_swapped",),
    ),
    Mutant(
        "a dropped file that cannot be opened while it is read",
        "datasets/engines/connections.py",
        " == [(True,)]:\n            return connection\n",
        " == [(None,)]:\n            return connection\n",
        (f"{ENGINE}::test_a_file_that_was_dropped_while_it_is_read_can_be_opened_again",),
    ),
    Mutant(
        "a question that names the engine",
        "datasets/queries/service.py",
        "from datasets.engines.base import Engine\n",
        "from datasets.engines.duckdb import DuckdbEngine as Engine\n",
        ("tests/unit/test_layering.py::test_only_engines_and_registration_know_which_engine_there_is",),
    ),
    Mutant(
        "digest of another file than the one that is registered",
        "datasets/registration/registry.py",
        "                descriptor,\n                guarded,\n",
        "                descriptor,\n                SourceFile.at(source),\n",
        ("tests/store/test_registry.py::test_a_source_that_changes_after_its_digest_was_taken_is_refused",),
    ),
    # One person, many registers
    Mutant(
        "the same rows get a second cap",
        "datasets/registration/ingest/identity.py",
        "        return bool(self.row_count) and self.digest == other.digest\n",
        "        return False\n",
        (f"{OVERLAPS}::test_the_same_rows_in_another_order_get_no_second_cap_whatever_is_said",),
    ),
    Mutant(
        "most of the people go unnoticed",
        "datasets/registration/overlap.py",
        "SHARE_MAX = 0.5\n",
        "SHARE_MAX = 0.95\n",
        (f"{OVERLAPS}::test_half_of_the_people_is_not_most_of_them",),
    ),
    Mutant(
        "rows are not compared where people are",
        "datasets/registration/ingest/identity.py",
        "        return max(people, jaccard(self.rows, other.rows), ",
        "        return max(people, 0.0 if self.people and other.people else jaccard(self.rows, other.rows), ",
        (f"{OVERLAPS}::test_without_a_column_that_names_people_rows_are_compared",),
    ),
    Mutant(
        "other ids get the same people a second cap",
        "datasets/registration/ingest/identity.py",
        "self._contents_shared_with(other))\n",
        "0.0)\n",
        (f"{OVERLAPS}::test_ids_written_in_another_way_get_nobody_a_second_cap",),
    ),
    Mutant(
        "towns of few values are taken for one another",
        "datasets/registration/ingest/identity.py",
        "        if not (self._contents_identify and other._contents_identify):\n",
        "        if False:\n",
        (f"{OVERLAPS}::test_registers_of_few_values_are_not_each_others",),
    ),
    Mutant(
        "another hyphen hides people",
        "datasets/registration/ingest/identity.py",
        'dashed = pc.replace_substring_regex(seen, _DASHES, "-")',
        "dashed = seen",
        (f"{IDENTITY}::test_all_dashes_are_one",),
    ),
    Mutant(
        "what came meanwhile is not compared",
        "datasets/registration/registry.py",
        "        self.overlaps.look(tx, self.identities.kept)\n",
        "",
        (f"{OVERLAPS}::test_a_register_that_came_while_another_was_read_counts_too",),
    ),
    Mutant(
        "terms are read once",
        "datasets/registration/registry.py",
        '        assert agreed(tx, self.descriptor, self.digest) == self.lineage, "a lineage stays"\n',
        "",
        (f"{OVERLAPS}::test_terms_that_changed_while_a_source_was_read_count_too",),
    ),
    Mutant(
        "two registrations commit at once",
        "datasets/registration/registry.py",
        '    if tx.dialect.name == "postgresql":\n        tx.execute(select(func.pg_advisory',
        '    if tx.dialect.name == "nothing":\n        tx.execute(select(func.pg_advisory',
        (f"{OVERLAPS}::test_one_registration_commits_at_a_time_on_all_machines",),
    ),
    Mutant(
        "a refused version stays on the disk",
        "datasets/registration/registry.py",
        "            if not is_written:\n",
        "            if False:\n",
        (f"{OVERLAPS}::test_a_register_that_spent_more_than_a_population_has_left_leaves_nothing",),
    ),
    Mutant(
        "a register without files is taken for another's",
        "datasets/registration/overlap.py",
        "        return 1.0 if self.share is None else self.share\n",
        "        return 0.0 if self.share is None else self.share\n",
        (f"{OVERLAPS}::test_what_cannot_be_compared_may_hold_the_same_people",),
    ),
    Mutant(
        "people are brought into a lineage of before",
        "datasets/registration/overlap.py",
        "        return self._known[lineage]\n",
        "        return bool(own)\n",
        (f"{OVERLAPS}::test_a_new_version_brings_no_other_lineages_people_in",),
    ),
    Mutant(
        "a lineage changes its unit",
        "datasets/registration/terms.py",
        "    if before.unit != proposed.unit:\n",
        "    if False:\n",
        (f"{OVERLAPS}::test_a_lineage_never_changes_its_unit",),
    ),
    Mutant(
        "a lineage leaves its population",
        "datasets/registration/terms.py",
        "    if known is not None and known != named:\n",
        "    if False:\n",
        (f"{OVERLAPS}::test_a_population_may_be_said_later_and_stays",),
    ),
    Mutant(
        "a population in two measures",
        "datasets/registration/terms.py",
        "        if counted != measure:\n",
        "        if False:\n",
        (f"{OVERLAPS}::test_a_population_is_counted_in_one_measure",),
    ),
    Mutant(
        "sketches of people without the key",
        "datasets/registration/ingest/identity.py",
        "quoted(_digest(self._key, 'people'))",
        "quoted('people')",
        (f"{IDENTITY}::test_another_key_gives_other_values_and_is_told_by_them",),
    ),
    Mutant(
        "capitals hide people",
        "datasets/registration/ingest/identity.py",
        "THEN lower({unit})\"",
        "THEN {unit}\"",
        (f"{IDENTITY}::test_a_unit_is_compared_without_blanks_capitals_and_widths",),
    ),
    # Charging
    Mutant(
        "data that cannot be opened is charged",
        "datasets/queries/service.py",
        "            self._engine.ready(dataset.place)\n",
        "            pass\n",
        (
            f"{QUERIES}::test_data_that_cannot_be_opened_costs_nothing_and_the_same_key_is_answered_later",
            f"{IDEMPOTENCY}::test_data_that_cannot_be_opened_costs_nothing_and_the_same_key_is_answered_when_it_can",
        ),
    ),
    Mutant(
        "dataset charged nothing",
        "datasets/queries/service.py",
        "payers = opened.payers(charge=price, dataset_charge=price, delta_atto=delta_atto)",
        "payers = opened.payers(charge=price, dataset_charge=NOTHING, delta_atto=delta_atto)",
        (f"{QUERIES}::test_an_answer_is_charged_to_the_user_and_the_dataset",),
    ),
    Mutant(
        "data opened before the budget is looked at",
        "datasets/queries/service.py",
        "            must_fit(self.states, payers)\n",
        "            pass\n",
        (f"{QUERIES}::test_a_refusal_opens_no_data_and_costs_nothing",),
    ),
    Mutant(
        "debit without a condition",
        "datasets/ledger/statements.py",
        "        AND accounts.spent + payer.charge <= coalesce(accounts.granted, {PRICE_NANO_MAX})\n",
        "",
        (f"{SIX}[sqlite-contract]", f"{QUERIES}::test_the_lifetime_cap_holds_between_users_that_race"),
    ),
    Mutant(
        "debit without a condition in the one statement",
        "datasets/ledger/statements.py",
        "            spent + charge <= coalesce(granted, {PRICE_NANO_MAX})\n            AND delta_spent",
        "            delta_spent",
        ("tests/store/test_ledger_payers.py::test_an_account_without_a_limit_ends_at_the_limit_of_amounts[postgresql]",),
    ),
    Mutant(
        "rows locked in another order",
        "datasets/ledger/statements.py",
        "        ORDER BY payer.place\n        FOR UPDATE",
        "        ORDER BY payer.place DESC\n        FOR UPDATE",
        (f"{SETTLED}::test_who_waits_for_the_first_row_holds_no_other",),
    ),
    Mutant(
        "a settlement that is refused because an account was raised meanwhile",
        "datasets/ledger/settlement.py",
        "        except CHECK_FAILED:\n",
        "        except ZeroDivisionError:\n",
        (f"{SETTLED}::test_who_waits_for_a_raise_pays_from_it",),
    ),
    Mutant(
        "a proof that does not look at grants",
        "datasets/ledger/proof.py",
        "        if before != wish:\n",
        "        if False:\n",
        (f"{PROOF}::test_a_wish_that_was_changed_before_it_was_approved_is_found[sqlite]",),
    ),
    Mutant(
        "a proof that lets one person raise a cap",
        "datasets/ledger/proof.py",
        "        if raised and (second is None or same_person(second, body[\"requested_by\"])):\n",
        "        if raised and second is None:\n",
        (f"{PROOF}::test_a_cap_that_one_person_raised_in_the_journal_is_found",),
    ),
    Mutant(
        "payers that are there pay though another is not",
        "datasets/ledger/statements.py",
        "SELECT count(*) = %(payers)s::bigint AND bool_and(",
        "SELECT bool_and(",
        ("tests/store/test_ledger_settle.py::test_a_payer_that_has_no_account_is_refused[postgresql]",),
    ),
    Mutant(
        "an answer kept though somebody could not pay",
        "datasets/ledger/statements.py",
        "|| ']' FROM paid)\n        FROM fits WHERE all_pay",
        "|| ']' FROM paid)\n        FROM fits",
        (f"{SETTLED}::test_what_does_not_fit_is_refused_at_every_level_and_changes_nothing[postgresql-limits0-user]",),
    ),
    Mutant(
        "a settlement that commits its debit before its lines",
        "datasets/ledger/settlement.py",
        "            paid = [by_key[payer.lineage, payer.kind, payer.holder] for payer in settlement.payers]\n",
        """            paid = [by_key[payer.lineage, payer.kind, payer.holder] for payer in settlement.payers]
            tx.execute("COMMIT", {})
            tx.execute("BEGIN IMMEDIATE", {})
""",
        (f"{KILLED}::test_killed_before_any_statement_nothing_happened[sqlite-three registers]",),
    ),
    Mutant(
        "an account without a limit that refuses",
        "datasets/ledger/accounts.py",
        "        return (self.granted or MOST) - self.spent",
        "        return (self.granted or self.spent) - self.spent",
        (
            f"{QUERIES}::test_an_answer_is_charged_to_the_user_and_the_dataset",
        ),
    ),
    Mutant(
        "a first limit that forgets what was spent without one",
        "datasets/ledger/proof.py",
        "        first = 0 if kind in CHAINED else self.spent\n",
        "        first = 0\n",
        (f"{SETTLED}::test_a_first_limit_counts_from_what_was_spent_without_one[sqlite]",),
    ),
    Mutant(
        "overspending that the database lets through",
        "datasets/database/migrations/versions/0003_any_number_of_payers.py",
        '"spent >= 0 AND spent <= granted"',
        '"spent >= 0"',
        (f"{QUERIES}::test_the_database_itself_refuses_to_hold_more_spent_than_granted",),
    ),
    Mutant(
        "view that only its first lineage pays for",
        "datasets/ledger/settlement.py",
        "    for lineage in lineages:\n        payers += [",
        "    for lineage in lineages[:1]:\n        payers += [",
        (f"{OVER_HTTP}::test_a_question_to_a_view_is_charged_in_every_lineage",),
    ),
    Mutant(
        "view open to whoever has an account in one lineage",
        "datasets/queries/service.py",
        'if sum(state.kind == "user" for state in found.states) < len(dataset.lineages):',
        'if not any(state.kind == "user" for state in found.states):',
        (f"{OVER_HTTP}::test_a_view_is_open_to_those_who_have_an_account_everywhere",),
    ),
    Mutant(
        "restore that takes damaged files",
        "datasets/operations/manifest.py",
        "if _found(folder / path) != expected:",
        "if not (folder / path).exists():",
        (f"{RESTORE}::test_bad_backups_are_refused_and_nothing_is_touched",),
    ),
    Mutant(
        "a reason that forges lines where it is shown",
        "datasets/database/texts.py",
        "return text if is_line(given) and 1 <=",
        "return text if 1 <=",
        ("tests/unit/test_texts.py::test_what_does_something_to_whoever_shows_it_is_no_reason_and_no_title",),
    ),
    Mutant(
        "a manifest that names files elsewhere",
        "datasets/operations/manifest.py",
        'not pure.is_absolute() and ".." not in pure.parts',
        "True",
        ("tests/unit/test_manifest.py::test_what_no_backup_writes_is_damage_and_nothing_of_it_is_told",),
    ),
    Mutant(
        "restore beside a running server",
        "datasets/operations/restore.py",
        "        with alone(target.data_dir / SERVING):\n            return",
        "        if True:\n            return",
        (f"{RESTORE}::test_a_restore_waits_for_no_server_and_no_other_restore",),
    ),
    Mutant(
        "restore without the journal that stops nobody",
        "datasets/operations/reapplication.py",
        'subjects += [("user", name) for name in tx.execute(users).scalars()]',
        "tx.execute(users)",
        (f"{RESTORE}::test_without_the_journal_everything_is_stopped_and_the_comparison_says_what_is_missing",),
    ),
    Mutant(
        "restore that gives disabled users their access back",
        "datasets/operations/reapplication.py",
        '    "user_disabled": _user_disabled,',
        '    "user_disabled": _nothing,',
        (f"{RESTORE}::test_with_the_journal_nothing_is_forgotten[sqlite]",),
    ),
    Mutant(
        "proof that excuses every missing answer once there was a restore",
        "datasets/ledger/proof.py",
        "if not any(entry.number in lines for lines in self.restored):",
        "if not self.restored:",
        (f"{RESTORE}::test_an_answer_that_is_missing_is_found_wherever_no_restore_put_its_line_back",),
    ),
    Mutant(
        "proof that overlooks the other lineages' lines",
        "datasets/ledger/proof.py",
        """        elif body.get("kind") == LINKED:
            problems += self._link(entry, body, answers)
""",
        "",
        (f"{VIEWS}::test_a_linked_line_that_was_written_twice_is_found[sqlite]",),
    ),
    Mutant(
        "proof that does not count the other lineages' lines",
        "datasets/ledger/proof.py",
        "sorted(links_named - links_found)",
        "()",
        (
            f"{VIEWS}::test_a_linked_line_that_was_taken_out_without_a_trace_in_its_journal_is_missed[sqlite]",
        ),
    ),
    Mutant(
        "delta that is never charged",
        "datasets/ledger/settlement.py",
        "                delta_atto=delta_atto,\n",
        "",
        (f"{VIEWS}::test_the_delta_of_a_view_is_paid_in_every_lineage[sqlite]",),
    ),
    Mutant(
        "joined rows of whoever is near enough in spelling",
        "datasets/registration/ingest/joining.py",
        "columns = [f\"{named(part.unit)} AS person\"]",
        "columns = [f\"lower({named(part.unit)}) AS person\"]",
        ("tests/store/test_views.py::test_the_join_is_what_a_loop_over_all_pairs_finds",),
    ),
    Mutant(
        "answer told though it could not be settled",
        "datasets/queries/service.py",
        """        if released is None:
            raise AnswerFailed
""",
        """        except Exception:
            from datasets.ledger.settlement import _Paid, _stored

            free = _Paid(0, 1, "")
            stored = _stored(settlement, [free] * len(payers), "")
""",
        (f"{QUERIES}::test_what_could_not_be_settled_is_not_told",),
    ),
    Mutant(
        "failing is free",
        "datasets/queries/service.py",
        "            made = None\n",
        "            raise AnswerFailed from failure\n",
        (f"{QUERIES}::test_a_failure_after_data_was_opened_is_charged_and_stays_one",),
    ),
    Mutant(
        "replay that draws fresh noise",
        "datasets/queries/service.py",
        "            if earlier is not None:\n                # Whoever cannot",
        "            if False:\n                # Whoever cannot",
        (f"{QUERIES}::test_the_same_question_again_is_free_and_tells_the_same",),
    ),
    Mutant(
        "retry that opens the data again",
        "api/queries/idempotency.py",
        "if KEY.fullmatch(key) and isinstance(body, dict)",
        "if False and isinstance(body, dict)",
        ("tests/http/test_idempotency.py::test_a_retry_opens_no_data",),
    ),
    Mutant(
        "retry that is refused though it was answered and paid for meanwhile",
        "datasets/queries/service.py",
        """            with suppress(NoAnswer):
                return self.replay(user=request.caller.name, key=request.key, digest=request.digest)
""",
        "",
        (
            f"{QUERIES}::test_a_retry_that_no_longer_fits_because_its_first_answer_was_paid_gets_that_answer",
        ),
    ),
    Mutant(
        "noise that lost a race given out beside the winner's charge",
        "datasets/queries/service.py",
        "return settled_answer(stored, self._ledger.load(id=stored.id))\n        if",
        "return settled_answer(stored, settlement.table, made=released)\n        if",
        (
            f"{QUERIES}::test_a_rival_with_the_same_key_on_another_machine_wins_and_both_tell_its_answer",
        ),
    ),
    Mutant(
        "an answer retold as another dataset's",
        "datasets/ledger/answers.py",
        '        _c.dataset == bindparam("of_dataset"),\n',
        "",
        (f"{QUERIES}::test_an_answer_about_another_dataset_of_the_lineage_is_not_told_again",),
    ),
    Mutant(
        "persons of several rows pay once for many filters",
        "privacy/parallel.py",
        '    if isinstance(estimator, Plain) and estimator.exact.kind not in ("rows", "total"):\n'
        "        return False\n",
        "    return True\n",
        ("tests/unit/test_parallel.py::test_persons_of_several_rows_pay_for_each_filter",),
    ),
    Mutant(
        "filters that overlap share a price",
        "privacy/parallel.py",
        "if sharing and all(are_disjoint(",
        "if sharing and any(are_disjoint(",
        ("tests/unit/test_parallel.py::test_what_can_be_seen_to_exclude_each_other",),
    ),
    Mutant(
        "an engine that forgets the filter of a sum",
        "datasets/engines/sql.py",
        "return total(_added(exact, all_of(*tests) if tests else None, rows))",
        "return total(_added(exact, taking_part, rows))",
        ("tests/store/test_engine.py::test_a_filter_of_a_statistic_and_persons_in_a_group",),
    ),
    Mutant(
        "an engine that counts a person of two values of a group twice",
        "datasets/engines/keys.py",
        "plain = not axis.owners and last_code",
        "plain = last_code",
        ("tests/store/test_engine.py::test_a_filter_of_a_statistic_and_persons_in_a_group",),
    ),
    Mutant(
        "an answer told again at the price asked",
        "datasets/queries/service.py",
        "NOTHING if is_own else planned.worth(earlier.prices), dataset_charge",
        "NOTHING if is_own else planned.price, dataset_charge",
        (f"{REUSE}::test_a_better_answer_is_told_again_for_what_it_is_worth",),
    ),
    Mutant(
        "an answer told again that is kept at the price asked",
        "datasets/queries/service.py",
        "            prices=earlier.prices,\n",
        "            prices=planned.prices,\n",
        (f"{REUSE}::test_what_was_told_again_is_worth_as_much_to_the_next",),
    ),
    Mutant(
        "the price of an earlier version's cheap retelling stands for a dear answer",
        "datasets/ledger/answers.py",
        "_measured = _c.dataset_charge > 0\n",
        "_measured = _c.dataset_charge >= 0\n",
        (f"{QUERIES}::test_an_answer_that_others_were_told_too_cheaply_is_not_told_on_at_that_price",),
    ),
    Mutant(
        "reuse over organisations where it is confined",
        "datasets/queries/service.py",
        "request.caller.organisation if confined else None",
        "None",
        (f"{REUSE}::test_confined_answers_are_told_again_within_the_organisation_alone",),
    ),
    Mutant(
        "answers too poor to be told hide others",
        "datasets/ledger/answers.py",
        '        _c.charge >= bindparam("least"),\n',
        '        bindparam("least") > 0,\n',
        (f"{SETTLED}::test_answers_that_may_not_be_told_or_are_too_poor_hide_no_others[sqlite-None]",),
    ),
    Mutant(
        "whoever cannot pay for an earlier answer is refused for it",
        "datasets/queries/service.py",
        "                with suppress(BudgetExhausted):\n                    return self._answer_again",
        "                if True:\n                    return self._answer_again",
        (f"{REUSE}::test_no_price_is_too_small_to_be_asked_for_a_large_answer",),
    ),
    # Populations
    Mutant(
        "population charged for each register of a view",
        "datasets/ledger/settlement.py",
        "population_key(name).row, charge=dataset_charge,",
        "population_key(name).row, charge=Price(dataset_charge.nano * len(lineages)),",
        (f"{POPULATIONS}::test_a_view_over_two_registers_of_one_population_costs_it_once[sqlite]",),
    ),
    Mutant(
        "population that pays for nothing",
        "datasets/queries/service.py",
        "        populations=dataset.populations,\n",
        "",
        ("tests/http/test_populations.py::test_every_register_costs_the_population_and_a_view_of_several_once",),
    ),
    Mutant(
        "register that leaves behind what it has spent",
        "datasets/ledger/accounts.py",
        "_c.spent + register.spent.nano",
        "_c.spent",
        (f"{POPULATIONS}::test_a_register_that_joins_late_brings_what_it_has_spent[sqlite]",),
    ),
    Mutant(
        "register that changes its population",
        "datasets/ledger/accounts.py",
        "    if register.population is not None:\n",
        "    if False:\n",
        (f"{POPULATIONS}::test_a_register_keeps_its_population[sqlite]",),
    ),
    Mutant(
        "register that joins above the cap of its population",
        "datasets/ledger/accounts.py",
        "    if register.spent > population.remaining or",
        "    if False and",
        (f"{POPULATIONS}::test_a_register_that_has_spent_more_than_the_population_has_left_does_not_join[sqlite]",),
    ),
    Mutant(
        "a settlement that overlooks the population of its register",
        "datasets/ledger/statements.py",
        "            accounts.population IS NULL\n",
        "            TRUE\n",
        (f"{POPULATIONS}::test_no_answer_is_settled_without_the_population_of_its_register[sqlite]",),
    ),
    Mutant(
        "the one statement that overlooks the population of its register",
        "datasets/ledger/statements.py",
        "            AND (population IS NULL OR population = ANY (%(lineages)s::text[]))\n",
        "",
        (
            f"{POPULATIONS}::test_a_settlement_under_way_while_a_register_joins_is_counted_or_refused[postgresql-joining]",
        ),
    ),
    Mutant(
        "a proof that does not look at what a register had spent when it joined",
        "datasets/ledger/proof.py",
        "        if (balance.spent, balance.delta_spent) != (join.spent, join.delta_spent):\n",
        "        if False:\n",
        (f"{POPULATIONS}::test_what_was_changed_about_a_joining_is_found[sqlite-spent less]",),
    ),
    Mutant(
        "a proof that lets a population be passed over",
        "datasets/ledger/proof.py",
        " or not self._pays_population(entry.number, linked):",
        ":",
        (f"{POPULATIONS}::test_an_answer_that_its_population_was_not_charged_for_is_found[sqlite]",),
    ),
    Mutant(
        "a first cap on top of what was spent without one",
        "datasets/ledger/grants.py",
        "    return literal(0) if kind in CHAINED else _a.spent\n",
        "    return _a.spent\n",
        ("tests/http/test_populations.py::test_the_first_cap_takes_two_people_and_is_the_total_of_a_lifetime",),
    ),
    Mutant(
        "names of others' datasets among the own budgets",
        "api/budgets/views.py",
        "        if name in own\n",
        "",
        ("tests/http/test_populations.py::test_the_own_budgets_list_the_population_with_own_datasets_alone",),
    ),
    # Grants
    Mutant(
        "limit lowered below what was spent",
        "datasets/ledger/grants.py",
        "if _set_granted(tx, grant.key, lowered, only_if=lowered >= _a.spent):",
        "if _set_granted(tx, grant.key, lowered, only_if=lowered >= 0):",
        (f"{GRANTS}::test_no_account_is_lowered_below_what_it_spent[sqlite]",),
    ),
    Mutant(
        "lowering that raises",
        "datasets/ledger/grants.py",
        '"lower": _lower}',
        '"lower": _raise}',
        (f"{GRANTS}::test_one_person_lowers_any_account_at_once[sqlite-account0-1]",),
    ),
    Mutant(
        "lowering journaled as a raise",
        "datasets/ledger/grants.py",
        '"lower": "grant_lowered"',
        '"lower": "grant"',
        (f"{GRANTS}::test_one_person_lowers_any_account_at_once[sqlite-account0-1]",),
    ),
    Mutant(
        "lowering that is taken for a raise",
        "datasets/budgets/service.py",
        'if request.change == "lower":',
        'if request.change == "less":',
        (f"{BUDGETS}::test_lowering_takes_back_what_is_unspent_and_says_how_much_that_is[sqlite]",),
    ),
    Mutant(
        "grant that is made effective by returning it",
        "datasets/budgets/service.py",
        "made = self._ledger.send_back(**decided, reason=",
        "made = self._ledger.approve(**decided, reason=",
        (f"{BUDGETS}::test_each_decision_does_what_it_is_called[sqlite]",),
    ),
    Mutant(
        "returned grant that raises the account",
        "datasets/ledger/grants.py",
        'if grant.state == "effective":',
        'if grant.state in BY_ANOTHER_PERSON:',
        (f"{GRANTS}::test_a_wish_that_lacks_something_is_sent_back_with_what_is_missing[sqlite]",),
    ),
    Mutant(
        "second person who is the first",
        "datasets/ledger/grants.py",
        "            if state in BY_ANOTHER_PERSON:\n",
        "            if not state:\n",
        (f"{GRANTS}::test_the_same_person_can_not_approve[sqlite-mayor]",),
    ),
    Mutant(
        "first person under another spelling",
        "datasets/ledger/accounts.py",
        'unicodedata.normalize("NFKC", name).strip().casefold()',
        "name",
        (f"{GRANTS}::test_the_same_person_can_not_approve[sqlite- Mayor ]",),
    ),
    Mutant(
        "reserve that one person raises",
        "datasets/ledger/grants.py",
        "waits = account.kind in CAPS and approved_by is None",
        "waits = account.kind in CHAINED and approved_by is None",
        (f"{GRANTS}::test_a_contract_is_limited_by_one_person_and_a_reserve_by_two[sqlite]",),
    ),
    Mutant(
        "choice of an account by what is true",
        "datasets/budgets/service.py",
        "if getattr(request, member) is not None]",
        "if getattr(request, member)]",
        (f"{BUDGETS}::test_what_does_not_fit_is_refused_at_its_member[sqlite--NotOneAccount-4]",),
    ),
    # Values that nobody declared
    Mutant(
        "threshold of one value where a person may bring many",
        "privacy/partition_selection.py",
        "    return max(rows / count * _tail(at - count, sigma) for count in counts)",
        "    return max(_tail(at - count, sigma) for count in counts)",
        (f"{UNKNOWN}::test_no_way_of_having_values_alone_is_told_more_often_than_the_exposure",),
    ),
    Mutant(
        "threshold one too low",
        "privacy/partition_selection.py",
        "            low = middle + 1\n    return high\n",
        "            low = middle + 1\n    return high - 1\n",
        (f"{UNKNOWN}::test_the_threshold_is_the_least_whose_exposure_delta_allows",),
    ),
    Mutant(
        "code of a word that depends on the other words",
        "datasets/registration/ingest/coding.py",
        "(md5_number_lower({quoted(key)} || {word}) >> 2)::BIGINT END",
        "dense_rank() OVER (ORDER BY {word}) END",
        (f"{OPEN}::test_a_word_has_the_same_code_whatever_else_is_in_the_register",),
    ),
    # Splits and workloads
    Mutant(
        "rows of a splitting bin on both sides",
        "privacy/splits.py",
        "left[-1], right[0] = cut[share], count - cut[share]",
        "left[-1], right[0] = count, count",
        (f"{SPLITS}::test_rows_more_cost_on_all_paths_together_no_more_than_their_number_of_prices",),
    ),
    Mutant(
        "a table that takes rows from another",
        "privacy/plan.py",
        "axis if all(place in table.keys for table in tables) else _with_rest(axis, schema)",
        "axis",
        ("tests/unit/test_layout.py::test_rows_in_no_bin_pull_no_estimate_away",),
    ),
    # De-identification
    Mutant(
        "classes of one person fewer than k",
        "privacy/deidentify/search/conditions.py",
        "self.k = max((model.k for model in models if isinstance(model, KAnonymity)), default=1)",
        "self.k = max((model.k - 1 for model in models if isinstance(model, KAnonymity)), default=1)",
        (f"{SEARCH}::test_k_anonymity_by_every_measure",),
    ),
    Mutant(
        "one suppressed row more than the limit",
        "privacy/deidentify/search/engine.py",
        "int(self.suppression * self.table.rows + ROUND)",
        "int(self.suppression * self.table.rows + 1)",
        (f"{SEARCH}::test_as_many_rows_as_the_limit_allows_may_go_and_not_one_more",),
    ),
    Mutant(
        "suppressed rows told as they are",
        "privacy/deidentify/search/engine.py",
        "    published[assigned.scheme < 0] = values[SUPPRESSED]\n",
        "",
        (f"{LOCAL}::test_who_fits_nowhere_is_suppressed_within_the_limit_and_brought_in_beyond_it",),
    ),
    Mutant(
        "finer nodes ruled out by what they may yet keep",
        "privacy/deidentify/search/branch_and_bound.py",
        "        if cost.surely > self.limit or",
        "        if cost.suppressed > self.limit or",
        (f"{SEARCH}::test_a_class_that_fails_may_split_into_one_that_holds_and_little_to_suppress",),
    ),
    Mutant(
        "a stopped search called optimal",
        "privacy/deidentify/search/branch_and_bound.py",
        "return 0.0 if lowest >= self.value - EQUAL else float(self.value - lowest)",
        "return 0.0",
        (f"{SEARCH}::test_the_longer_it_may_search_the_better_and_the_surer",),
    ),
    Mutant(
        "disclosure taken to stay when a class splits",
        "privacy/deidentify/search/kernels.py",
        "                elif mixes and sure:\n",
        "                elif mixes:\n",
        (f"{SEARCH}::test_classes_too_poor_in_a_value_may_split_into_classes_without_it",),
    ),
    Mutant(
        "the population's rows in the loss",
        "privacy/deidentify/search/loss.py",
        "(column if counted is None else column.take(counted)).counts() for",
        "column.counts() for",
        (f"{SEARCH}::test_what_one_node_says_of_finer_ones_is_so_with_a_population",),
    ),
    Mutant(
        "rows counted for persons by models of all classes",
        "privacy/deidentify/search/lattice.py",
        "smallest_dropped(model, persons, cost, failed)",
        "smallest_dropped(model, sizes, cost, failed)",
        (f"{SEARCH}::test_models_of_all_classes_together_count_persons",),
    ),
    Mutant(
        "cells taken that are large and not diverse",
        "privacy/deidentify/search/local.py",
        "        scratch.accepted[large[failed > 0]] = False\n",
        "",
        (f"{LOCAL}::test_models_of_an_attribute",),
    ),
    Mutant(
        "a verifier content with one person fewer",
        "privacy/deidentify/proof/verify.py",
        "        case KAnonymity(k=k) | KMap(k=k):\n            return _at_least(found, k)",
        "        case KAnonymity(k=k) | KMap(k=k):\n            return _at_least(found, k - 1)",
        (f"{VERIFIED}::test_more_is_asked_of_the_larger_k",),
    ),
    Mutant(
        "an ordered distance by the number of values",
        "privacy/deidentify/proof/verify.py",
        "np.asarray(steps / max(1, differences.shape[1] - 1))",
        "np.asarray(steps / max(1, differences.shape[1]))",
        (f"{PAPERS}::test_the_earth_movers_distances_of_the_t_closeness_paper",),
    ),
    Mutant(
        "a value reflected only once",
        "privacy/deidentify/operations/edges.py",
        "np.mod(values - low, 2 * span)",
        "np.mod(values - low, span)",
        (f"{NUMBERS}::test_reflection_is_mirroring_until_inside",),
    ),
    Mutant(
        "rare values counted in rows",
        "privacy/deidentify/standard/item4.py",
        "    return places[holders(column, context.persons)[places] <",
        "    return places[holders(column, None)[places] <",
        (f"{STANDARD}::test_many_rows_of_few_persons_are_few",),
    ),
    Mutant(
        "classes lend records that they cannot spare",
        "privacy/deidentify/search/kernels.py",
        "                if size[group_of[d]] > k:",
        "                if size[group_of[d]] >= k:",
        (f"{LOCAL}::test_classes_lend_what_they_can_spare_and_no_more",),
    ),
    Mutant(
        "a node ruled out by a look at groups that pass",
        "privacy/deidentify/search/packing.py",
        "            if lost > limit:\n                return True",
        "            if lost >= limit:\n                return True",
        (f"{SEARCH}::test_a_look_at_part_of_the_groups_proves_too_many_lost_or_nothing",),
    ),
    Mutant(
        "local recoding that loses more than a single scheme",
        "privacy/deidentify/search/engine.py",
        "_one_scheme(task, lattice, loss if solved else np.inf, stop)",
        "None",
        (f"{LOCAL}::test_local_recoding_never_loses_more_than_the_best_single_scheme",),
    ),
    Mutant(
        "rows left out that stay out although they were joined to others",
        "privacy/deidentify/search/residue.py",
        "        return self.rank <= low",
        "        return (self.rank <= low) & (self.rank > 0)",
        (f"{LOCAL}::test_classes_lend_what_they_can_spare_and_no_more",),
    ),
    Mutant(
        "a minimality attacker who forgets what was published",
        "privacy/deidentify/proof/attack.py",
        "        if _released(publish, world) == seen:",
        "        if _released(publish, world) is not None:",
        ("tests/unit/test_deid_attacked.py::test_a_margin_of_one_value_keeps_who_reruns_the_program_at_one_half",),
    ),
    # HTTP
    Mutant(
        "a role that nobody looks at",
        "api/http/roles.py",
        "if who.role not in may_call:",
        "if not may_call:",
        (f"{REACHED}[forbidden]",),
    ),
    Mutant(
        "requests that nobody counts",
        "api/http/roles.py",
        "count_request(who.name)",
        "pass",
        (f"{REACHED}[rate_limited]",),
    ),
    Mutant(
        "a parameter in the address that is overlooked",
        "api/http/roles.py",
        "if len(values) > 1 or not reads_query",
        "if len(values) > 1",
        ("tests/http/test_get_datasets.py::test_unknown_parameters_are_refused",),
    ),
    Mutant(
        "an answer without a member that the description requires",
        "api/catalog/views.py",
        '        "version": dataset.version,\n',
        "",
        ("tests/http/test_get_datasets.py::test_a_retired_dataset_is_still_shown_as_retired",),
    ),
    Mutant(
        "a description that does not know a member of answers",
        "openapi.yaml",
        "        within_share:\n",
        "        within_part:\n",
        (f"{DESCRIBED}::test_several_quantiles_say_by_what_share_of_the_rows_a_rank_may_be_off",),
    ),
    # People
    Mutant(
        "another secret that passes",
        "datasets/people/secret.py",
        "        raise WrongSecret\n",
        "        return\n",
        (f"{SECRET}::test_another_secret_proves_nobody_and_makes_no_key",),
    ),
    Mutant(
        "a lost secret that is replaced",
        "api/services.py",
        "        if lost and not self.settings.has_secret:\n",
        "        if False:\n",
        (f"{SECRET}::test_a_lost_file_is_not_replaced_where_the_database_has_keys",),
    ),
    Mutant(
        "a secret made beside the data of PostgreSQL",
        "api/settings.py",
        'if not self.secret_key and not self.database_url.startswith("sqlite"):',
        "if False:",
        (f"{SECRET}::test_postgresql_takes_a_given_secret_alone",),
    ),
    Mutant(
        "keys made where the secret has moved on",
        "datasets/people/service.py",
        "            hold_secret(tx, self._secret, self._previous, by=by)\n            yield tx\n",
        "            yield tx\n",
        (f"{SECRET}::test_a_machine_left_behind_makes_no_keys",),
    ),
    Mutant(
        "a disabled user's key that is rotated",
        "datasets/people/service.py",
        "                raise UserDisabled(name)\n",
        "                pass\n",
        (f"{PEOPLE}::test_a_disabled_user_stays_out_even_with_a_new_key",),
    ),
    Mutant(
        "access that ends without a line of the journal",
        "datasets/people/service.py",
        '            add_line(tx, "user_disabled", by=by, user_name=name)\n',
        "",
        (f"{PEOPLE}::test_every_change_of_access_is_a_line_of_the_journal",),
    ),
    Mutant(
        "access given back with the old key",
        "datasets/people/service.py",
        "            # Never the old one: it may be in the hands because of which it was ended.\n"
        "            self._give(tx, name, key, by)\n",
        "",
        (f"{PEOPLE}::test_access_is_given_back_with_a_new_key_alone",),
    ),
    Mutant(
        "auditors who read results",
        "api/queries/views.py",
        "if role not in (MONITOR, AUDITOR)",
        "if role not in (MONITOR,)",
        (f"{BY_ROLE}::test_an_operation_is_open_to_its_roles_and_forbidden_to_others",),
    ),
    Mutant(
        "rows in what an auditor reads",
        "api/queries/views.py",
        '        "fingerprint": stored.fingerprint,\n',
        '        "fingerprint": stored.fingerprint,\n        "rows": stored.envelope.decode(),\n',
        (f"{BY_ROLE}::test_auditors_and_administrators_read_questions_and_nothing_of_results",),
    ),
    Mutant(
        "everybody reads what others asked",
        "api/queries/views.py",
        "    if caller().role not in OVERSEERS:\n",
        "    if False:\n",
        (f"{BY_ROLE}::test_auditors_and_administrators_read_questions_and_nothing_of_results",),
    ),
    Mutant(
        "monitors who read more than metrics",
        "api/http/roles.py",
        "tuple(role for role in ROLES if role != MONITOR)",
        "ROLES",
        (f"{BY_ROLE}::test_an_operation_is_open_to_its_roles_and_forbidden_to_others",),
    ),
    # The database
    Mutant(
        "ids that follow a clock which is set back",
        "datasets/database/ids.py",
        "max(time.time_ns() // 1_000, self._last + 1)",
        "time.time_ns() // 1_000",
        ("tests/store/test_ids.py::test_names_ascend_when_the_clock_is_set_back",),
    ),
    Mutant(
        "fault of ours told as a database to be initialised",
        "datasets/database/store.py",
        "                return self._mismatch()\n",
        '                return self._mismatch() or NotInitialised("none")\n',
        ("tests/store/test_database_failures.py::test_a_wrong_statement_of_ours_is_no_refusal",),
    ),
    Mutant(
        "password of the database in the log",
        "datasets/database/failures.py",
        "    for password in _passwords(url):\n",
        "    for password in ():\n",
        ("tests/store/test_database_failures.py::test_a_password_that_a_driver_repeats_is_not_logged",),
    ),
    Mutant(
        "a question underway that is charged after its dataset was stopped",
        "datasets/ledger/statements.py",
        "            WHERE stops.kind = payer.kind AND stops.subject = payer.holder\n                OR stops.kind",
        "            WHERE stops.kind",
        ("tests/store/test_stops.py::test_what_is_stopped_pays_nothing_until_it_is_resumed[sqlite-user-aoi]",),
    ),
    Mutant(
        "the one statement that overlooks what is stopped",
        "datasets/ledger/statements.py",
        "        ) AND NOT EXISTS (SELECT 1 FROM stopped) AS all_pay\n",
        "        ) AS all_pay\n",
        ("tests/store/test_stops.py::test_what_is_stopped_pays_nothing_until_it_is_resumed[postgresql-dataset-residents]",),
    ),
    Mutant(
        "a stop that waits for no settlement underway",
        "datasets/database/stops.py",
        '    if tx.dialect.name == "postgresql":\n',
        "    if False:\n",
        ("tests/store/test_stops.py",),
    ),
    Mutant(
        "a stopped dataset whose answers are told again",
        "datasets/ledger/answers.py",
        "    if row.stopped:\n",
        "    if False:\n",
        ("tests/http/test_stopped.py",),
    ),
    Mutant(
        "a stopped user whose key works",
        "datasets/people/service.py",
        "        if row.user_stopped or row.organisation_stopped:\n",
        "        if False:\n",
        ("tests/http/test_stopped.py",),
    ),
    Mutant(
        "a grant that any user's key approves",
        "api/commands/grants.py",
        '    if who.role != "administrator":\n',
        "    if False:\n",
        ("tests/store/test_cli.py::test_a_key_that_may_not_decide_approves_nothing",),
    ),
    Mutant(
        "a folder of a version that is used twice",
        "datasets/registration/folders.py",
        '    return f"v{number}-{secrets.token_hex(8)}"\n',
        '    return f"v{number}"\n',
        ("tests/store/test_folders.py::test_of_two_machines_that_register_at_once_one_is_refused_and_the_other_serves",),
    ),
    Mutant(
        "a sweep that takes what is at work",
        "datasets/registration/folders.py",
        "            if _changed_at(folder) < latest:\n",
        "            if True:\n",
        ("tests/store/test_folders.py",),
    ),
    Mutant(
        "the version that answers is purged",
        "datasets/registration/lifecycle.py",
        "    if number == dataset.version and dataset.retired_at is None:\n",
        "    if False:\n",
        ("tests/store/test_lifecycle.py::test_the_version_that_answers_is_not_purged_unless_the_dataset_is_retired",),
    ),
    Mutant(
        "a purge that forgets the people",
        "datasets/registration/lifecycle.py",
        "        if entry.name != IDENTITY_FILE:\n            remove",
        "        if True:\n            remove",
        ("tests/store/test_lifecycle.py",),
    ),
    Mutant(
        "a dataset that is brought back after a year",
        "datasets/registration/lifecycle.py",
        "        if _time(at) - _time(found.retired_at) > REOPEN_WITHIN:\n",
        "        if False:\n",
        ("tests/store/test_lifecycle.py",),
    ),
    # Jobs, and whom the server believes
    Mutant(
        "a job that another does now is done twice",
        "datasets/jobs/leases.py",
        "            free = or_(LEASES.c.holder.is_(None), LEASES.c.until < _text(at))",
        "            free = LEASES.c.name == name",
        (f"{JOBS}::test_what_another_holds_is_left_alone_and_told",),
    ),
    Mutant(
        "the lease of a killed holder never runs out",
        "datasets/jobs/leases.py",
        "or_(LEASES.c.holder.is_(None), LEASES.c.until < _text(at))",
        "LEASES.c.holder.is_(None)",
        (f"{JOBS}::test_the_lease_of_a_killed_holder_runs_out",),
    ),
    Mutant(
        "another installation is replaced unsaid",
        "datasets/operations/restore.py",
        "        if theirs != manifest.installation:\n",
        "        if False:\n",
        ("tests/http/test_restore.py::test_another_installation_is_replaced_only_where_that_is_said",),
    ),
    Mutant(
        "lines that the export lacks are lost unsaid",
        "datasets/operations/restore.py",
        "            if entry.head not in tail.heads and entry.kind not in OF_RESTORES:\n",
        "            if False:\n",
        ("tests/http/test_restore.py::test_what_the_standing_database_knows_and_the_export_lacks_is_not_lost_unsaid",),
    ),
    Mutant(
        "what was decided is taken back",
        "datasets/operations/restore.py",
        "            if not change.is_decided:\n",
        "            if True:\n",
        ("tests/http/test_restore.py::test_what_was_decided_is_not_taken_back",),
    ),
    Mutant(
        "the secret of a backup replaces a later one",
        "datasets/operations/restore.py",
        "        if self.secret_digest not in (None, _digest_of_secret(staged)):\n",
        "        if False:\n",
        ("tests/http/test_restore.py::test_the_secret_of_a_backup_does_not_replace_a_later_one",),
    ),
    Mutant(
        "older rows answer after a restore",
        "datasets/operations/reapplication.py",
        "    lost += _without_rows(tx, tail)\n",
        "",
        ("tests/http/test_restore.py::test_a_later_version_and_a_purged_one_do_not_let_older_rows_answer",),
    ),
    Mutant(
        "a backup without vaults",
        "datasets/operations/backup.py",
        '        folders[:] = [name for name in folders if not name.startswith(".")]\n',
        '        folders[:] = []\n',
        ("tests/http/test_restore.py::test_vaults_are_backed_up_and_come_back",),
    ),
    Mutant(
        "folders of a forged backup may lie anywhere",
        "datasets/operations/restore.py",
        "            or not all(FOLDER.fullmatch(folder) for folder in folders)\n",
        "",
        ("tests/http/test_restore.py::test_a_backup_whose_folders_lie_elsewhere_is_refused",),
    ),
    Mutant(
        "a command that works beside a restore",
        "api/commands/main.py",
        "        if found[0] in BESIDE_NO_RESTORE:\n",
        "        if False:\n",
        ("tests/http/test_restore.py::test_no_command_works_beside_a_restore",),
    ),
    Mutant(
        "jobs sweep the data folder of another database",
        "datasets/registration/folders.py",
        "    if not is_own(data_dir, store):\n",
        "    if False:\n",
        ("tests/http/test_restore.py::test_jobs_of_another_database_touch_nothing_in_a_data_folder",),
    ),
    Mutant(
        "folders that a restore set aside are swept",
        "datasets/registration/folders.py",
        "        if folder in named or (folder / SET_ASIDE).exists() or not (is_staging or is_ours):\n",
        "        if folder in named or not (is_staging or is_ours):\n",
        ("tests/http/test_restore.py::test_what_a_restore_set_aside_is_not_swept",),
    ),
    Mutant(
        "forwarding headers of anybody are believed",
        "api/server/public_address.py",
        "        if not self._proxies.trust(peer):",
        "        if False:",
        (f"{PUBLIC}::test_the_log_tells_the_client_by_trusted_proxies_alone",),
    ),
    Mutant(
        "the first address of the list is the client's",
        "api/server/public_address.py",
        "            if not self._proxies.trust(found):\n                break\n",
        "",
        (f"{PUBLIC}::test_the_log_tells_the_client_by_trusted_proxies_alone",),
    ),
    Mutant(
        "a corrected path is redirected to by the client's Host",
        "api/server/public_address.py",
        "    app.before_request(_correct_no_path)",
        "    pass",
        (f"{PUBLIC}::test_no_answer_repeats_a_host_that_the_client_chose",),
    ),
    Mutant(
        "a retold answer tells the question of whoever asked it first",
        "datasets/queries/service.py",
        "        return self._settle(request, opened, planned, outcome, payers)\n\n    def _measure",
        "        request = replace(request, question=earlier.question)\n"
        "        return self._settle(request, opened, planned, outcome, payers)\n\n    def _measure",
        (f"{READABLE}::test_a_retold_answer_tells_the_question_of_its_own_reader",),
    ),
    Mutant(
        "a question is put into words only once the data is open",
        "datasets/queries/service.py",
        "        request = replace(request, told=sentence(request.query, opened.dataset.schema))\n",
        "",
        (f"{QUERIES}::test_a_question_that_cannot_be_put_into_words_opens_no_data_and_costs_nothing",),
    ),
    Mutant(
        "labels and declared values run as formulas",
        "api/formats/csv.py",
        "    return word if _NUMBER.fullmatch(word) else _guarded(word)\n",
        "    return word\n",
        (f"{READABLE}::test_no_word_of_a_csv_is_run_and_no_number_is_changed",),
    ),
    Mutant(
        "an old answer is labelled by the newest words",
        "datasets/catalog.py",
        '        row = self._store.find_one(OF_VERSION, {"dataset": id, "number": version})\n',
        '        row = self._store.find_one(OF_VERSION, {"dataset": id, "number": self.current(id).version})\n',
        (f"{READABLE}::test_labels_are_those_of_the_version_that_was_asked",),
    ),
    Mutant(
        "answers of earlier versions are told more than they were",
        "datasets/queries/answer.py",
        "    return stored.question if told_in(stored) else None\n",
        "    return stored.question\n",
        ("tests/http/test_data_of_earlier_versions.py::test_a_retry_of_an_old_question_gets_the_old_answer",),
    ),
    Mutant(
        "what is told again is the part that was shown before",
        "datasets/queries/service.py",
        "self._ledger.load(id=earlier.id)).released, planned)",
        "self._ledger.load(id=earlier.id)).table, planned)",
        (f"{PRESENTED}::test_rows_are_selected_anew_from_an_answer_that_is_told_again",),
    ),
    Mutant(
        "bounds of two intervals claim the confidence of one",
        "privacy/derived.py",
        "return 1 - sum(self.risks.values(), Fraction(0))",
        "return 1 - max(self.risks.values(), default=Fraction(0))",
        ("tests/unit/test_derived.py::test_bounds_of_several_intervals_hold_together_as_bonferroni_says",),
    ),
)  # fmt: skip
