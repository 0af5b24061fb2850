"""The compiled inner loops: grouping packed tuples, merging what each group holds, judging every group.

Each function is plain arithmetic over arrays given by its caller; none allocates what grows with the lattice.
They release the interpreter's lock, so that nodes can be checked side by side. Meaning and shapes of the
arrays are those of `packing.py` (keys), `facets.py` (contents of groups) and `conditions.py` (models as numbers).

Some loops are long, and three repeat the lines that make a key and its hash. That is on purpose: a compiled function
that is loaded from Numba's cache is not inlined where it is called, and a call for each tuple costs ten times as
much as the lines themselves. Functions called once a node are apart; functions called once a tuple are not.
"""

import numpy as np
from numba import njit

# Odd constants without pattern: a product with one spreads the low bits of a key over the high bits of its hash.
# The first is 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming 3, section 6.4).
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

# error_model "numpy" leaves out the test for 0 that Python makes before each division.
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
    of each tuple), out_keys [words, groups] and out_counts [groups]; `slots` is scratch of 2^bits, of which at most
    half may be taken: an open-addressing hash table with linear probing.
    """
    words = keys.shape[0]
    parts = shift.size
    # Rows are taken out of the matrices once: a view with one index is read without a multiplication a tuple.
    # With one word, highs is lows again and never read.
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
        # Two loops, so that a key of one word needs no test for the word of each part.
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
        # The high bits of a product depend on all bits of the key, the low ones on the low ones only.
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
        # A group is in the part with all of its tuples or with none, as they share a key: so its size is exact.
        if (mixed >> UPPER) >= part:
            continue
        # The upper 16 bits are below `part` for all that come here, so slots are taken from the bits beneath.
        at = (mixed >> SIXTEEN) & wrap
        # The part was guessed to fit the slots. Where it does not, 0 proves nothing and is safe to answer.
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
    """Group tuples where all possible keys fit into `slots`; returns the number of groups.

    Each key is a cell of the product of the columns' labels, and the entries tables[start[p] + code] of a tuple's
    parts add up to the number of its cell, so that nothing is hashed or compared. Writes of[n], out_cells and
    out_counts [groups].
    """
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
def changing_parts(fine, coarse, columns, first, word, shift, mask, keep):
    """The parts with a column whose level changes; takes their bits out of keep[words].

    Only these are looked up in tables: the labels of the others are copied under `keep`.
    """
    some = np.empty(word.size, np.int64)
    changing = 0
    for p in range(word.size):
        moved = False
        for c in range(first[p], first[p + 1]):
            moved |= fine[columns[c]] != coarse[columns[c]]
        if moved:
            keep[word[p]] &= ~(mask[p] << shift[p])
            some[changing] = p
            changing += 1
    return some[:changing]


@jit
def strides(coarse, sizes, times, stride, size):
    """The number of cells at some levels, and for each column its label count and the cells between two labels."""
    cells = 1
    for j in range(coarse.size):
        stride[j] = cells
        times[j] = np.uint64(cells)
        size[j] = sizes[j, coarse[j]]
        cells *= size[j]
    return cells


@jit
def roll_up(
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
    possible keys they are numbered, else hashed. One call a node from Python does it all, as on small groupings a
    call with so many arrays takes longer than its work.
    """
    n = counts.size
    words = keys.shape[0]
    starts = np.empty(fine.size, np.int64)
    # A float, as the product of many columns' labels exceeds 64 bits.
    cells = 1.0
    for j in range(fine.size):
        starts[j] = start[j, fine[j], coarse[j]]
        cells *= sizes[j, coarse[j]]
    times = np.empty(fine.size, np.uint64)
    tables = np.empty(part_start[-1], np.uint64)
    of = np.empty(n, np.int32)
    new_counts = np.empty(n, np.int32)
    # Slots are cleared first, so one a cell only pays while there are not many more cells than tuples.
    if cells <= cells_per_tuple * n:
        stride = np.empty(fine.size, np.int64)
        size = np.empty(fine.size, np.int64)
        slots = np.empty(strides(coarse, sizes, times, stride, size), np.int32)
        part_tables(columns, first, bits, starts, labels, times, part_start, tables)
        numbers = np.empty(n, np.uint64)
        found = group_in_cells(
            keys, counts, part_word, part_shift, part_mask, part_begin, tables, slots, of, numbers, new_counts
        )
        cell_keys = np.zeros((words, found), np.uint64)
        keys_of_cells(numbers[:found], word, shift, stride, size, cell_keys)
        return cell_keys, new_counts[:found].copy(), of
    keep = np.full(words, ~np.uint64(0))
    some = changing_parts(fine, coarse, columns, first, part_word, part_shift, part_mask, keep)
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
def sums(of, groups, extra):
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
    # A counting sort of tuples by group, so that `seen` is filled for one group at a time and never cleared whole.
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
        # Only the marks of this group are taken back: clearing all codes for each group would be quadratic.
        for e in range(begin, at):
            seen[out_codes[e]] = -1
        out_start[g + 1] = at
    return out_start, out_codes[:at].copy(), out_weights[:at].copy()


