"""Numbers into bins: at quantiles, or at edges that are given. A bin holds its lower edge, not its upper one."""

import numpy as np

from kdcourse._arguments import number


def check_edges(name, edges):
    """The edges as a list of floats, once they are finite and increase."""
    plain = [number(name, edge) for edge in edges]
    if not plain or not np.isfinite(plain).all() or any(b <= a for a, b in zip(plain, plain[1:], strict=False)):
        raise ValueError(f"{name} must be finite edges that increase, at least one, got {list(edges)}")
    return plain


def by_edges(values, edges):
    """(bin of each value, names of the bins, edges): below the first edge, between the edges, from the last one on."""
    shown = edge_texts(edges)
    between = [f"{low} – {high}" for low, high in zip(shown, shown[1:], strict=False)]
    names = [f"< {shown[0]}", *between, f">= {shown[-1]}"]
    return np.searchsorted(edges, values, side="right"), names, edges


def by_quantiles(values, count):
    """(bin of each value, names of the bins, inner edges): `count` bins of about equal size, fewer where values repeat.

    The edges are values of the data, so that no bin is empty, and a value that repeats often gets a bin of its own.
    """
    if len(values) == 0:
        return np.empty(0, dtype=np.intp), [], []
    low, high = values.min(), values.max()
    inner = np.unique(np.quantile(values, np.arange(1, count) / count, method="higher"))
    inner = inner[inner > low]
    ends = [low, *inner]
    shown = edge_texts([*ends, high] if high > ends[-1] else ends)
    names = [f"{a} – {b}" for a, b in zip(shown, shown[1:], strict=False)]
    if high == ends[-1]:  # the last bin holds this value alone
        names.append(shown[-1])
    return np.searchsorted(inner, values, side="right"), names, [edge.item() for edge in inner]


def edge_texts(edges):
    """Edges as people write them: whole numbers in full, others to four digits, or as many as tell them apart."""
    for digits in range(4, 18):
        shown = [_text(edge, digits) for edge in edges]
        if len(set(shown)) == len(set(edges)):
            break
    return shown


def _text(edge, digits):
    if isinstance(edge, (int, np.integer)) or (edge.is_integer() and abs(edge) < 1e15):
        return str(int(edge))
    if 1e-4 <= abs(edge) < 1e15:
        digits = max(digits, len(str(int(abs(edge)))) + 1)  # 1234567.5 is not 1235000
        return np.format_float_positional(edge, precision=digits, fractional=False, trim="-")
    return f"{edge:.{digits}g}"
