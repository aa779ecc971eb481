"""The charts of the evaluation's page, as SVG to stand inside it."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.evaluation.bootstrap import Interval
from training.evaluation.calibration import Reliability
from training.evaluation.reconstruction import Reconstruction
from training.evaluation.report.glossary import OF_DIAGNOSIS, SHORT
from training.evaluation.robustness import UNDISTURBED

Figures = Mapping[str, Interval]

INK, SOFT, LINE, ACCENT, WARM = "#16202a", "#55636f", "#d6dde4", "#0b6e6e", "#c2711c"
SERIES = (ACCENT, "#6bb0a8", WARM, "#7d8ea0", "#b9c3cd", "#8a5fa8", "#a3231f", "#4a6fb5")
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e9edf1",
    "grid.linewidth": 0.8,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "casekin",
}
SHADES = LinearSegmentedColormap.from_list("accent", ["#ffffff", "#bfe0dc", ACCENT])
TENTHS = (0, 0.2, 0.4, 0.6, 0.8)
"""Ticks; one at 1 would touch the next panel's first."""
FEW = 10
VALUES_SHOWN = ("p_at_1", "p_at_5", "knn16_by_prior")


def compared(systems: Mapping[str, Figures], names: Sequence[str]) -> str:
    """Chart figures `names` of each system as dots with their intervals."""
    with rc_context(STYLE):
        figure, axes = _panel(9.6, 0.55 + 0.16 * len(names) * (len(systems) + 1.6))
        for number, (system, figures) in enumerate(systems.items()):
            shift = (number - (len(systems) - 1) / 2) * 0.8 / len(systems)
            rows = [(row + shift, figures[name]) for row, name in enumerate(names) if name in figures]
            _dots(axes, rows, SERIES[number % len(SERIES)], system)
        _rows(axes, [SHORT[name] for name in names])
        axes.set_xlim(0, 1)
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(systems), 6), borderaxespad=0.2, handletextpad=0.3
        )
        return _svg(figure)


def by_diagnosis(measured: Mapping[str, Figures]) -> str:
    """Chart some figures of each diagnosis."""
    with rc_context(STYLE):
        figure, axes = _panel(9.6, 0.6 + 0.5 * len(measured))
        for number, value in enumerate(VALUES_SHOWN):
            rows = [(row + (number - 1) * 0.24, figures[value]) for row, figures in enumerate(measured.values())]
            name = OF_DIAGNOSIS[value] if number < 2 else "vote of 16, divided by prior"
            _dots(axes, rows, SERIES[number], name)
        _rows(axes, list(measured))
        axes.set_xlim(0, 1)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2, handletextpad=0.3)
        return _svg(figure)


def confusion(classes: Sequence[str], table: Sequence[Sequence[int]]) -> str:
    """Chart the diagnoses of first matches by that of the query: colour is the share of the row, text the count."""
    counts = np.asarray(table)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    with rc_context(STYLE | {"axes.grid": False}):
        figure, axes = _panel(5.4, 4.6)
        # As shapes, not as a picture: the page then holds no image data at all.
        places = np.arange(len(classes))
        axes.pcolormesh(places, places, shares, cmap=SHADES, vmin=0, vmax=1, shading="nearest")
        axes.invert_yaxis()
        for (row, column), count in np.ndenumerate(counts):
            ink = "white" if shares[row, column] > 0.6 else INK if count else "#b4bfca"
            axes.text(column, row, str(count), ha="center", va="center", color=ink)
        axes.set_xticks(range(len(classes)), classes)
        axes.set_yticks(range(len(classes)), [f"{code} ({n})" for code, n in zip(classes, counts.sum(1), strict=True)])
        axes.tick_params(axis="x", labelcolor=INK)
        axes.set_xlabel("diagnosis of the first match")
        axes.set_ylabel("diagnosis of the query (queries)")
        return _svg(figure)


