"""Figures as an SVG: a panel a work, a bar a system and placement, its end the median and the
line across it the spread, on a logarithmic scale."""
import math
from xml.sax.saxutils import escape

from driver.figures import worded

COLOURS = {"free": "#4878a8", "same": "#d98032", "cross": "#5a9a5a"}
WIDTH, LEFT, RIGHT = 900, 170, 230  # of the picture; of the names; of the figures in words
BAR, GAP = 12, 3


def decades(records):
    """The powers of ten between which all of them are."""
    values = [one[key] for one in records for key in ("min", "max") if one[key] > 0] or [1]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


class Panel:
    """One work: the lines of its picture from @top on, and its height."""

    def __init__(self, work, records, top):
        self.low, self.high = decades(records)
        self.lines = [self.text(10, top + 16, f"{work} ({records[0]['unit']})", 'font-weight="bold"')]
        begin = top + 26
        end = begin + len(records) * (BAR + GAP) + GAP * len({one["system"] for one in records})
        for power in range(self.low, self.high + 1):
            x = self.x(10.0 ** power)
            self.lines.append(f'<line x1="{x:.1f}" y1="{begin}" x2="{x:.1f}" y2="{end}" '
                              'stroke="#ccc"/>')
            self.lines.append(self.text(x, end + 12, f"{10.0 ** power:g}", 'text-anchor="middle"'))
        y, system = begin, None
        for one in records:
            if one["system"] != system:
                system = one["system"]
                y += GAP
                self.lines.append(self.text(LEFT - 6, y + BAR - 2, system, 'text-anchor="end"'))
            self.bar(one, y)
            y += BAR + GAP
        self.height = end + 26 - top

    def x(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low) if value > 0 else 0
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    @staticmethod
    def text(x, y, words, more=""):
        return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'

    def bar(self, one, y):
        middle, end = y + BAR / 2, self.x(one["median"])
        self.lines.append(f'<rect x="{LEFT}" y="{y}" width="{max(end - LEFT, 1):.1f}" '
                          f'height="{BAR}" fill="{COLOURS[one["placement"]]}"/>')
        least, most = self.x(one["min"]), self.x(one["max"])
        path = f"M{least:.1f} {y + 2}V{y + BAR - 2}M{least:.1f} {middle}H{most:.1f}"
        self.lines.append(f'<path d="{path}M{most:.1f} {y + 2}V{y + BAR - 2}" stroke="#222" '
                          'fill="none"/>')
        self.lines.append(self.text(WIDTH - RIGHT + 8, y + BAR - 2, worded(one)))


def svg(records):
    """The whole picture as text."""
    lines, top = [], 30
    for index, (placement, colour) in enumerate(COLOURS.items()):
        x = LEFT + index * 90
        lines.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{colour}"/>')
        lines.append(Panel.text(x + 17, 20, placement))
    for work in dict.fromkeys(one["work"] for one in records):
        panel = Panel(work, [one for one in records if one["work"] == work], top)
        lines += panel.lines
        top += panel.height
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" '
            f'viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" font-size="11">\n'
            f'<rect width="{WIDTH}" height="{top}" fill="white"/>\n'
            + "\n".join(lines) + "\n</svg>\n")
