"""The compiled inner loops: grouping packed tuples, merging what each group holds, judging every group.

Each function is plain arithmetic over arrays given by its caller; none allocates what grows with the lattice.
They release the interpreter's lock, so that nodes can be checked side by side. Meaning and shapes of the
arrays are those of `packing.py` (keys), `facets.py` (what groups hold) and `conditions.py` (models as numbers).
"""

import numpy as np
from numba import njit

MIX_A = np.uint64(0x9E3779B97F4A7C15)
MIX_B = np.uint64(0xD6E8FEB86659FD93)
HALF = np.uint64(32)
UPPER, SIXTEEN, ONE = np.uint64(48), np.uint64(16), np.uint64(1)

K_DISTINCT = 0
K_ENTROPY = 1
K_RECURSIVE = 2
K_EQUAL = 3
K_ORDERED = 4
K_HIERARCHICAL = 5
K_DISCLOSURE = 6
K_LIKENESS = 7
CLOSE = 1e-12
"""Sums of floating-point shares are this near to what they stand for; a threshold met to within it is met."""

jit = njit(cache=True, nogil=True, error_model="numpy", boundscheck=False)


@jit
def part_tables(columns, first, bits, starts, labels, times, part_start, out):
    """Tables of neighbouring columns at once: out[part_start[p] + code] sums times[j] x the column's new label.

    Part p holds columns[first[p]:first[p + 1]] side by side from its lowest bit on; labels[starts[j] + code] is
    column j's new label. Entries of codes that no record has mean nothing.
    """
    for p in range(first.size - 1):
        for code in range(part_start[p + 1] - part_start[p]):
            total = np.uint64(0)
            rest = code
            for c in range(first[p], first[p + 1]):
                j = columns[c]
                total += labels[starts[j] + (rest & ((1 << bits[j]) - 1))] * times[j]
                rest >>= bits[j]
            out[part_start[p] + code] = total


@jit
def group(keys, counts, keep, word, shift, mask, start, tables, slots, bits, of, out_keys, out_counts):
    """Group tuples by their generalised key; returns the number of groups.

    keys [words, n]; the new key is what `keep` masks, as it is, and each part p looked up: its code lies in
    word[p] at shift[p] under mask[p], and tables[start[p] + code] is shifted into place. Writes of[n] (the group
    of each tuple), out_keys [words, groups] and out_counts [groups]; `slots` is scratch of 2^bits.
    (The key and its hash are worked out in place here and in two more loops below: as a function of their own they
    are not inlined when compiled code comes from the cache, and cost ten times as much.)
    """
    words = keys.shape[0]
    parts = shift.size
    lows, highs = keys[0], keys[words - 1]
    new_lows, new_highs = out_keys[0], out_keys[words - 1]
    high = np.uint64(0)
    for at in range(1 << bits):
        slots[at] = -1
    wrap = np.uint64((1 << bits) - 1)
    down = np.uint64(64 - bits)
    groups = 0
    for i in range(counts.size):
        own = lows[i]
        low = own & keep[0]
        if words == 1:
            for p in range(parts):
                low |= tables[start[p] + ((own >> shift[p]) & mask[p])]
        else:
            upper = highs[i]
            high = upper & keep[1]
            for p in range(parts):
                if word[p] == 0:
                    low |= tables[start[p] + ((own >> shift[p]) & mask[p])]
                else:
                    high |= tables[start[p] + ((upper >> shift[p]) & mask[p])]
        mixed = low * MIX_A + high * MIX_B
        mixed ^= mixed >> HALF
        mixed *= MIX_B
        at = mixed >> down
        while True:
            found = slots[at]
            if found < 0:
                slots[at] = groups
                new_lows[groups] = low
                if words == 2:
                    new_highs[groups] = high
                out_counts[groups] = counts[i]
                of[i] = groups
                groups += 1
                break
            if new_lows[found] == low and (words == 1 or new_highs[found] == high):
                out_counts[found] += counts[i]
                of[i] = found
                break
            at = (at + ONE) & wrap
    return groups


