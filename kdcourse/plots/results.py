"""Results of runs: every run a dot, every mean with its interval, every comparison with its verdict."""

from collections import Counter

import numpy as np

from kdcourse.plots.base import COLOURS, MARKERS, figure, interval_of, look, set_title, show


def intervals(table, *, x, y, hue, title, ylabel=None, percent=False, reference=None):
    """Every run as a dot, and its arm's mean with a 95 % t-interval, in groups along the x axis.

    table      a DataFrame with one row per run; a group may lack an arm, but has two runs or more of those it has
    x, hue, y  its columns: the group, the arm within the group, the result
    title      the finding
    percent    results are shares; show them as percentages
    reference  (name, value) of a horizontal line, such as the teacher, or None

    Raises ValueError that names the arm and the group of a single run.
    """
    groups, arms = list(dict.fromkeys(table[x])), list(dict.fromkeys(table[hue]))
    scale, unit, digits = (100, " %", ".1f") if percent else (1, "", ".3g")
    runs_of = {pair: scale * own[y].to_numpy() for pair, own in table.groupby([hue, x], observed=True)}
    spans = {(arm, group): interval_of(runs, f"{arm}, {group}") for (arm, group), runs in runs_of.items()}
    fig, ax = figure(min(max(7.0, 1.0 + 0.55 * len(groups) * len(arms)), 9.5), 4.0)
    words = []
    for a, arm in enumerate(arms):
        colour, marker = look(a)
        label = arm  # once in the key
        for g, group in enumerate(groups):
            if (arm, group) not in spans:
                continue
            runs, (mean, low, high) = runs_of[arm, group], spans[arm, group]
            at = g + (a - (len(arms) - 1) / 2) * 0.8 / len(arms)
            spread = np.linspace(-0.05, 0.05, len(runs))
            ax.plot(at + spread, runs, ".", color=colour, alpha=0.35, markersize=5)
            if percent:
                low, high = max(low, 0.0), min(high, 100.0)
            error = [[mean - low], [high - mean]]
            ax.errorbar(at, mean, error, fmt=marker, color=colour, capsize=4, markersize=7, label=label)
            label = None
            words.append(f"{group}, {arm}: {mean:{digits}}{unit} [{low:{digits}}, {high:{digits}}], n = {len(runs)}")
    if reference is not None:
        ax.axhline(scale * reference[1], color="#666666", linestyle="--", linewidth=1, label=reference[0])
        words.append(f"{reference[0]}: {scale * reference[1]:{digits}}{unit}")
    ax.set_xticks(range(len(groups)), groups)
    cut = " (cut at 0 and 100 %)" if percent else ""
    ax.set_xlabel(f"{x}\nmean and 95 % interval{cut}; each dot is one run")
    ax.set_ylabel((ylabel or y) + (" (%)" if percent else ""))
    set_title(ax, title)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    show(fig, f"{title}. Means with 95 % intervals. " + "; ".join(words) + ".")


def differences(comparisons, *, title, xlabel, scale=1.0, margin=0.0, pairs=None):
    """One line per comparison: the paired difference, its interval, and the verdict in words beside it.

    comparisons  {name: Comparison}
    pairs        {name: differences of the single pairs} to draw as dots, or None
    scale        what to multiply by for display, such as 100 for points
    margin       what is too small to matter, in the comparisons' own units: a grey band
    """
    fig, ax = figure(8.0, 1.7 + 0.5 * len(comparisons))
    names, words = list(comparisons), []
    ax.axvline(0, color="#666666", linewidth=1)
    if margin:
        ax.axvspan(-scale * margin, scale * margin, color="#dddddd", zorder=0)
    styles = {"better": 0, "worse": 1, "equivalent": 2, "inconclusive": 6}
    for k, (name, result) in enumerate(comparisons.items()):
        style = styles[result.verdict]
        mean, low, high = (scale * value for value in (result.mean, result.low, result.high))
        error = [[mean - low], [high - mean]]
        if pairs is not None:
            single = scale * np.asarray(pairs[name])
            ax.plot(single, np.full(len(single), k + 0.22), ".", color=COLOURS[style], alpha=0.5, markersize=6)
        ax.errorbar(mean, k, xerr=error, fmt=MARKERS[style], color=COLOURS[style], capsize=4, markersize=7)
        ax.annotate(
            result.verdict,
            (1.01, k),
            xycoords=("axes fraction", "data"),
            va="center",
            color=COLOURS[style],
            annotation_clip=False,
        )
        words.append(f"{name}: {mean:+.2f} [{low:+.2f}, {high:+.2f}], n = {result.n}, {result.verdict}")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    counts = sorted({result.n for result in comparisons.values()})
    dots = "; each dot is one pair" if pairs is not None else ""
    grey = f"\ngrey: within ±{scale * margin:g}, too small to matter" if margin else ""
    ax.set_xlabel(f"{xlabel}\nmean and 95 % interval of {' or '.join(map(str, counts))} pairs{dots}{grey}")
    set_title(ax, title)
    limit = f" Within ±{scale * margin:g} is too small to matter." if margin else ""
    show(fig, f"{title}. Paired differences with 95 % intervals, {xlabel}.{limit} " + "; ".join(words) + ".")


def verdicts(comparisons):
    """How often each verdict came out, for a title: "better 2×, inconclusive 1×". {name: Comparison} in."""
    counts = Counter(result.verdict for result in comparisons.values())
    return ", ".join(f"{verdict} {n}×" for verdict, n in counts.most_common())


def matrix(values, names, *, title, xlabel, ylabel, alt):
    """A square table of shares in [0, 1] as shades of percent, each cell that rounds to 1 % or more with its number.

    values  [C, C], rows of `ylabel`, columns of `xlabel`
    alt     what there is to see, since a table of a hundred numbers read aloud is no help
    """
    values = 100 * np.asarray(values)
    fig, ax = figure(7.4, 6.0)
    image = ax.imshow(values, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(values.shape):
        share = values[row, column]
        if share >= 0.5:
            colour = "white" if share > 50 else "black"
            ax.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    fig.colorbar(image, ax=ax, shrink=0.8, label="%")
    show(fig, f"{title}. {alt}")
