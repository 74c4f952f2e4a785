"""What is typed wrongly is told, with exit code 2; every command has its help."""

import os
import subprocess
import unittest

from berth_command import BERTH, BerthTest

COMMANDS = ["run", "cc", "c++", "ps", "ports", "trace", "launch", "dump"]


class Arguments(BerthTest):
    def test_every_command_has_help_on_standard_output(self):
        for command in COMMANDS:
            for words in ([command, "--help"], ["help", command]):
                code, out, err = self.berth(*words)
                self.assertEqual((code, err), (0, ""), words)
                self.assertIn("Usage: berth", out)

    def test_help_lists_every_command_but_that_for_developers(self):
        code, out, _ = self.berth("--help")
        self.assertEqual(code, 0)
        for command in COMMANDS:
            self.assertEqual("  %s " % command in out, command != "dump", command)

    def test_a_version_is_told(self):
        code, out, _ = self.berth("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^berth \d+\.\d+\.\d+\n$")

    def test_no_command_is_wrong_usage(self):
        code, _, err = self.berth()
        self.assertEqual(code, 2)
        self.assertIn("berth --help", err)

    def test_an_unknown_command_names_the_nearest(self):
        for typed, meant in [("prots", "ports"), ("rnu", "run"), ("p", "ps"), ("xyzzy", None),
                             ("tarce", "trace"), ("launhc", "launch"), ("dmup", None)]:
            code, out, err = self.berth(typed)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("no command '%s'" % typed, err)
            if meant:
                self.assertIn("'berth %s'" % meant, err)
            else:
                self.assertNotIn("did you mean", err)

    def test_wrong_options_are_told_by_name(self):
        for words, told in [
            (["run"], "no program"),
            (["run", "--frob", "true"], "--frob"),
            (["run", "--trace=", "true"], "names no file"),
            (["ps", "--frob"], "--frob"),
            (["ps", "extra"], "extra"),
            (["ps", "--queued"], "--queued"),
            (["ports", "--pid"], "process id"),
            (["ports", "--pid=12x"], "12x"),
            (["ports", "--pid", "-3"], "-3"),
            (["ports", "--pid=99999999999999999999"], "99999999999999999999"),
            (["ports", "--pidx=3"], "--pidx=3"),
            (["trace", "--kernel="], "--kernel"),
            (["cc"], "no input files"),
            (["cc", "--print-flags"], "cflags"),
            (["cc", "--print-flags=frob"], "frob"),
            (["--frob"], "--frob"),
        ]:
            code, out, err = self.berth(*words)
            self.assertEqual((code, out), (2, ""), words)
            self.assertIn(told, err)
            self.assertIn("--help", err)

    def test_lsmp_takes_the_options_of_macos(self):
        lsmp = self.path("lsmp")
        os.symlink(BERTH, lsmp)
        self.env["BERTH_KERNEL"] = self.path("none")
        for words, expected, told in [
            (["-h"], 0, "Usage: lsmp"),
            (["--help"], 0, "Usage: lsmp"),
            (["-p", "x"], 2, "process id"),
            (["-p"], 2, "-p"),
            (["-z"], 2, "-z"),
            (["extra"], 2, "extra"),
            (["-av", "-p", "1"], 1, "no kernel is running"),
        ]:
            code, out, err = self.lsmp(lsmp, words)
            self.assertEqual(code, expected, words)
            self.assertIn(told, out + err)

    def lsmp(self, path, words):
        done = subprocess.run([path, *words], env=self.env, capture_output=True, text=True,
                              check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def test_looking_without_a_kernel_says_so_and_starts_none(self):
        self.env["BERTH_KERNEL"] = self.path("none")
        for command in ["ps", "ports", "trace", "dump"]:
            code, out, err = self.berth(command)
            self.assertEqual((code, out), (1, ""))
            self.assertIn("no kernel is running; start a program first", err)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_full_disk_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            for words in [["--help"], ["--version"], ["run", "--help"]]:
                done = subprocess.run([BERTH, *words], stdout=full, env=self.env, check=False)
                self.assertEqual(done.returncode, 1, words)


unittest.main()