@jit
def small_groups(counts, k, failed, least):
    """Mark groups of fewer than k; all of their records must go in every finer grouping too."""
    for g in range(counts.size):
        if counts[g] < k:
            failed[g] = 1
            least[g] = counts[g]


@jit
def few_persons(start, k, sizes, failed, least):
    """Mark groups that hold fewer than k different codes (persons)."""
    for g in range(failed.size):
        if start[g + 1] - start[g] < k:
            failed[g] = 1
            least[g] = sizes[g]


@jit
def entropy_kept(sorted_counts, d, needed):
    """The most records of a group that can stay at entropy >= needed: the larger counts cut to a water level.

    Mixtures of groups that meet the model meet it (entropy is concave), so no finer grouping keeps more: what all
    classes of a finer grouping keep of this group is, together, a part of it with at least that entropy.
    """
    low, high = 0.0, sorted_counts[0]
    # 40 halvings bring the level to 1e-12 of the largest count. The upper end is taken afterwards, so that rounding
    # keeps too many rather than too few: a bound may be loose but never wrong.
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
    """The most records of a group that can stay with r1 < c (r_l + … + r_m), the larger counts cut to a level.

    Cutting the largest counts lowers r1 the most for each record that goes. Recursive (c, l)-diversity holds of a
    mixture of groups of which it holds (Machanavajjhala et al. 2007), so no finer grouping keeps more.
    """
    low, high = 0.0, sorted_counts[0]
    # The upper end of the bracket is taken, as for the entropy: too many kept rather than too few.
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
    """The most records m with sum of min(count / m, cap) >= needed; the sum falls as m grows.

    `counts` and `caps` are of the d values that the group of n records has: value i can keep at most counts[i]
    records, and in a class that meets the model at most the share caps[i].
    """
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

    The bound least[g] rests on mixing: the records of group g that finer classes keep are a mixture of classes that
    meet the model, and for most models a mixture of such classes meets it too (Machanavajjhala et al. 2007 for
    entropy and recursive diversity; Li et al. 2007 for the earth mover's distance, which is convex). So at most
    `kept` records, the most that any part of the group meeting the model has, can stay.

    One function of 140 lines: its kinds share the counts of a group, and a function a kind would be called once a
    group through the cache, see the note of the module.
    """
    values = whole.size
    # Scratch of one group. `count` is cleared by `touched` alone after each group, as attributes have many values
    # and most groups few.
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
            # kept: the most records of the group that finer groupings can keep; sure: whether that is proven.
            kept = n
            sure = True
            holds = True
            if kind == K_DISTINCT:
                # No part of a group has values that the group lacks, so nothing of it can be kept.
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
                    # d values have an entropy of log d at most, so with too few of them nothing is kept.
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
                # The inequality is strict: what equals the bound but for rounding must fail.
                holds = d >= l and mine[0] < second[q] * tail * (1.0 - CLOSE)
                if not holds:
                    kept = recursive_kept(mine, d, second[q], l) if d >= l else 0.0
            elif kind == K_EQUAL:
                # Half the sum of |p - q| is 1 less the sum of min(p, q), to which values not in the group add 0.
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
                # No closed form for the most that can be kept: that the whole group fails costs one record at least.
                holds = moved <= first[q] * max(values - 1, 1) + CLOSE
                kept = n - 1.0
            elif kind == K_HIERARCHICAL:
                # Level by level the surplus and the lack below each label cancel as far as they can, at the cost of
                # the label's height; the rest is passed up (Li, Li & Venkatasubramanian 2007, section 5.2). Two rows
                # of `extra` are used in turn, as a level only needs the one below.
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
                    # Values that the group lacks cannot exceed their cap, so the d values of the group are enough.
                    if mine[i] / n > caps[i] + CLOSE:
                        holds = False
                if not holds:
                    kept = capped_kept(mine, caps, d, n, 1.0)
            if not holds:
                failed[g] = 1
                # Less than one record kept is none: every part of the group fails by itself, mixing or not.
                if kept < 1.0:
                    least[g] = sizes[g]
                # 1e-6 against rounding up a loss that is whole but for the bisection's last digits.
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
def group_at_node(
    keys, counts, left, word, shift, mask, start, tables, slots, bits, out_keys, of, out_counts
):
    """Group the first `left` open tuples by one node; returns the number of groups.

    Every column is looked up, from the tuples' own values: table entries of part p begin at start[p]. Writes of[left],
    out_keys [words, groups] and out_counts [groups]; `slots` is scratch of 2^bits, half of it empty at least.
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
def assign(own, weight, ident, left, of, accepted, node, scheme):
    """Give the tuples of accepted groups their node and close the gaps; returns how many stay open."""
    # In place and in order: tuples are sorted by key, and walks over them stay walks through neighbouring memory.
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
        # The table of slots shrinks with the open tuples, since it is cleared for every node.
        while bits > 4 and (1 << (bits - 1)) >= 2 * left:
            bits -= 1
        groups = group_at_node(
            own, weight, left, word, shift, mask, starts[t], tables, slots, bits, found_keys, of, sizes
        )
        some = False
        for g in range(groups):
            accepted[g] = sizes[g] >= k
            some |= sizes[g] >= k
        if some:
            takers += 1
            left = assign(own, weight, ident, left, of, accepted, t, scheme)
    return takers, left


@jit
def look_ahead(
    own, weight, left, first, last, step, word, shift, mask, starts, tables, slots, found_keys, of, sizes, k
):
    """The first node of first, first + step, … below `last` with a group of at least k open records, or `last`.

    Also returns its number of groups; `of` and `sizes` then hold them. Walkers that begin side by side with as large a
    step share the nodes between them.
    """
    bits = bits_for(left)
    for t in range(first, last, step):
        groups = group_at_node(
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
def gather_groups(keys, word, shift, mask, starts, tables, blur_starts, blurs, k, room):
    """All groups of at least k records on some nodes: (nodes done, first, members, blur, node) of the groups.

    Group e has members[first[e]:first[e + 1]] (records) and `blur[e]`, the sum over parts p of
    blurs[blur_starts[t, p] + code]. Stops before the node whose groups no longer fit into `room` members.
    """
    words, n = keys.shape
    nodes = starts.shape[0]
    bits = bits_for(n)
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
        groups = group_at_node(
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
                # The size is spent by now, so its place takes the number of the group among those gathered.
                sizes[g] = made
                made += 1
                first[made] = used
        for i in range(n):
            g = of[i]
            if place[g] >= 0:
                # All members of a group have the same labels on the node, so its first one tells the blur.
                if blur[sizes[g]] < 0.0:
                    total = 0.0
                    for p in range(word.size):
                        total += blurs[blur_starts[t, p] + ((keys[word[p], i] >> shift[p]) & mask[p])]
                    blur[sizes[g]] = total
                members[place[g]] = i
                place[g] += 1
    return nodes, first[: made + 1], members[:used], blur[:made], node[:made]


@jit
def reallocate(order, first, members, blur, k, hope, loss, group_of, taken):
    """Fill classes in the order of their blur, borrowing records that other classes can spare.

    A group with k unplaced records becomes a class of them. One with fewer takes what it lacks from classes of
    more than k that lie in it, most blurred records first, if that gains: hope[i] is what record i is expected to
    cost otherwise, 1 in the second round, where nothing else is left. Sets loss[i], group_of[i] (the class, -1
    when unplaced) and taken[class] (its group); returns (classes, unplaced).

    Only k-anonymity is kept so: a class that lends stays at k or more, but may fail any other model. The most blurred
    records of a lender gain the most by moving to a class of blur `own`, so they are taken first; the sort is
    stable, so that the result is the same on every machine.
    """
    n = hope.size
    size = np.zeros(taken.size, np.int64)
    spare = np.empty(n, np.int64)
    dearness = np.empty(n, np.float64)
    took = np.empty(n, np.int64)
    group_of[:] = -1
    loss[:] = 1.0
    made, left = 0, n
    # Groups are gone through twice: by hope, then, whatever it costs, for the records that hope left out.
    for x in range(2 * order.size):
        if left == 0:
            break
        final = x >= order.size
        e = order[x - order.size] if final else order[x]
        own = blur[e]
        lacking, hoped = 0, 0.0
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
            # Of a class of more than k all members are candidates; how many it can spare is looked at below.
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
            # Not enough, or no longer a gain: sizes are given back, and nothing else has been changed yet.
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