@jit
def lost_in_part(
    keys, counts, keep, word, shift, mask, start, tables, slots, bits, out_keys, out_counts, k, part
):
    """How many records lie in groups of fewer than k, looking only at groups whose hash is below part / 2^16.

    What is lost there is lost for certain, whatever the other groups hold; the parameters are those of `group`.
    """
    words = keys.shape[0]
    parts = shift.size
    lows, highs = keys[0], keys[words - 1]
    new_lows, new_highs = out_keys[0], out_keys[words - 1]
    high = np.uint64(0)
    for at in range(1 << bits):
        slots[at] = -1
    wrap = np.uint64((1 << bits) - 1)
    groups = 0
    for i in range(counts.size):
        own = lows[i]
        low = own & keep[0]
        if words == 1:
            for p in range(parts):
                low |= tables[start[p] + ((own >> shift[p]) & mask[p])]
        else:
            upper = highs[i]
            high = upper & keep[1]
            for p in range(parts):
                if word[p] == 0:
                    low |= tables[start[p] + ((own >> shift[p]) & mask[p])]
                else:
                    high |= tables[start[p] + ((upper >> shift[p]) & mask[p])]
        mixed = low * MIX_A + high * MIX_B
        mixed ^= mixed >> HALF
        mixed *= MIX_B
        if (mixed >> UPPER) >= part:
            continue
        at = (mixed >> SIXTEEN) & wrap
        if 2 * groups > (1 << bits) - 1:
            return np.int64(0)
        while True:
            found = slots[at]
            if found < 0:
                slots[at] = groups
                new_lows[groups] = low
                if words == 2:
                    new_highs[groups] = high
                out_counts[groups] = counts[i]
                groups += 1
                break
            if new_lows[found] == low and (words == 1 or new_highs[found] == high):
                out_counts[found] += counts[i]
                break
            at = (at + ONE) & wrap
    lost = np.int64(0)
    for g in range(groups):
        if out_counts[g] < k:
            lost += out_counts[g]
    return lost


@jit
def group_in_cells(keys, counts, word, shift, mask, start, tables, slots, of, out_cells, out_counts):
    """The same where all possible keys fit into `slots`: the tables' entries add up to the number of a cell."""
    for at in range(slots.size):
        slots[at] = -1
    groups = 0
    for i in range(counts.size):
        cell = np.uint64(0)
        for p in range(word.size):
            cell += tables[start[p] + ((keys[word[p], i] >> shift[p]) & mask[p])]
        found = slots[cell]
        if found < 0:
            found = groups
            slots[cell] = found
            out_cells[found] = cell
            out_counts[found] = 0
            groups += 1
        out_counts[found] += counts[i]
        of[i] = found
    return groups