def reliability(measured: Sequence[Reliability], stated: str, observed: str) -> str:
    """Chart stated confidence against observed share, a panel each; the area of a dot grows with its count.

    Bins of fewer than `FEW` are faint and not joined to the others.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(2.45 * len(measured) + 0.3, 3.1), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(measured), sharey=True))
        for axes, one in zip(panels, measured, strict=True):
            filled = [b for b in one.bins if b.confidence is not None and b.share is not None]
            points = np.array([[b.confidence, b.share, b.count] for b in filled], float)
            many = points[:, 2] >= FEW
            sizes = 14 + 150 * points[:, 2] / points[:, 2].sum()
            axes.plot([0, 1], [0, 1], color="#b4bfca", linewidth=1, linestyle=(0, (4, 3)))
            axes.plot(points[many, 0], points[many, 1], color=ACCENT, linewidth=1.2)
            axes.scatter(points[:, 0], points[:, 1], sizes, ACCENT, alpha=np.where(many, 1, 0.3), clip_on=False)
            axes.set(xlim=(0, 1.04), ylim=(0, 1.04), xticks=TENTHS, yticks=TENTHS, aspect="equal", xlabel=stated)
            axes.set_title(f"{one.name}\nECE {one.error.value:.3f}", fontsize=9.5, loc="left")
            axes.tick_params(axis="y", labelcolor=SOFT)
        panels[0].set_ylabel(observed)
        return _svg(figure)


def robustness(measured: Mapping[str, Figures], names: Sequence[str]) -> str:
    """Chart figures `names` under each disturbance, a panel each; the band is the undisturbed interval."""
    kinds = [kind for kind in measured if kind != UNDISTURBED]
    shown = [name for name in names if name in measured[UNDISTURBED]]
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 0.9 + 0.27 * len(kinds)), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
        for axes, name in zip(panels, shown, strict=True):
            calm = measured[UNDISTURBED][name]
            axes.axvspan(calm.low, calm.high, color="#d8eeec", zorder=0)
            axes.axvline(calm.value, color=ACCENT, linewidth=1)
            _dots(axes, [(row, measured[kind][name]) for row, kind in enumerate(kinds)], INK, None)
            axes.set_title(SHORT[name], fontsize=9.5, loc="left")
            _rows(axes, kinds)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.margins(x=0.12)
        return _svg(figure)


def reconstruction(measured: Reconstruction) -> str:
    """Chart SSIM and mean squared error of each diagnosis beside those of principal components."""
    rows = {"all": measured.overall} | measured.by_diagnosis
    systems = {"": "this model", "_pca": f"{measured.components} principal components"}
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 0.6 + 0.36 * len(rows)), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (name, words) in zip(panels, {"ssim": "SSIM", "mse": "mean squared error"}.items(), strict=True):
            for number, (suffix, label) in enumerate(systems.items()):
                at = [(row + (number - 0.5) * 0.3, one[name + suffix]) for row, one in enumerate(rows.values())]
                _dots(axes, at, (ACCENT, WARM)[number], label)
            _rows(axes, list(rows))
            axes.set_xlabel(words)
        panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, handletextpad=0.3)
        return _svg(figure)


def _panel(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _dots(axes: Axes, rows: Sequence[tuple[float, Interval]], colour: str, label: str | None) -> None:
    places = [place for place, _ in rows]
    values = np.array([one.value for _, one in rows])
    # A bootstrap interval need not hold the figure itself; a bar of negative length cannot be drawn.
    low = np.maximum(values - [one.low for _, one in rows], 0)
    high = np.maximum([one.high for _, one in rows] - values, 0)
    axes.errorbar(
        values,
        places,
        xerr=[low, high],
        fmt="o",
        markersize=4.5,
        color=colour,
        ecolor=colour,
        elinewidth=1.4,
        label=label,
    )


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    # Inside a page, what comes before the element itself is no longer legal.
    return text[text.index("<svg") :]
