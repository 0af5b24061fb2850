"""The report's pictures, as small SVG files. The only importer of matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from bench.accuracy.margins import MARGINS, Compared
from bench.accuracy.ours import Errors
from bench.accuracy.peers import PEERS
from bench.accuracy.report import Line

mpl.use("svg")
mpl.rcParams.update(
    {"svg.fonttype": "none", "svg.hashsalt": "sudare", "font.family": "sans-serif", "font.size": 8}
)
MARKS = {"pipelinedp": "o", "smartnoise": "s", "tmlt": "^", "diffprivlib": "x"}
COLOURS = {"pipelinedp": "#1b6ca8", "smartnoise": "#c8553d", "tmlt": "#588157", "diffprivlib": "#888888"}


def draw(folder: Path, lines: Sequence[Line], margins: Mapping[str, Compared]) -> None:
    """Write all pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _save(
        _peers([line for line in lines if line.price == "ε 1" and line.ours.rmse > 0]), folder / "peers.svg"
    )
    _save(_theory([line for line in lines if line.to_theory is not None]), folder / "theory.svg")
    if margins:
        _save(_margins(margins), folder / "margins.svg")


def _peers(lines: Sequence[Line]) -> Figure:
    """Peers' RMSE over ours at ε = 1, on a logarithmic axis."""
    shown = [line for line in lines if any(isinstance(found, Errors) for found in line.peers.values())]
    figure, axes = plt.subplots(figsize=(7, 0.24 * len(shown) + 1.2))
    for peer in PEERS:
        points = [
            (found.rmse / line.ours.rmse, place)
            for place, line in enumerate(shown)
            if isinstance(found := line.peers.get(peer.name), Errors) and found.rmse > 0
        ]
        if points:
            label = peer.title + (" (another promise)" if peer.name == "diffprivlib" else "")
            across, down = zip(*points, strict=True)
            axes.scatter(across, down, marker=MARKS[peer.name], color=COLOURS[peer.name], label=label, s=22)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(shown)), [f"{line.register}: {line.name}" for line in shown])
    axes.invert_yaxis()
    axes.set_xlabel("RMSE of the peer / RMSE of ours, at ε = 1 (right of the line: ours errs less)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.3, 1.1), ncols=4, frameon=False)
    return figure


def _theory(lines: Sequence[Line]) -> Figure:
    """Ours over theory with two standard errors."""
    figure, axes = plt.subplots(figsize=(7, 0.19 * len(lines) + 0.8))
    ratios = np.array([line.to_theory for line in lines], dtype=float)
    spread = [2 * line.ours.rmse_se / line.expected.rmse for line in lines if line.expected]
    axes.axvspan(0.95, 1.05, color="#dfe8df")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.errorbar(
        ratios, range(len(lines)), xerr=spread, fmt="o", color="#1b6ca8", markersize=3, linewidth=0.8
    )
    axes.set_yticks(range(len(lines)), [f"{line.register}: {line.name}, {line.price}" for line in lines])
    axes.invert_yaxis()
    axes.set_xlabel("our RMSE / theory, ± 2 standard errors; the band is ± 5 %")
    return figure


def _margins(margins: Mapping[str, Compared]) -> Figure:
    """Squared error of every table, alone and in the workload."""
    figure, columns = plt.subplots(1, len(margins), figsize=(7, 4), sharey=True, squeeze=False)
    places = np.arange(len(MARGINS))
    for axes, (price, found) in zip(columns[0], margins.items(), strict=True):
        axes.barh(places - 0.2, found.alone, height=0.4, color="#bbbbbb", label="alone")
        axes.barh(places + 0.2, found.together, height=0.4, color="#1b6ca8", label="in the workload")
        axes.set_title(price, fontsize=8)
        axes.set_xlabel("squared error, all cells")
        axes.locator_params(axis="x", nbins=4)
    columns[0][0].set_yticks(places, [" × ".join(margin) for margin in MARGINS])
    columns[0][0].invert_yaxis()
    columns[0][0].legend(frameon=False)
    return figure


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
