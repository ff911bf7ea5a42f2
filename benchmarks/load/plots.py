"""The plots of a run, as PNG files and one HTML page that shows them with the figures."""

import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib

from benchmarks.load.chaos import Run
from benchmarks.load.load import GOALS, STEPS, Loaded

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

OUTPUT: Final = Path(__file__).parent / ".output"
_COMPONENTS: Final = ("issuer", "verifier", "database", "jobs", "generator")
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 1rem/1.5 system-ui; margin: 2rem auto; max-width: 60rem }} img {{ max-width: 100% }}</style>
<h1>{title}</h1>{images}<h2>Figures</h2><pre>{figures}</pre></html>
"""


def write_page(name: str, title: str, plots: Mapping[str, Callable[[Axes], None]], figures: Mapping[str, Any]) -> Path:
    """Draw plots, each into a PNG file, and write the page that shows them; return where it is."""
    folder = OUTPUT / name
    folder.mkdir(parents=True, exist_ok=True)
    for plot, draw in plots.items():
        figure, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
        draw(axes)
        figure.savefig(folder / f"{plot}.png", dpi=110)
        pyplot.close(figure)
    images = "".join(f'<h2>{each}</h2><img src="{each}.png" alt="{each}">' for each in plots)
    text = html.escape(json.dumps(figures, indent=2))
    (folder / "index.html").write_text(_PAGE.format(title=title, images=images, figures=text), "utf-8")
    return folder / "index.html"


def draw_load(loaded: Loaded) -> dict[str, Callable[[Axes], None]]:
    """Return the plots of a load run."""
    return {"cpu": lambda axes: _cpu(axes, loaded), "latency": lambda axes: _latency(axes, loaded)}


def draw_chaos(run: Run) -> dict[str, Callable[[Axes], None]]:
    """Return the plot of a chaos run."""
    return {"throughput": lambda axes: _throughput(axes, run)}


def draw_lines(title: str, unit: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> Callable[[Axes], None]:
    """Return a plot of values over minutes."""

    def draw(axes: Axes) -> None:
        for name, points in lines.items():
            axes.plot([at / 60 for at, _ in points], [value for _, value in points], label=name)
        axes.set(title=title, xlabel="minutes", ylabel=unit)
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
        _legend(axes)
        axes.grid(alpha=0.3)

    return draw


def _cpu(axes: Axes, loaded: Loaded) -> None:
    walks = loaded.walks(loaded.name)
    bottom = [0.0] * len(STEPS)
    for component in _COMPONENTS:
        values = [walks[walk].per_walk(component) for walk in STEPS]
        axes.bar(STEPS, values, bottom=bottom, label=component)
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    for walk, (_, goal) in GOALS.items():
        at, label = STEPS.index(walk), "goal of issuer or verifier" if walk == "issuance" else ""
        axes.hlines(goal, at - 0.45, at + 0.45, colors="black", linestyles="dashed", label=label)
    axes.set(title=f"CPU of one walk, {loaded.workers} workers of each service", ylabel="y (one ECDSA verification)")
    _legend(axes)


def _latency(axes: Axes, loaded: Loaded) -> None:
    found = loaded.mixed.summary()["milliseconds"]
    for offset, percentile in enumerate(("p50", "p95", "p99")):
        places = [place + 0.27 * (offset - 1) for place in range(len(found))]
        axes.barh(places, [each[percentile] for each in found.values()], height=0.27, label=percentile)
    axes.set_yticks(range(len(found)), list(found))
    axes.set(title=f"Latency of each step, {loaded.wallets} wallets, all walks mixed", xlabel="milliseconds")
    _legend(axes)


def _throughput(axes: Axes, run: Run) -> None:
    seconds = int(max((at for at, _ in run.ledger.finished), default=run.begin) - run.begin) + 1
    counts = [0] * seconds
    for at, _ in run.ledger.finished:
        counts[int(at - run.begin)] += 1
    axes.plot(range(seconds), counts, linewidth=0.8, color="black", label="walks done")
    colors = dict(zip(sorted({each.component for each in run.outages}), ("C0", "C1", "C2", "C3", "C4"), strict=False))
    labelled: set[str] = set()
    for each in run.outages:
        label = None if each.component in labelled else f"{each.component} killed"
        labelled.add(each.component)
        axes.axvspan(each.begin - run.begin, each.end - run.begin, alpha=0.3, color=colors[each.component], label=label)
    axes.set(title="Walks done in each second, and what was down", xlabel="seconds", ylabel="walks", ylim=(0, None))
    _legend(axes)


def _legend(axes: Axes) -> None:
    """Put the legend beside the plot, where it hides nothing."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
