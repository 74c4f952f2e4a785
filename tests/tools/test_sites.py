"""`berth run --leaks=sites` shows where each right that was left behind was got."""

import os
import random
import re
import signal
import unittest

from berth_command import SOURCE, ProgramTest, read

PROGRAM = os.path.join(SOURCE, "tests", "tools", "programs", "sites.c")
SPOILED = 8

# In $BERTH_SITES: numbers that lie, behind a head that is right.
SPOIL = """
import glob, os, random, sys
random.seed(int(sys.argv[1]))
for path in glob.glob(os.environ["BERTH_SITES"] + "/*"):
    with open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        for _ in range(400):
            file.seek(random.choice((random.randrange(12, 40), random.randrange(64, size), size // 2)))
            file.write(random.choice((b"\\xff" * 8, random.randbytes(8))))
        file.seek(random.randrange(131200, 265000))
        file.write(random.randbytes(40000))
        if random.randrange(3) == 0:
            file.truncate(random.randrange(size))
os.mkfifo(os.environ["BERTH_SITES"] + "/1.0000")
"""


def line_of(mark):
    """The number of the line of the program that is marked so."""
    for number, line in enumerate(read(PROGRAM).splitlines(), 1):
        if "/* %s */" % mark in line:
            return number
    raise AssertionError(mark)


