#!/usr/bin/env python3
"""The simulator itself: what repeats, what it finds, what it prints.

usage: simulation_test.py PROGRAM
"""

import subprocess
import sys
import unittest

PROGRAM = None


def sim(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], check=False, capture_output=True,
                          text=True, timeout=600)


def scenarios():
    return sim("--list").stdout.split()


class Simulation(unittest.TestCase):
    def test_the_same_seed_gives_the_same_trace_byte_for_byte(self):
        self.assertGreater(len(scenarios()), 0)
        for name in scenarios():
            count = 1 if name == "crowd" else 3
            arguments = ("--scenario", name, "--seed", 77, "--count", count, "--trace")
            first, second = sim(*arguments), sim(*arguments)
            self.assertEqual(first.returncode, 0, first.stdout[-2000:])
            self.assertEqual(first.stdout, second.stdout)
            self.assertIn("seed 77: ", first.stdout)

    def test_a_seed_repeats_with_lanes_too_and_they_are_used(self):
        for lanes in ("forced", "flapping"):
            arguments = ("--seed", 77, "--count", 20, "--trace", "--lanes", lanes)
            first, second = sim(*arguments), sim(*arguments)
            self.assertEqual(first.returncode, 0, first.stdout[-2000:])
            self.assertEqual(first.stdout, second.stdout)
            self.assertIn("by lane", first.stdout)

    def test_other_seeds_give_other_traces(self):
        done = sim("--scenario", scenarios()[0], "--seed", 1, "--count", 200, "--trace")
        hashes = [line.split()[2] for line in done.stdout.splitlines()
                  if line.startswith("seed ")]
        self.assertEqual(len(set(hashes)), 200)

    def test_a_host_that_loses_wake_ups_is_found_and_repeats(self):
        arguments = ("--scenario", "rpc", "--seed", 1, "--lose-a-wakeup")
        done = sim(*arguments, "--count", 60)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"sim: FAILED: seed \d+, scenario rpc, step \d+: ")
        self.assertRegex(done.stdout, r"repeat it: scripts/sim --seed \d+ --trace --scenario rpc")
        self.assertRegex(done.stdout.splitlines()[-1],
                         r"^sim: \d+ schedules, seeds 1-\d+, \d+ failures$")
        command = next(line for line in done.stdout.splitlines() if "repeat it" in line)
        again = sim(*command.split("scripts/sim ")[1].split())
        self.assertEqual(again.returncode, 1)
        why = next(line for line in done.stdout.splitlines() if "FAILED" in line)
        self.assertIn(why, again.stdout)

    def test_the_last_line_counts(self):
        done = sim("--seed", 5, "--count", 7)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.splitlines()[-1],
                         "sim: 7 schedules, seeds 5-11, 0 failures")

    def test_wrong_use_says_so(self):
        for arguments in (("--seed", "x"), ("--scenario", "none"), ("--nothing",), ("word",),
                          ("--stored", "/nowhere"), ("--count", "-1"), ("--lanes", "x")):
            done = sim(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("usage: sim", done.stderr)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
