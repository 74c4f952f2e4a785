"""Figures: several runs of one work on one system in one placement, summed up and written down."""
import json
import statistics

FIELDS = ("work", "system", "placement", "unit", "median", "min", "max", "runs")
SCALES = {"ns": (("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)), "ms": (("ms", 1), ("s", 1e3))}


class Figures:
    """What was measured, in the order of its first appearance."""

    def __init__(self):
        self.values = {}

    def add(self, work, system, placement, unit, value):
        self.values.setdefault((work, system, placement, unit), []).append(value)

    def records(self):
        return [record(*key, values) for key, values in self.values.items()]


def record(work, system, placement, unit, values):
    return dict(zip(FIELDS, (work, system, placement, unit, statistics.median(values), min(values),
                             max(values), len(values))))


def write_json(path, records):
    with open(path, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join("  " + json.dumps(one) for one in records) + "\n]\n")


def digits(value):
    """Three digits that count, and no exponent."""
    return f"{value:.{max(0, 2 - len(str(int(abs(value)))) + 1)}f}"


def scale_of(value, unit):
    """The name and the factor of the unit in which @value reads well."""
    steps = [step for step in SCALES.get(unit, ((unit, 1),)) if abs(value) >= step[1]]
    return steps[-1] if steps else SCALES.get(unit, ((unit, 1),))[0]


def worded(one):
    """A record as words: median, unit and spread."""
    name, factor = scale_of(one["median"], one["unit"])
    median, least, most = (digits(one[key] / factor) for key in ("median", "min", "max"))
    return f"{median} {name} ({least}–{most})"


def table(records):
    """The lines of one table for each work: a row a system, a column a placement."""
    lines = []
    for work in dict.fromkeys(one["work"] for one in records):
        ours = [one for one in records if one["work"] == work]
        placements = list(dict.fromkeys(one["placement"] for one in ours))
        cells = {(one["system"], one["placement"]): worded(one) for one in ours}
        width = max(map(len, [*cells.values(), *placements])) + 3
        lines.append(f"  {work:22}" + "".join(name.rjust(width) for name in placements))
        for system in dict.fromkeys(one["system"] for one in ours):
            row = "".join(cells.get((system, name), "-").rjust(width) for name in placements)
            lines.append(f"    {system:20}" + row)
    return lines


def medians(records):
    return {(one["work"], one["system"], one["placement"]): one["median"] for one in records}