@jit
def keys_of_cells(cells, word, shift, stride, size, out_keys):
    """The packed key of each cell: label (cell // stride[j]) % size[j] of column j, shifted into place."""
    for g in range(cells.size):
        for j in range(word.size):
            label = (np.int64(cells[g]) // stride[j]) % size[j]
            out_keys[word[j], g] |= np.uint64(label) << shift[j]


@jit
def rolled(
    keys,
    counts,
    fine,
    coarse,
    word,
    shift,
    bits,
    sizes,
    start,
    labels,
    columns,
    first,
    part_word,
    part_shift,
    part_mask,
    part_start,
    part_begin,
    cells_per_tuple,
):
    """Group tuples on `fine` levels by `coarse` ones: (keys, counts, group of each tuple) of the new groups.

    Column j lies in `word`, `shift`, `bits`; it has sizes[j, level] labels, and labels[start[j, a, b] + code] is its
    label on level b for a code on level a. The parts of columns are those of `part_tables`. Where there are few
    possible keys they are numbered, else hashed.
    """
    n = counts.size
    words = keys.shape[0]
    starts = np.empty(fine.size, np.int64)
    cells = 1.0
    for j in range(fine.size):
        starts[j] = start[j, fine[j], coarse[j]]
        cells *= sizes[j, coarse[j]]
    times = np.empty(fine.size, np.uint64)
    tables = np.empty(part_start[-1], np.uint64)
    of = np.empty(n, np.int32)
    new_counts = np.empty(n, np.int32)
    if cells <= cells_per_tuple * n:
        stride = np.empty(fine.size, np.int64)
        size = np.empty(fine.size, np.int64)
        step = 1
        for j in range(fine.size):
            stride[j] = step
            times[j] = np.uint64(step)
            size[j] = sizes[j, coarse[j]]
            step *= size[j]
        part_tables(columns, first, bits, starts, labels, times, part_start, tables)
        numbers = np.empty(n, np.uint64)
        slots = np.empty(step, np.int32)
        found = group_in_cells(
            keys, counts, part_word, part_shift, part_mask, part_begin, tables, slots, of, numbers, new_counts
        )
        cell_keys = np.zeros((words, found), np.uint64)
        keys_of_cells(numbers[:found], word, shift, stride, size, cell_keys)
        return cell_keys, new_counts[:found].copy(), of
    some = np.empty(part_word.size, np.int64)
    moving = 0
    keep = np.full(words, ~np.uint64(0))
    for p in range(part_word.size):
        moved = False
        for c in range(first[p], first[p + 1]):
            moved |= fine[columns[c]] != coarse[columns[c]]
        if moved:
            keep[part_word[p]] &= ~(part_mask[p] << part_shift[p])
            some[moving] = p
            moving += 1
    some = some[:moving]
    for j in range(fine.size):
        times[j] = ONE << shift[j]
    part_tables(columns, first, bits, starts, labels, times, part_start, tables)
    slot_bits = bits_for(n)
    slots = np.empty(1 << slot_bits, np.int32)
    new_keys = np.empty((words, n), np.uint64)
    found = group(
        keys,
        counts,
        keep,
        part_word[some],
        part_shift[some],
        part_mask[some],
        part_begin[some],
        tables,
        slots,
        slot_bits,
        of,
        new_keys,
        new_counts,
    )
    return new_keys[:, :found].copy(), new_counts[:found].copy(), of


@jit
def summed(of, groups, extra):
    """Sums of a further count over the tuples of each group."""
    out = np.zeros(groups, np.int64)
    for i in range(of.size):
        out[of[i]] += extra[i]
    return out


@jit
def merge(of, groups, start, codes, weights, once, seen):
    """What each group holds, from what its tuples hold: (start, codes, weights) of the groups.

    Tuple i holds codes[start[i]:start[i+1]] with weights; equal codes of one group are added up, or counted
    once where `once`. `seen` is scratch of -1s, one a code, and is left so.
    """
    n = of.size
    first = np.zeros(groups + 1, np.int64)
    for i in range(n):
        first[of[i] + 1] += 1
    for g in range(groups):
        first[g + 1] += first[g]
    member = np.empty(n, np.int32)
    fill = first[:-1].copy()
    for i in range(n):
        g = of[i]
        member[fill[g]] = i
        fill[g] += 1
    out_start = np.zeros(groups + 1, np.int64)
    out_codes = np.empty(codes.size, np.int32)
    out_weights = np.empty(codes.size, np.int32)
    at = 0
    for g in range(groups):
        begin = at
        for m in range(first[g], first[g + 1]):
            i = member[m]
            for e in range(start[i], start[i + 1]):
                code = codes[e]
                place = seen[code]
                if place < 0:
                    seen[code] = at
                    out_codes[at] = code
                    out_weights[at] = weights[e]
                    at += 1
                elif not once:
                    out_weights[place] += weights[e]
        for e in range(begin, at):
            seen[out_codes[e]] = -1
        out_start[g + 1] = at
    return out_start, out_codes[:at].copy(), out_weights[:at].copy()


@jit
def small(counts, k, failed, least):
    """Mark groups of fewer than k; all of their records must go in every finer grouping too."""
    for g in range(counts.size):
        if counts[g] < k:
            failed[g] = 1
            least[g] = counts[g]


@jit
def few(start, k, sizes, failed, least):
    """Mark groups that hold fewer than k different codes (persons)."""
    for g in range(failed.size):
        if start[g + 1] - start[g] < k:
            failed[g] = 1
            least[g] = sizes[g]


@jit
def entropy_kept(sorted_counts, d, needed):
    """The most records of a group that can stay at entropy >= needed: the larger counts cut to a water level.

    Mixtures of groups that meet the model meet it (entropy is concave), so no finer grouping keeps more.
    """
    low, high = 0.0, sorted_counts[0]
    for _ in range(40):
        level = 0.5 * (low + high)
        total = 0.0
        weighted = 0.0
        for i in range(d):
            c = min(sorted_counts[i], level)
            total += c
            if c > 0.0:
                weighted += c * np.log(c)
        if total > 0.0 and np.log(total) - weighted / total >= needed - CLOSE:
            low = level
        else:
            high = level
    total = 0.0
    for i in range(d):
        total += min(sorted_counts[i], high)
    return total


@jit
def recursive_kept(sorted_counts, d, c, l):  # noqa: E741
    """The same for r1 < c (r_l + … + r_m)."""
    low, high = 0.0, sorted_counts[0]
    for _ in range(40):
        level = 0.5 * (low + high)
        tail = 0.0
        for i in range(l - 1, d):
            tail += min(sorted_counts[i], level)
        if min(sorted_counts[0], level) < c * tail:
            low = level
        else:
            high = level
    total = 0.0
    for i in range(d):
        total += min(sorted_counts[i], high)
    return total


@jit
def capped_kept(counts, caps, d, n, needed):
    """The most records m with sum of min(count / m, cap) >= needed; the sum falls as m grows."""
    low, high = 0.0, n
    for _ in range(50):
        m = 0.5 * (low + high)
        total = 0.0
        for i in range(d):
            total += min(counts[i] / m, caps[i])
        if total >= needed - CLOSE:
            low = m
        else:
            high = m
    return high


@jit
def judge(
    start,
    codes,
    weights,
    value_of,
    mixes,
    sizes,
    whole,
    kinds,
    first,
    second,
    level_labels,
    level_sizes,
    failed,
    least,
):
    """Judge each group by the models of one attribute.

    Group g holds codes[start[g]:start[g+1]] with weights; value_of[code] is the attribute's value, `whole`
    its shares in the whole table. kinds / first / second are the models and their parameters. For the
    hierarchical distance level_labels[level, b] is the label over label b of the level below, level_sizes the
    number of labels a level. Sets failed[g], and least[g]: how many of the group's `sizes[g]` records every
    finer grouping loses; where `mixes` is false (persons counted once) only what holds for subsets is used.
    """
    values = whole.size
    count = np.zeros(values, np.float64)
    touched = np.empty(values, np.int64)
    mine = np.empty(values, np.float64)
    caps = np.empty(values, np.float64)
    top = level_labels.shape[0] - 1
    width = level_labels.shape[1]
    extra = np.zeros((2, width), np.float64)
    gain = np.zeros(width, np.float64)
    lack = np.zeros(width, np.float64)
    for g in range(failed.size):
        d = 0
        n = 0.0
        for e in range(start[g], start[g + 1]):
            v = value_of[codes[e]]
            if count[v] == 0.0:
                touched[d] = v
                d += 1
            count[v] += weights[e]
            n += weights[e]
        for q in range(kinds.size):
            kind = kinds[q]
            kept = n
            sure = True
            holds = True
            if kind == K_DISTINCT:
                holds = d >= first[q]
                kept = 0.0
            elif kind == K_ENTROPY:
                total = 0.0
                for i in range(d):
                    c = count[touched[i]]
                    total += c * np.log(c)
                needed = np.log(first[q])
                holds = np.log(n) - total / n >= needed - CLOSE
                if not holds:
                    kept = 0.0
                    if d >= first[q] - 1e-9:
                        for i in range(d):
                            mine[i] = count[touched[i]]
                        mine[:d] = np.sort(mine[:d])[::-1]
                        kept = entropy_kept(mine, d, needed)
            elif kind == K_RECURSIVE:
                l = np.int64(first[q])  # noqa: E741
                for i in range(d):
                    mine[i] = count[touched[i]]
                mine[:d] = np.sort(mine[:d])[::-1]
                tail = 0.0
                for i in range(l - 1, d):
                    tail += mine[i]
                holds = d >= l and mine[0] < second[q] * tail * (1.0 - CLOSE)
                if not holds:
                    kept = recursive_kept(mine, d, second[q], l) if d >= l else 0.0
            elif kind == K_EQUAL:
                near = 0.0
                for i in range(d):
                    near += min(count[touched[i]] / n, whole[touched[i]])
                holds = near >= 1.0 - first[q] - CLOSE
                if not holds:
                    for i in range(d):
                        mine[i] = count[touched[i]]
                        caps[i] = whole[touched[i]]
                    kept = capped_kept(mine, caps, d, n, 1.0 - first[q])
            elif kind == K_ORDERED:
                run = 0.0
                moved = 0.0
                for v in range(values):
                    run += count[v] / n - whole[v]
                    moved += abs(run)
                holds = moved <= first[q] * max(values - 1, 1) + CLOSE
                kept = n - 1.0
            elif kind == K_HIERARCHICAL:
                for v in range(values):
                    extra[0, v] = count[v] / n - whole[v]
                moved = 0.0
                for level in range(1, top + 1):
                    for a in range(level_sizes[level]):
                        gain[a] = 0.0
                        lack[a] = 0.0
                        extra[level % 2, a] = 0.0
                    for b in range(level_sizes[level - 1]):
                        a = level_labels[level, b]
                        x = extra[(level - 1) % 2, b]
                        if x > 0.0:
                            gain[a] += x
                        else:
                            lack[a] -= x
                        extra[level % 2, a] += x
                    for a in range(level_sizes[level]):
                        moved += min(gain[a], lack[a]) * level / top
                holds = moved <= first[q] + CLOSE
                kept = n - 1.0
            elif kind == K_DISCLOSURE:
                kept = n - 1.0
                sure = False  # too rare a value may become frequent enough when others split off
                for i in range(d):
                    share = np.log2(count[touched[i]] / n / whole[touched[i]])
                    if abs(share) >= first[q] * (1.0 - CLOSE):
                        holds = False
                        sure |= share > 0.0
            elif kind == K_LIKENESS:
                for i in range(d):
                    share = whole[touched[i]]
                    bound = min(first[q], -np.log(share)) if second[q] > 0.0 else first[q]
                    caps[i] = share * (1.0 + bound)
                    mine[i] = count[touched[i]]
                    if mine[i] / n > caps[i] + CLOSE:
                        holds = False
                if not holds:
                    kept = capped_kept(mine, caps, d, n, 1.0)
            if not holds:
                failed[g] = 1
                if kept < 1.0:
                    least[g] = sizes[g]
                elif mixes and sure:
                    least[g] = max(least[g], min(np.int64(max(np.ceil(n - kept - 1e-6), 1.0)), sizes[g]))
        for i in range(d):
            count[touched[i]] = 0.0


@jit
def cost_of(keys, lost, levels, word, shift, mask, cost_start, costs, out):
    """Add up the cost of losing lost[g] records of each group, for each column: out[columns]."""
    for g in range(lost.size):
        if lost[g] > 0:
            for j in range(levels.size):
                code = np.int64((keys[word[j], g] >> shift[j]) & mask[j])
                out[j] += lost[g] * costs[cost_start[j, levels[j]] + code]


@jit
def small_cost(keys, counts, k, levels, word, shift, mask, cost_start, costs):
    """How many records lie in groups of fewer than k, and what losing them costs each column."""
    out = np.zeros(levels.size)
    lost = 0
    for g in range(counts.size):
        if counts[g] < k:
            lost += counts[g]
            for j in range(levels.size):
                code = np.int64((keys[word[j], g] >> shift[j]) & mask[j])
                out[j] += counts[g] * costs[cost_start[j, levels[j]] + code]
    return lost, out


@jit
def look(keys, counts, left, word, shift, mask, start, tables, slots, bits, out_keys, of, out_counts):
    """Group the first `left` open tuples by one node, every column being looked up; returns the number of groups."""
    words = keys.shape[0]
    parts = shift.size
    lows, highs = keys[0], keys[words - 1]
    new_lows, new_highs = out_keys[0], out_keys[words - 1]
    high = np.uint64(0)
    for at in range(1 << bits):
        slots[at] = -1
    wrap = np.uint64((1 << bits) - 1)
    down = np.uint64(64 - bits)
    groups = 0
    for i in range(left):
        own = lows[i]
        low = np.uint64(0)
        if words == 1:
            for p in range(parts):
                low |= tables[start[p] + ((own >> shift[p]) & mask[p])]
        else:
            upper = highs[i]
            high = np.uint64(0)
            for p in range(parts):
                if word[p] == 0:
                    low |= tables[start[p] + ((own >> shift[p]) & mask[p])]
                else:
                    high |= tables[start[p] + ((upper >> shift[p]) & mask[p])]
        mixed = low * MIX_A + high * MIX_B
        mixed ^= mixed >> HALF
        mixed *= MIX_B
        at = mixed >> down
        while True:
            found = slots[at]
            if found < 0:
                slots[at] = groups
                new_lows[groups] = low
                if words == 2:
                    new_highs[groups] = high
                out_counts[groups] = counts[i]
                of[i] = groups
                groups += 1
                break
            if new_lows[found] == low and (words == 1 or new_highs[found] == high):
                out_counts[found] += counts[i]
                of[i] = found
                break
            at = (at + ONE) & wrap
    return groups


@jit
def fix(own, weight, ident, left, of, accepted, node, scheme):
    """Give the tuples of accepted groups their node and close the gaps; returns how many stay open."""
    words = own.shape[0]
    kept = 0
    for i in range(left):
        if accepted[of[i]]:
            scheme[ident[i]] = node
        else:
            own[0, kept] = own[0, i]
            if words == 2:
                own[1, kept] = own[1, i]
            weight[kept] = weight[i]
            ident[kept] = ident[i]
            kept += 1
    return kept


@jit
def sweep(
    own,
    weight,
    ident,
    left,
    first,
    last,
    word,
    shift,
    mask,
    starts,
    tables,
    slots,
    found_keys,
    of,
    sizes,
    accepted,
    k,
    scheme,
):
    """Walk the nodes first … last - 1, cheapest first: a group of at least k open records stays at the node.

    own [words, n], weight and ident are the open tuples' keys, records and numbers, `left` of them open; node t
    tells part p by tables[starts[t, p] + code]. Returns (nodes that took something, left).
    """
    bits = bits_for(left)
    takers = 0
    for t in range(first, last):
        if left == 0:
            break
        while bits > 4 and (1 << (bits - 1)) >= 2 * left:
            bits -= 1
        groups = look(
            own, weight, left, word, shift, mask, starts[t], tables, slots, bits, found_keys, of, sizes
        )
        some = False
        for g in range(groups):
            accepted[g] = sizes[g] >= k
            some |= sizes[g] >= k
        if some:
            takers += 1
            left = fix(own, weight, ident, left, of, accepted, t, scheme)
    return takers, left


@jit
def ahead(
    own, weight, left, first, last, step, word, shift, mask, starts, tables, slots, found_keys, of, sizes, k
):
    """The first node of first, first + step, … below `last` with a group of at least k open records, or `last`.

    Also returns its number of groups; `of` and `sizes` then tell them.
    """
    bits = bits_for(left)
    for t in range(first, last, step):
        groups = look(
            own, weight, left, word, shift, mask, starts[t], tables, slots, bits, found_keys, of, sizes
        )
        for g in range(groups):
            if sizes[g] >= k:
                return t, groups
    return last, 0


@jit
def bits_for(n):
    """The bits of a table of slots for n tuples, half of it empty at least."""
    bits = 4
    while (1 << bits) < 2 * n:
        bits += 1
    return bits


@jit
def gather(keys, word, shift, mask, starts, tables, blur_starts, blurs, k, room):
    """All groups of at least k records on some nodes: (nodes done, first, members, blur, node) of the groups.

    Group e has members[first[e]:first[e + 1]] (records) and `blur[e]`, the sum over parts p of
    blurs[blur_starts[t, p] + code]. Stops before the node whose groups no longer fit into `room` members.
    """
    words, n = keys.shape
    nodes = starts.shape[0]
    bits = 4
    while (1 << bits) < 2 * n:
        bits += 1
    slots = np.empty(1 << bits, np.int32)
    found_keys = np.empty((words, n), np.uint64)
    of = np.empty(n, np.int32)
    sizes = np.empty(n, np.int64)
    place = np.empty(n, np.int64)
    weight = np.ones(n, np.int32)
    members = np.empty(room, np.int32)
    first = np.empty(room // k + 2, np.int64)
    first[0] = 0
    blur = np.empty(room // k + 1, np.float64)
    node = np.empty(room // k + 1, np.int32)
    used = 0
    made = 0
    for t in range(nodes):
        groups = look(
            keys, weight, n, word, shift, mask, starts[t], tables, slots, bits, found_keys, of, sizes
        )
        more = 0
        for g in range(groups):
            if sizes[g] >= k:
                more += sizes[g]
        if used + more > room:
            return t, first[: made + 1], members[:used], blur[:made], node[:made]
        for g in range(groups):
            place[g] = -1
            if sizes[g] >= k:
                place[g] = used
                used += sizes[g]
                node[made] = t
                blur[made] = -1.0
                sizes[g] = made
                made += 1
                first[made] = used
        for i in range(n):
            g = of[i]
            if place[g] >= 0:
                if blur[sizes[g]] < 0.0:
                    total = 0.0
                    for p in range(word.size):
                        total += blurs[blur_starts[t, p] + ((keys[word[p], i] >> shift[p]) & mask[p])]
                    blur[sizes[g]] = total
                members[place[g]] = i
                place[g] += 1
    return nodes, first[: made + 1], members[:used], blur[:made], node[:made]


@jit
def borrow(order, first, members, blur, k, hope, loss, group_of, taken):
    """Fill classes in the order of their blur, borrowing records that other classes can spare.

    A group with k unplaced records becomes a class of them. One with fewer takes what it lacks from classes of
    more than k that lie in it, most blurred records first, if that gains: hope[i] is what record i is expected to
    cost otherwise, 1 in the second round, where nothing else is left. Sets loss[i], group_of[i] (the class, -1
    when unplaced) and taken[class] (its group); returns (classes, unplaced).
    """
    n = hope.size
    size = np.zeros(taken.size, np.int64)
    spare = np.empty(n, np.int64)
    dearness = np.empty(n, np.float64)
    took = np.empty(n, np.int64)
    for i in range(n):
        group_of[i] = -1
        loss[i] = 1.0
    made = 0
    left = n
    for x in range(2 * order.size):
        if left == 0:
            break
        final = x >= order.size
        e = order[x - order.size] if final else order[x]
        own = blur[e]
        lacking = 0
        hoped = 0.0
        for a in range(first[e], first[e + 1]):
            i = members[a]
            if group_of[i] < 0:
                lacking += 1
                hoped += 1.0 if final else hope[i]
        if lacking == 0:
            continue
        got = 0
        if lacking < k:
            gain = hoped - lacking * own
            if gain <= 0.0:
                continue
            others = 0
            for a in range(first[e], first[e + 1]):
                i = members[a]
                if group_of[i] >= 0 and size[group_of[i]] > k:
                    spare[others] = i
                    dearness[others] = -loss[i]
                    others += 1
            if lacking + others < k:
                continue
            ranked = np.argsort(dearness[:others], kind="mergesort")
            for q in range(others):
                d = spare[ranked[q]]
                if size[group_of[d]] > k:
                    gain -= own - loss[d]
                    if gain <= 0.0:
                        break
                    size[group_of[d]] -= 1
                    took[got] = d
                    got += 1
                    if lacking + got == k:
                        break
            if lacking + got < k:
                for q in range(got):
                    size[group_of[took[q]]] += 1
                continue
            for q in range(got):
                group_of[took[q]] = made
                loss[took[q]] = own
        for a in range(first[e], first[e + 1]):
            i = members[a]
            if group_of[i] < 0:
                group_of[i] = made
                loss[i] = own
        size[made] = lacking + got
        taken[made] = e
        made += 1
        left -= lacking
    return made, left