class Sites(ProgramTest):
    def tearDown(self):
        self.assertEqual(self.folders(), [], "a folder is left behind")

    def report(self, how):
        """The leaks of the program: the kernel's line, and those about sites."""
        code, out, err = self.berth("run", "--leaks=sites", self.program("sites"), how)
        self.assertEqual((code, out), (1, ""), err)
        leaks = []
        for line in err.splitlines():
            if line.startswith("leak: "):
                leaks.append([line])
            elif line.startswith(" "):
                leaks[-1].append(line)
            else:
                leaks.append([line])
        return leaks

    def assertSite(self, lines, *places):
        """That @lines has these functions at these marks one behind the other."""
        wanted = [r"^        %s at .*sites\.c:%d$" % (function, line_of(mark))
                  for function, mark in places]
        for start in range(len(lines)):
            if all(re.search(pattern, line) for pattern, line in zip(wanted, lines[start:])):
                if len(lines) - start >= len(wanted):
                    return
        self.fail("%s is not in\n%s" % (wanted, "\n".join(lines)))

    def test_a_forgotten_right_is_shown_with_function_and_line(self):
        leaks = self.report("forgets")
        self.assertEqual(len(leaks), 1, leaks)
        self.assertIn("dead-name right", leaks[0][0])
        self.assertIn("(1 reference)", leaks[0][0])
        self.assertEqual(leaks[0][1], "    1 send right got at site 1, by mach_port_insert_right:")
        self.assertSite(leaks[0], ("get_send", "sent"))
        self.assertRegex(leaks[0][-1], r"^        main at .*sites\.c:\d+$")

    def test_a_tidy_program_has_no_site(self):
        self.assertEqual(self.berth("run", "--leaks=sites", self.program("sites"), "tidy"), (0, "", ""))
        self.assertEqual(self.berth("run", "--leaks=sites", "true"), (0, "", ""))

    def test_a_killed_program_leaves_its_notes(self):
        code, _, err = self.berth("run", "--leaks=sites", "sh", "-c", '"$0" killed; exit 0',
                                  self.program("sites"))
        self.assertEqual(code, 1)
        self.assertSite(err.splitlines(), ("make_port", "made"))

    def test_parent_and_child_have_each_their_own(self):
        leaks = self.report("forks")
        self.assertEqual(len(leaks), 2, leaks)
        child, parent = leaks
        self.assertSite(child, ("make_port", "made"), ("leave_in_child", "child"))
        self.assertSite(parent, ("make_port", "made"), ("main", "parent"))
        self.assertNotIn("leave_in_child", "\n".join(parent))

    def test_before_and_after_an_exec_are_two_programs(self):
        before, after = self.report("executes")
        self.assertSite(before, ("make_port", "made"), ("main", "before"))
        self.assertSite(after, ("make_port", "made"), ("main", "after"))

    def test_each_site_of_a_name_is_shown_but_of_what_was_given_back(self):
        (leak,) = self.report("twice")
        self.assertIn("receive+send right", leak[0])
        self.assertSite(leak, ("make_port", "made"), ("main", "after"))
        self.assertSite(leak, ("get_send", "sent"))
        self.assertNotIn("get_more", "\n".join(leak))

    def test_a_right_that_travelled_was_got_where_it_arrived(self):
        (leak,) = self.report("moves")
        self.assertEqual(leak[1], "    1 receive right got at site 1, by mach_msg:")
        self.assertSite(leak, ("take_parcel", "came"))
        self.assertNotIn("make_port", "\n".join(leak))

    def test_a_right_in_a_message_that_was_not_sent_stays_where_it_was(self):
        (leak,) = self.report("fails")
        self.assertSite(leak, ("make_port", "made"))
        self.assertSite(leak, ("get_send", "sent"))

    def test_threads_at_once_are_counted(self):
        leaks = self.report("threads")
        rights = [leak for leak in leaks if leak[0].startswith("leak: ")]
        self.assertEqual(len(rights), 8)
        self.assertSite(rights[0], ("make_port", "made"), ("come_and_go", "thread"))
        for right in rights[1:]:
            self.assertEqual(right[1:], ["    1 receive right got at site 1, see above"])
        self.assertRegex(leaks[-1][0], r"^site 1 of \d+\(sites\) left 8 rights$")

    def test_without_addr2line_there_are_addresses_and_the_reason(self):
        self.env["PATH"] = self.folder
        leaks = self.report("forgets")
        self.assertRegex(leaks[0][2], r"^        %s\+0x[0-9a-f]+$" % re.escape(self.program("sites")))
        self.assertIn("addr2line", leaks[-1][0])

    def test_without_asking_there_are_no_notes(self):
        self.env["BERTH_SITES"] = self.folder
        code, _, err = self.berth("run", "--leaks", self.program("sites"), "forgets")
        self.assertEqual((code, err.count("\n")), (1, 1), err)
        self.assertEqual(os.listdir(self.folder), [])
        self.assertEqual(self.berth("run", "--leaks=other", "true")[0], 2)

    def test_spoiled_notes_harm_only_the_report(self):
        script = '"$0" twice; "$0" threads; exec python3 -c "$1" "$2"'
        first = random.randrange(1 << 30)
        for seed in range(first, first + SPOILED):
            process = self.start("run", "--leaks=sites", "sh", "-c", script, self.program("sites"),
                                 SPOIL, str(seed), errors="replace")
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1, "seed %d\n%s" % (seed, err))
            self.assertEqual(len(re.findall("^leak: .*sites.* ended with", err, re.MULTILINE)), 9,
                             "seed %d\n%s" % (seed, err))

    def test_notes_of_a_killed_run_are_swept_by_the_next(self):
        process = self.start("run", "--leaks=sites", self.program("holds"))
        process.stdout.readline()
        (folder,) = self.folders()
        self.assertEqual(len(os.listdir(os.path.join(self.folder, folder, "sites"))), 1)
        self.assertEqual(os.stat(os.path.join(self.folder, folder, "sites")).st_mode & 0o777, 0o700)
        holds = int(os.listdir(os.path.join(self.folder, folder, "sites"))[0].split(".")[0])
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        os.kill(holds, signal.SIGKILL)
        process.stdout.close()
        process.stderr.close()
        self.wait_for(lambda: not os.path.exists(os.path.join(self.folder, folder, "kernel")),
                      "the kernel's end")
        self.wait_for(lambda: self.berth("run", "true") == (0, "", "") and self.folders() == [],
                      "the sweep")


unittest.main()
