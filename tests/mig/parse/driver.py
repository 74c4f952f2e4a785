#!/usr/bin/env python3
"""The driver of mig: options, the preprocessor, and files that are put down all or not at all."""

import json
import os
import stat
import subprocess
import tempfile
import unittest

MIG = os.environ["MIG"]
GOOD = """subsystem good 100;
type port = MACH_MSG_TYPE_COPY_SEND;
type int = MACH_MSG_TYPE_INTEGER_32;
routine ask(server : port; x : int; out y : int);
"""


class Driver(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="berth-mig-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.write("good.defs", GOOD)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def mig(self, *args, text=None, status=0, env=None, program=None):
        done = subprocess.run(
            [program or MIG, *args], cwd=self.folder, input=text, capture_output=True, text=True,
            timeout=300, check=False, env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL if text is None else None)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotIn("Sanitizer", done.stderr)
        return done

    def files(self):
        return sorted(os.listdir(self.folder))

    def test_three_files_have_the_names_of_the_subsystem(self):
        done = self.mig("good.defs")
        self.assertEqual(done.stdout + done.stderr, "")
        self.assertEqual(self.files(), ["good.defs", "good.h", "goodServer.c", "goodUser.c"])

    def test_the_same_input_gives_the_same_output(self):
        self.mig("good.defs")
        before = [self.read(name) for name in self.files()]
        self.mig("good.defs")
        self.assertEqual(before, [self.read(name) for name in self.files()])

    def test_outputs_have_the_names_that_are_asked_for(self):
        os.mkdir(self.path("out"))
        self.mig("-user", "out/u.c", "-server", "out/s.c", "-header", "out/h.h", "-sheader",
                 "out/sh.h", "-dheader", "out/d.h", "good.defs")
        self.assertEqual(sorted(os.listdir(self.path("out"))),
                         ["d.h", "h.h", "s.c", "sh.h", "u.c"])
        self.assertEqual(self.files(), ["good.defs", "out"])

    def test_dev_null_leaves_a_file_out(self):
        self.mig("-user", "/dev/null", "-header", "/dev/null", "-server", "s.c", "good.defs")
        self.assertEqual(self.files(), ["good.defs", "s.c"])

    def test_dev_stdout_is_written_to(self):
        done = self.mig("-user", "/dev/stdout", "-header", "/dev/null", "-server", "/dev/null",
                        "good.defs")
        self.assertIn("ask", done.stdout)
        self.assertEqual(self.files(), ["good.defs"])

    def test_an_error_leaves_no_file(self):
        self.write("bad.defs", GOOD + "routine b(server : unknown);\n")
        done = self.mig("bad.defs", status=1)
        self.assertIn("bad.defs:5:20: error: type `unknown` is not known", done.stderr)
        self.assertIn("routine b(server : unknown);\n                   ^~~~~~~\n", done.stderr)
        self.assertEqual(self.files(), ["bad.defs", "good.defs"])

    def test_a_file_that_cannot_be_written_leaves_none(self):
        done = self.mig("-server", "nowhere/s.c", "good.defs", status=1)
        self.assertIn("cannot write nowhere/s.c: No such file or directory", done.stderr)
        self.assertEqual(self.files(), ["good.defs"])

    def test_a_folder_is_not_replaced(self):
        os.mkdir(self.path("goodServer.c"))
        done = self.mig("good.defs", status=1)
        self.assertIn("cannot write goodServer.c: Is a directory", done.stderr)
        self.assertEqual(self.files(), ["good.defs", "goodServer.c"])

    def test_a_full_disk_is_told(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        done = self.mig("-server", "/dev/full", "good.defs", status=1)
        self.assertIn("cannot write /dev/full: No space left on device", done.stderr)
        self.assertEqual(self.files(), ["good.defs"])

    def test_a_failure_keeps_the_old_files(self):
        self.write("goodUser.c", "old")
        self.mig("-server", "nowhere/s.c", "good.defs", status=1)
        self.assertEqual(self.read("goodUser.c"), "old")

    def test_a_link_stays_a_link_and_a_mode_a_mode(self):
        self.write("real.c", "old")
        os.chmod(self.path("real.c"), 0o640)
        os.symlink("real.c", self.path("link.c"))
        self.mig("-user", "link.c", "good.defs")
        self.assertTrue(os.path.islink(self.path("link.c")))
        self.assertIn("ask", self.read("real.c"))
        self.assertEqual(stat.S_IMODE(os.stat(self.path("real.c")).st_mode), 0o640)

    def test_two_outputs_of_one_name_are_refused(self):
        done = self.mig("-user", "x.c", "-server", "x.c", "good.defs", status=1)
        self.assertIn("two outputs are called x.c", done.stderr)

    def test_the_preprocessor_sees_its_options_and_the_folder_of_the_file(self):
        self.write("sub/some.defs", "#include \"types.defs\"\n#include <other.defs>\n"
                   "#ifdef __MACH30__\nsubsystem some NUMBER;\n#endif\n"
                   "routine f(p : port);\n#ifdef GONE\nnonsense\n#endif\n")
        self.write("sub/types.defs", "type port = MACH_MSG_TYPE_COPY_SEND;\n")
        self.write("inc/other.defs", "/* nothing */\n")
        self.mig("-Iinc", "-D", "NUMBER=70", "-DGONE", "-UGONE", "sub/some.defs")
        self.assertIn("some.h", self.files())

    def test_errors_in_included_files_name_them(self):
        self.write("types.defs", "\n\ntype a = array[] of;\n")
        self.write("some.defs", "#include \"types.defs\"\nsubsystem x 1;\n")
        done = self.mig("some.defs", status=1)
        self.assertIn("types.defs:3:20: error: expected a type, got ';'", done.stderr)

    def test_words_of_the_compiler_do_not_change_imports(self):
        self.write("some.defs", GOOD + "import <linux/unix.h>;\n")
        done = self.mig("--json", "some.defs")
        self.assertIn("<linux/unix.h>", done.stdout)

    def test_what_the_preprocessor_refuses_is_refused(self):
        self.write("some.defs", GOOD + "#error this way\n")
        done = self.mig("some.defs", status=1)
        self.assertIn("this way", done.stderr)
        self.assertEqual(self.files(), ["good.defs", "some.defs"])

    def test_the_preprocessor_may_be_chosen(self):
        self.write("cc", "#!/bin/sh\necho \"$@\" > arguments\ncat good.defs\n")
        os.chmod(self.path("cc"), 0o755)
        self.mig("good.defs", env={"MIGCC": "./cc -one  -two"})
        words = self.read("arguments").split()
        self.assertEqual(words[:5], ["-one", "-two", "-E", "-x", "c"])
        self.assertIn("-D__MACH30__", words)
        self.assertEqual(words[-1], "good.defs")
        self.mig("-cc", "./cc", "good.defs", env={"MIGCC": "false"})
        done = self.mig("good.defs", env={"MIGCC": "./none"}, status=1)
        self.assertIn("cannot run the preprocessor ./none", done.stderr)
        done = self.mig("good.defs", env={"MIGCC": "false"}, status=1)

    def test_a_file_that_is_not_there_is_named(self):
        done = self.mig("none.defs", status=1)
        self.assertEqual(done.stderr,
                         "mig: error: cannot read none.defs: No such file or directory\n")

    def test_a_file_may_be_called_like_an_option(self):
        self.write("-x.defs", GOOD)
        self.mig("./-x.defs")
        self.assertIn("good.h", self.files())

    def test_text_comes_from_standard_input(self):
        for args in [], ["-"]:
            done = self.mig("--json", *args, text="# 1 \"it.defs\"\n" + GOOD)
            self.assertEqual(json.loads(done.stdout)["subsystem"], "good")
        done = self.mig("-", text="?", status=1)
        self.assertIn("<stdin>:1:1: error", done.stderr)

    def test_migcom_is_the_compiler_proper(self):
        os.symlink(MIG, self.path("migcom"))
        self.mig(text=GOOD, program="./migcom")
        self.assertIn("goodUser.c", self.files())
        done = self.mig("good.defs", program="./migcom", status=1)
        self.assertIn("migcom reads preprocessed text", done.stderr)

    def test_json_writes_no_file(self):
        done = self.mig("--json", "-user", "u.c", "good.defs")
        self.assertEqual(json.loads(done.stdout)["base"], 100)
        self.assertEqual(self.files(), ["good.defs"])

    def test_several_files_have_their_own_outputs(self):
        self.write("more.defs", GOOD.replace("good", "more"))
        self.mig("good.defs", "more.defs")
        self.assertIn("more.h", self.files())
        self.assertIn("good.h", self.files())
        done = self.mig("-user", "u.c", "good.defs", "more.defs", status=1)
        self.assertIn("one file at a time", done.stderr)

    def test_a_bad_file_does_not_hide_a_good_one(self):
        self.write("bad.defs", "?")
        self.mig("bad.defs", "good.defs", status=1)
        self.assertIn("good.h", self.files())

    def test_all_known_options_are_taken(self):
        self.mig("-q", "-Q", "-v", "-V", "-r", "-R", "-s", "-S", "-l", "-L", "-k", "-n", "-N",
                 "-t", "-b", "-B", "-X", "-split", "-novouchers", "-maxonstack", "1024", "-arch",
                 "x86_64", "-migcom", "/none", "-cpp", "x", "-max_descrs", "3", "-std=gnu99",
                 "-isysroot", "/", "good.defs")

    def test_wrong_options_are_named(self):
        for args, said in (
                (["-zebra"], "option `-zebra` is not known"),
                (["--zebra"], "option `--zebra` is not known"),
                (["-x"], "option `-x` is not supported"),
                (["-mach_msg2"], "option `-mach_msg2` is not supported"),
                (["-K"], "option `-K` is not supported"),
                (["-user"], "`-user` needs a value"),
                (["-user", ""], "the value of `-user` is empty"),
                (["-maxonstack", "12x"], "`-maxonstack 12x`: expected a number"),
                (["-maxonstack", "99999999999"], "expected a number")):
            done = self.mig("good.defs", *args, status=1)
            self.assertIn(said, done.stderr)
        self.assertEqual(self.files(), ["good.defs"])

    def test_warnings_do_not_fail_and_can_be_left_out(self):
        self.write("warn.defs", GOOD + "routine w(server : port; x : int, dealloc);\n")
        done = self.mig("warn.defs")
        self.assertIn("warn.defs:5:35: warning: `dealloc` is ignored", done.stderr)
        self.assertEqual(self.mig("-q", "warn.defs").stderr, "")

    def test_help_and_version_are_printed(self):
        for option in "--help", "-help":
            self.assertIn("usage: mig", self.mig(option).stdout)
        for option in "--version", "-version":
            self.assertTrue(self.mig(option).stdout.startswith("mig of Berth "))


if __name__ == "__main__":
    unittest.main()
