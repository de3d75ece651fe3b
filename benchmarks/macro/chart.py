"""Charts as SVG, readable on light and dark ground: bars by subject, lines by amount."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

STYLE = """
.ground{fill:#fff;stroke:#d0d7de}.word{fill:#1f2328}.soft{fill:#59636e}.rule{stroke:#d0d7de}
.of-ohia{fill:#c62828;stroke:#c62828}.of-node{fill:#5a8f3c;stroke:#5a8f3c}
.of-floor{fill:#a5adb6;stroke:#a5adb6}.of-python{fill:#3d76b8;stroke:#3d76b8}
text{font:12px system-ui,sans-serif;stroke:none}.title{font-size:14px;font-weight:600}
.line{fill:none;stroke-width:2}.own{font-weight:700}
@media(prefers-color-scheme:dark){.ground{fill:#14181d;stroke:#3d444d}.word{fill:#f0f6fc}
.soft{fill:#9198a1}.rule{stroke:#3d444d}.of-ohia{fill:#ff6b6b;stroke:#ff6b6b}
.of-node{fill:#7fc05f;stroke:#7fc05f}.of-floor{fill:#6e7681;stroke:#6e7681}
.of-python{fill:#6ea8e8;stroke:#6ea8e8}.line{fill:none}}
"""
WIDTH, GAP, PAD = 420, 16, 14  # pixels of a panel, between panels, inside one
BAR, LABEL, VALUE = 17, 130, 52  # pixels of a bar's line, of its name, of its figure
PLOT = 170  # pixels of a line chart's height


class Bar(NamedTuple):
    """A subject's name, the group that colours it, and its figure."""

    name: str
    group: str
    value: float


class Line(NamedTuple):
    """A subject's name, the group that colours it, and its figures by amount."""

    name: str
    group: str
    points: Mapping[float, float]


class Panel(NamedTuple):
    """A drawing of the usual width, and its height in pixels."""

    content: str
    height: float


def sheet(panels: Sequence[Panel], description: str) -> str:
    """Return the panels as one SVG, two beside one another."""
    rows = [panels[i : i + 2] for i in range(0, len(panels), 2)]
    top, content = float(GAP), ""
    for row in rows:
        height = max(panel.height for panel in row)
        for column, panel in enumerate(row):
            left = GAP + column * (WIDTH + GAP)
            content += f'<g transform="translate({left} {top:g})">{framed(panel, height)}</g>\n'
        top += height + GAP
    size = f'width="{2 * WIDTH + 3 * GAP}" height="{top:g}"'
    box = f'viewBox="0 0 {2 * WIDTH + 3 * GAP} {top:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {box}>'
    return f"{head}\n<title>{escape(description)}</title><style>{STYLE}</style>\n{content}</svg>\n"


def framed(panel: Panel, height: float) -> str:
    """Return a panel on its ground."""
    return f'<rect class="ground" width="{WIDTH}" height="{height:g}" rx="6"/>{panel.content}'


def words(x: float, y: float, text: str, style: str = "word", anchor: str = "start") -> str:
    """Return a line of text."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(text)}</text>'


def bars(title: str, unit: str, found: Sequence[Bar]) -> Panel:
    """Return horizontal bars, in the order given, from 0 to the largest."""
    largest = max(bar.value for bar in found)
    room = WIDTH - 2 * PAD - LABEL - VALUE
    content = words(PAD, PAD + 10, title, "word title")
    content += words(WIDTH - PAD, PAD + 10, unit, "soft", "end")
    for place, bar in enumerate(found):
        y = PAD + 24 + place * BAR
        own = "word own" if bar.group == "ohia" else "word"
        size = f'width="{max(bar.value / largest * room, 1):.1f}" height="{BAR - 5}"'
        content += words(PAD + LABEL - 6, y + 10, bar.name, own, "end")
        content += f'<rect class="of-{bar.group}" x="{PAD + LABEL}" y="{y}" {size} rx="1"/>'
        end = PAD + LABEL + bar.value / largest * room
        content += words(end + 5, y + 10, f"{bar.value:.1f}", own)
    return Panel(content, PAD * 2 + 24 + len(found) * BAR)


class Axis:
    """Places amounts between two pixels, evenly or by powers."""

    def __init__(self, amounts: Sequence[float], start: float, end: float, *, by_powers: bool):
        self.scale = math.log if by_powers else float
        self.least = self.scale(min(amounts) if by_powers else 0)
        self.most = self.scale(max(amounts))
        self.start, self.end = start, end

    def at(self, amount: float) -> float:
        """Return the pixel of an amount."""
        part = (self.scale(amount) - self.least) / ((self.most - self.least) or 1)
        return self.start + part * (self.end - self.start)


def lines(title: str, unit: str, found: Sequence[Line], *, powers: tuple[bool, bool]) -> Panel:
    """Return lines over amounts; `powers` tells which of x and y goes by powers."""
    amounts = sorted({amount for line in found for amount in line.points})
    figures = [figure for line in found for figure in line.points.values()]
    bottom = PAD + 24 + PLOT
    across = Axis(amounts, PAD + 48, WIDTH - PAD - 72, by_powers=powers[0])
    up = Axis(figures, bottom, PAD + 30, by_powers=powers[1])
    content = words(PAD, PAD + 10, title, "word title")
    content += words(WIDTH - PAD, PAD + 10, unit, "soft", "end")
    content += scale_of(
        across, up, amounts, (min(figures) if powers[1] else 0, max(figures)), bottom
    )
    ends = spread([up.at(line.points[max(line.points)]) for line in found])
    for line, end in zip(found, ends, strict=True):
        places = [(across.at(x), up.at(y)) for x, y in sorted(line.points.items())]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        content += f'<polyline class="of-{line.group} line" points="{path}"/>'
        dot = f'class="of-{line.group}" r="2.5"'
        content += "".join(f'<circle {dot} cx="{x:.1f}" cy="{y:.1f}"/>' for x, y in places)
        style = "word own" if line.group == "ohia" else "word"
        content += words(WIDTH - PAD - 64, end + 4, line.name, style)
    return Panel(content, bottom + 32)


def scale_of(
    across: Axis, up: Axis, amounts: Sequence[float], figures: tuple[float, float], bottom: float
) -> str:
    """Return the amounts below the ground line, and least and greatest figure beside it."""
    content = f'<path class="rule" d="M{across.start} {bottom}H{across.end}"/>'
    last = -math.inf
    for amount in amounts:
        if across.at(amount) - last > 30:
            content += words(across.at(amount), bottom + 16, short(amount), "soft", "middle")
            last = across.at(amount)
    for figure in figures:
        content += words(across.start - 8, up.at(figure) + 4, short(figure), "soft", "end")
    return content


def short(amount: float) -> str:
    """Return an amount in few characters: 16Ki, 10k, 42."""
    if amount >= 1024 and amount % 1024 == 0:
        return f"{amount / 1024:g}Ki" if amount < 1024**2 else f"{amount / 1024**2:g}Mi"
    if amount >= 1000:
        return f"{amount / 1000:.3g}k"
    return f"{amount:.3g}"


def spread(places: Sequence[float], least: float = 14) -> list[float]:
    """Return the places moved down until none stands closer to the next than `least`."""
    moved: dict[int, float] = {}
    last = -math.inf
    for index in sorted(range(len(places)), key=places.__getitem__):
        last = max(places[index], last + least)
        moved[index] = last
    return [moved[index] for index in range(len(places))]
