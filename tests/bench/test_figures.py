"""How the driver of the benchmarks sums up, words and draws: no program is started."""

import json
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.environ["BENCH_RUN"]))

from driver import figures, plot, subjects  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def records():
    found = figures.Figures()
    for value in (3000.0, 1000.0, 2000.0):
        found.add("rpc-64", "berth", "free", "ns", value)
    for value in (40000.0, 20000.0):
        found.add("rpc-64", "pipe <&>", "free", "ns", value)
    found.add("rpc-64", "berth", "cross", "ns", 500.0)
    found.add("fan-in-64-slowest", "berth", "free", "share", 0.0)
    return found.records()


class Statistics(unittest.TestCase):
    def test_a_record_has_median_and_extremes_of_its_own_runs(self):
        first = records()[0]
        self.assertEqual(tuple(first), figures.FIELDS)
        self.assertEqual((first["median"], first["min"], first["max"], first["runs"]),
                         (2000, 1000, 3000, 3))

    def test_of_two_runs_the_median_lies_between(self):
        self.assertEqual(records()[1]["median"], 30000)

    def test_records_come_in_the_order_of_their_first_run(self):
        self.assertEqual([(one["system"], one["placement"]) for one in records()[:3]],
                         [("berth", "free"), ("pipe <&>", "free"), ("berth", "cross")])

    def test_json_is_read_back_as_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "figures.json")
            figures.write_json(path, records())
            with open(path, encoding="utf-8") as file:
                self.assertEqual(json.load(file), records())

    def test_no_figure_is_still_an_array(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "figures.json")
            figures.write_json(path, [])
            with open(path, encoding="utf-8") as file:
                self.assertEqual(json.load(file), [])


class Words(unittest.TestCase):
    def test_three_digits_count(self):
        for value, words in ((0, "0.00"), (0.234, "0.23"), (4.567, "4.57"), (45.67, "45.7"),
                             (456.7, "457"), (45678, "45678")):
            self.assertEqual(figures.digits(value), words)

    def test_nanoseconds_are_said_in_the_unit_that_reads_well(self):
        for value, name in ((0, "ns"), (999, "ns"), (1000, "µs"), (2e6, "ms"), (3e9, "s")):
            self.assertEqual(figures.scale_of(value, "ns")[0], name)
        self.assertEqual(figures.scale_of(1e9, "calls/s"), ("calls/s", 1))

    def test_a_record_is_said_with_its_spread_in_one_unit(self):
        self.assertEqual(figures.worded(records()[0]), "2.00 µs (1.00–3.00)")

    def test_the_table_has_a_row_a_system_and_says_what_was_not_measured(self):
        lines = figures.table(records()[:3])
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[0].split() == ["rpc-64", "free", "cross"], lines[0])
        self.assertTrue(lines[2].rstrip().endswith("-"), lines[2])

    def test_figures_of_many_digits_do_not_touch(self):
        found = figures.Figures()
        for placement in ("same", "cross"):
            for value in (8521457.0, 10473590.0):
                found.add("oneway-64", "pipe", placement, "messages/s", value)
        self.assertIn(")   ", figures.table(found.records())[1])

    def test_ratios_are_of_one_work_and_one_placement(self):
        found = figures.Figures()
        for work, ours, others in (("rpc-64", 2, 4), ("rpc-64-p99", 9, 3)):
            found.add(work, "berth", "same", "ns", ours)
            found.add(work, "seqpacket-broker", "same", "ns", others)
        found.add("rpc-64", "berth", "free", "ns", 1)
        self.assertEqual([line.split(": ")[1] for line in subjects.to_broker(found.records())],
                         ["same 0.50", "same 3.00"])


class Picture(unittest.TestCase):
    def setUp(self):
        self.root = ElementTree.fromstring(plot.svg(records()))
        self.texts = [text.text for text in self.root.iter(SVG + "text")]

    def test_each_work_has_a_heading_and_each_system_its_name(self):
        for words in ("rpc-64 (ns)", "fan-in-64-slowest (share)", "berth", "pipe <&>"):
            self.assertIn(words, self.texts)

    def test_each_record_has_a_bar_and_a_whisker(self):
        self.assertEqual(len(list(self.root.iter(SVG + "path"))), len(records()))
        bars = [one for one in self.root.iter(SVG + "rect") if one.get("x") == str(plot.LEFT)]
        self.assertEqual(len(bars), len(records()) + 1)  # and one square of the legend

    def test_ten_times_as_long_is_one_step_further(self):
        panel = plot.Panel("rpc-64", records()[:2], 0)
        step = panel.x(1000) - panel.x(100)
        self.assertAlmostEqual(panel.x(10000) - panel.x(1000), step)
        self.assertEqual(panel.x(0), plot.LEFT)

    def test_everything_is_within_the_picture(self):
        width, height = float(self.root.get("width")), float(self.root.get("height"))
        for bar in self.root.iter(SVG + "rect"):
            self.assertLessEqual(float(bar.get("x", 0)) + float(bar.get("width")), width)
            self.assertLessEqual(float(bar.get("y", 0)) + float(bar.get("height")), height)

    def test_nothing_measured_is_a_picture_too(self):
        ElementTree.fromstring(plot.svg([]))


if __name__ == "__main__":
    unittest.main()
