"""Draws a growth curve. Usage: python -m benchmarks.plot NAME CURVE.json IMAGE.svg, with matplotlib."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import NullFormatter

TITLES = {
    "memory": ("memory of each connection", "connections", "KiB"),
    "hello": ("connect and hello", "connections", "server µs each"),
    "call": ("a small call beside them", "connections", "server µs"),
    "publish": ("a publication to one client", "bytes", "server µs"),
    "upload": ("an argument from one client", "bytes", "server µs"),
    "age 20m": ("20 Mbit/s, 80 ms round trip", "seconds", "ms of age"),
    "age 5m": ("5 Mbit/s, 100 ms round trip", "seconds", "ms of age"),
    "publication": ("a publication of 1 KiB, by subscribers with a filter each", "subscribers", "server µs"),
}
COLOURS = ("#1864ab", "#74b816", "#adb5bd", "#e8590c")


def draw(curve: dict[str, dict[str, list[list[float]]]], image: Path) -> None:
    figure, axes = plt.subplots(1, len(curve), figsize=(max(4.2 * len(curve), 7), 3.6), squeeze=False)
    for panel, (quantity, lines) in zip(axes[0], curve.items(), strict=True):
        title, across, up = TITLES[quantity]
        for colour, (name, points) in zip(COLOURS, lines.items(), strict=False):
            panel.loglog(*zip(*points, strict=True), marker="o", markersize=3, color=colour, label=name)
        panel.set(title=title, xlabel=across, ylabel=up)
        panel.yaxis.set_major_formatter(lambda x, _: f"{x:,g}")
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.grid(visible=True, which="major", color="#e9ecef")
        if across == "bytes":
            panel.set_xticks([1, 2**10, 2**20, 2**28], ["1 B", "1 KiB", "1 MiB", "256 MiB"])
            panel.minorticks_off()
            panel.set_xlabel("")
        if across == "seconds":
            panel.set_xscale("linear")
            panel.set_ylim(50, 20_000)
        if across == "connections":
            panel.set_yscale("linear")
            panel.set_ylim(bottom=0)
    axes[0][0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(image, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    mpl.use("svg")
    style = {"font.size": 9, "axes.titlesize": 10, "figure.facecolor": "white"}
    plt.rcParams.update({**style, "svg.hashsalt": "wslink", "svg.fonttype": "none"})
    _, _, source, target = sys.argv
    draw(json.loads(Path(source).read_text()), Path(target))
