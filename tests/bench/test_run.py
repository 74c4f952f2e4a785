"""The benchmarks as a whole: each system gives figures, and nothing outlives the driver."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
import xml.etree.ElementTree as ElementTree

sys.dont_write_bytecode = True
RUN, BUILD = os.environ["BENCH_RUN"], os.environ["BENCH_BUILD"]
sys.path.insert(0, os.path.dirname(RUN))

from driver.figures import FIELDS  # noqa: E402
from driver.programs import Programs  # noqa: E402


def marked(mark):
    """The processes that have @mark in their environment, but for zombies."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if mark.encode() in file.read():
                    found.append(int(entry))
        except OSError:
            continue
    return found


class Run(unittest.TestCase):
    def setUp(self):
        self.mark = "berth-bench-test-" + uuid.uuid4().hex
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = os.path.join(self.folder.name, "figures.json")
        # a driver that is killed leaves its folder
        self.environment = {**os.environ, "BENCH_OUT": self.out, "BENCH_TEST": self.mark,
                            "TMPDIR": self.folder.name}

    def bench(self, *arguments):
        return subprocess.run([sys.executable, RUN, BUILD, *arguments], env=self.environment,
                              check=False, capture_output=True, text=True)

    def figures(self, *arguments):
        done = self.bench("--quick", "--runs", "1", *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(self.out, encoding="utf-8") as file:
            return json.load(file)

    def wait_for_none(self):
        end = time.monotonic() + 60
        while marked(self.mark) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(marked(self.mark), [])

    def test_every_system_that_is_there_answers_calls_everywhere(self):
        programs = Programs(BUILD)
        found = self.figures("--only", "rpc-64")
        expected = {(system, placement) for system in programs.peers if system != "memcpy"
                    for placement in programs.placements()}
        self.assertIn(("berth", "free"), expected)
        for work in ("rpc-64", "rpc-64-p99"):
            ours = [one for one in found if one["work"] == work]
            self.assertEqual({(one["system"], one["placement"]) for one in ours}, expected)
        for one in found:
            self.assertEqual(tuple(one), FIELDS)
            self.assertEqual((one["unit"], one["runs"]), ("ns", 1))
            self.assertLessEqual(0, one["min"])
            self.assertLessEqual(one["min"], one["median"])
            self.assertLessEqual(one["median"], one["max"])
        ElementTree.parse(self.out.replace(".json", ".svg"))
        self.wait_for_none()

    def test_every_other_work_gives_figures_on_berth_and_on_sockets(self):
        works = ("rpc-64-sparse", "rpc-4k", "rpc-64-hog", "rpc-port-right", "oneway-64", "ool-1m",
                 "fan-in-64", "port-create-destroy", "attach")
        found = self.figures(*(word for work in works for word in ("--only", work)),
                             "--system", "berth", "--system", "seqpacket",
                             "--system", "seqpacket-fd-fresh", "--system", "seqpacket-broker")
        reported = {(one["work"], one["system"]) for one in found if one["median"] >= 0}
        for work in works:
            other = "seqpacket-fd-fresh" if work == "rpc-port-right" else "seqpacket"
            self.assertIn((work, "berth"), reported)
            self.assertIn((work, other), reported)
        self.assertIn(("attach", "seqpacket-broker"), reported)
        for work in ("rpc-4k-p99", "rpc-64-hog-share", "fan-in-64-slowest"):
            self.assertIn((work, "berth"), reported)

    def test_runs_are_counted(self):
        done = self.bench("--quick", "--runs", "2", "--only", "port-create-destroy", "--system", "pipe")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(self.out, encoding="utf-8") as file:
            self.assertEqual([one["runs"] for one in json.load(file)], [2])

    def test_what_there_is_not_is_refused(self):
        for arguments in (("--only", "rpc-65"), ("--system", "carrier-pigeon"), ("--runs", "-1")):
            done = self.bench(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(arguments[1].lstrip("-"), done.stderr)

    def test_a_program_that_fails_is_named_and_the_rest_goes_on(self):
        # no bus can listen at a path as long as this one
        folder = os.path.join(self.folder.name, "x" * 120)
        os.mkdir(folder)
        programs = Programs(BUILD)
        if "dbus-daemon" not in programs.peers:
            self.skipTest("no D-Bus here")
        self.environment["TMPDIR"] = folder
        done = self.bench("--quick", "--runs", "1", "--only", "rpc-4k", "--system", "dbus-daemon",
                          "--system", "pipe")
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed: rpc-4k dbus-daemon", done.stdout)
        with open(self.out, encoding="utf-8") as file:
            self.assertEqual({one["system"] for one in json.load(file)}, {"pipe"})

    def test_nothing_outlives_a_driver_that_is_killed(self):
        driver = subprocess.Popen(
            [sys.executable, RUN, BUILD, "--only", "idle", "--system", "berth", "--system",
             "seqpacket-broker"], env=self.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 60
            # two servers, a broker, berthd, and 200 clients
            while len(marked(self.mark)) < 203 and time.monotonic() < end:
                self.assertIsNone(driver.poll())
                time.sleep(0.05)
            self.assertGreaterEqual(len(marked(self.mark)), 203)
        finally:
            driver.send_signal(signal.SIGKILL)
            driver.wait()
        self.wait_for_none()


if __name__ == "__main__":
    unittest.main()
