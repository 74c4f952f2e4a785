#!/usr/bin/env python3
"""`berth launch` as somebody uses it: files good and bad, what jobs are given, what is said."""

import os
import plistlib
import resource
import signal
import stat
import subprocess
import unittest

from launch_test import BERTH, CLIENT, LaunchTest

NOBODY = 65534
# key, option of ulimit, number; memcheck keeps a process's limit of descriptors to itself
LIMIT = (("CPU", "-t", resource.RLIMIT_CPU) if "TESTS_UNDER_MEMCHECK" in os.environ
         else ("NumberOfFiles", "-n", resource.RLIMIT_NOFILE))
XML = '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">{}</plist>\n'


def key(name, value):
    return f"<key>{name}</key>{value}"


LABEL = key("Label", "<string>bad</string>")
PROGRAM = key("Program", "<string>/bin/true</string>")


class Files(LaunchTest):
    def write(self, name, text, mode=0o644):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(self.path(name), mode)
        return self.path(name)

    def refused(self, text, content):
        """@content is no job: the message names the file and says @text."""
        path = self.write("bad.plist", content)
        self.bad(text, "load", path)
        self.bad(path, "load", path)
        self.assertEqual(self.jobs(), {})

    def refused_keys(self, text, *keys):
        self.refused(text, XML.format(f"<dict>{LABEL}{PROGRAM}{''.join(keys)}</dict>"))

    def test_both_forms_of_property_lists_are_read(self):
        for form in (plistlib.FMT_XML, plistlib.FMT_BINARY):
            job = {"Label": "good", "Program": "/bin/true"}
            self.good("load", self.write("good.plist", plistlib.dumps(job, fmt=form)))
            self.assertEqual(self.jobs(), {"good": ("-", "-")})
            self.good("unload", self.path("good.plist"))
            self.assertEqual(self.jobs(), {})

    def test_what_is_no_property_list_is_refused(self):
        self.refused("not a well-formed property list", "")
        self.refused("not a well-formed property list", "not a plist")
        self.refused("not a well-formed property list", XML.format(f"<dict>{LABEL}")[:80])
        self.refused("dictionary at the top", XML.format("<array/>"))

    def test_what_is_no_job_is_refused(self):
        self.refused("Label: missing", XML.format(f"<dict>{PROGRAM}</dict>"))
        self.refused("Program: missing", XML.format(f"<dict>{LABEL}</dict>"))
        self.refused("ProgramArguments", XML.format(
            f"<dict>{LABEL}{key('ProgramArguments', '<string>x</string>')}</dict>"))

    def test_keys_of_the_wrong_kind_are_named(self):
        for name in ("RunAtLoad", "KeepAlive", "ThrottleInterval", "MachServices", "Umask",
                     "EnvironmentVariables", "StandardOutPath", "WatchPaths", "Nice",
                     "LaunchOnlyOnce", "SoftResourceLimits", "ExitTimeOut", "Disabled"):
            self.refused_keys(name, key(name, "<date>2026-01-01T00:00:00Z</date>"))
        self.refused_keys("WorkingDirectory", key("WorkingDirectory", "<string>x/y</string>"))
        self.refused_keys("ThrottleInterval", key("ThrottleInterval", "<integer>-1</integer>"))
        self.refused_keys("MachServices", key("MachServices", "<dict><key>a</key>"
                                              "<integer>1</integer></dict>"))
        self.refused_keys("DrainMessagesOnCrash",
                          key("MachServices", "<dict><key>a</key><dict><key>"
                              "DrainMessagesOnCrash</key><string>Two</string></dict></dict>"))

    def test_keys_that_nobody_knows_are_told_and_passed_over(self):
        done = self.launch("load", self.plist("odd", "true", Colour="blue", Sockets={}))
        self.assertEqual(done.returncode, 0)
        self.assertIn("Colour", done.stderr)
        self.assertIn("Sockets", done.stderr)
        self.assertIn("odd", self.jobs())

    def test_files_that_cannot_be_trusted_or_read_are_refused(self):
        self.bad("No such file", "load", self.path("missing.plist"))
        good = self.plist("good", "true")
        for mode in (0o664, 0o646):
            os.chmod(good, mode)
            self.bad("others may write it", "load", good)
        os.chmod(good, 0o644)
        os.mkfifo(self.path("pipe.plist"))
        self.bad("not a file", "load", self.path("pipe.plist"))
        if os.geteuid() == 0:
            os.chown(good, 1, 1)
            self.bad("belongs to neither root nor you", "load", good)
        else:
            os.chmod(good, 0)
            self.bad("Permission denied", "load", good)
        self.bad("longer than", "load", self.write("long.plist", b" " * 300000))
        self.assertEqual(self.jobs(), {})

    def test_a_folder_is_all_its_property_lists(self):
        os.mkdir(self.path("jobs"))
        self.bad("no *.plist in there", "load", self.path("jobs"))
        for label in ("one", "two"):
            os.rename(self.plist(label, "true"), self.path(f"jobs/{label}.plist"))
        self.write("jobs/readme.txt", "no job")
        self.good("load", self.path("jobs"))
        self.assertEqual(set(self.jobs()), {"one", "two"})
        # one bad file does not keep the others out
        self.good("remove", "one")
        self.write("jobs/bad.plist", "x")
        done = self.launch("load", self.path("jobs"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("bad.plist", done.stderr)
        self.assertIn("two: a job of that label is loaded", done.stderr)
        self.assertEqual(set(self.jobs()), {"one", "two"})

    def test_labels_and_services_are_unique(self):
        self.load("first", "true", MachServices={"a": True, "b": False})
        self.bad("a job of that label is loaded", "load", self.path("first.plist"))
        second = self.plist("second", "true", MachServices={"free": True, "a": True})
        self.bad("one of its MachServices is another job's", "load", second)
        # a refused job leaves nothing: not the services that were free either
        self.load("third", "true", MachServices={"free": True, "b": True})
        self.assertEqual(set(self.jobs()), {"first", "third"})

    def test_services_have_their_forms(self):
        self.load("forms", "true", MachServices={
            "plain": True, "off": False, "empty": {}, "reset": {"ResetAtClose": True},
            "hidden": {"HideUntilCheckIn": True}})
        names = {line.split()[1]: line.split()[0] for line in self.good("bslist").splitlines()}
        self.assertEqual(names, {"plain": "D", "empty": "D", "reset": "D"})
        self.assertIn('"hidden" = "hidden"', self.good("print", "forms"))
        self.assertIn("plain (forms)", self.good("bslist", "-j"))
        for name, code in (("plain", "0"), ("off", "1102"), ("hidden", "1102")):
            self.assertEqual(self.client("look-up", name), code)

    def test_a_disabled_job_is_loaded_by_force_only(self):
        path = self.plist("off", "true", Disabled=True)
        self.bad("is disabled", "load", path)
        self.good("load", "-F", path)
        self.assertIn("off", self.jobs())

    def test_other_users_steer_nothing(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        self.load("mine", "sleep", "1000", RunAtLoad=True)
        path = self.plist("theirs", "true")
        os.chown(path, NOBODY, NOBODY)
        for words, text in ((("load", path), "only the owner of this kernel may load jobs"),
                            (("stop", "mine"), "not yours"), (("remove", "mine"), "not yours"),
                            (("kickstart", "-k", "mine"), "not yours")):
            done = self.launch(*words, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
            self.assertEqual(done.returncode, 1)
            self.assertIn(text, done.stderr)
        self.assertEqual(list(self.jobs()), ["mine"])

    def test_what_is_switched_off_stays_so(self):
        # the choices are kept for each user: with a kernel of one's own, as an ordinary one
        path = self.plist("choice", "true")
        home = self.path("home")
        os.mkdir(home)
        env = {name: value for name, value in os.environ.items() if name != "BERTH_KERNEL"}
        env.update(HOME=home, XDG_STATE_HOME=home + "/state")
        script = ('"$0" launch load "$1" || exit 1; "$0" launch unload -w "$1" || exit 2; '
                  '"$0" launch load "$1" 2>&1 | grep -q disabled || exit 3; '
                  '"$0" launch load -F "$1" || exit 4; "$0" launch unload "$1" || exit 5; '
                  '"$0" launch load -w "$1" || exit 6; "$0" launch unload "$1" || exit 7; '
                  '"$0" launch load "$1" || exit 8; "$0" launch list | grep -q choice')
        options = {}
        if os.geteuid() == 0:
            os.chown(home, NOBODY, NOBODY)
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        done = self.run_command([BERTH, "run", "--", "sh", "-c", script, BERTH, path],
                                env=env, cwd="/", **options)
        if done is None:
            self.skipTest("an ordinary user cannot execute what was built")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(home + "/state/berth/overrides.plist", "rb") as file:
            self.assertEqual(plistlib.load(file), {"choice": {"Disabled": False}})


class Given(LaunchTest):
    """What a job is given."""

    def given(self, script, **keys):
        """The lines that a job which runs @script once prints."""
        self.shell("job", f"{{ {script}; }} > {self.path('said')}.new; "
                   f"mv {self.path('said')}.new {self.path('said')}", RunAtLoad=True, **keys)
        self.wait(lambda: os.path.exists(self.path("said")), "what the job says")
        self.good("remove", "job")
        lines = self.lines("said")
        os.unlink(self.path("said"))
        return lines

    def test_surroundings(self):
        self.assertEqual(self.given(f"pwd; umask; ulimit {LIMIT[1]}; echo $COLOUR; nice", Nice=3,
                                    WorkingDirectory="/usr", Umask=0o027,
                                    SoftResourceLimits={LIMIT[0]: 77},
                                    EnvironmentVariables={"COLOUR": "sea green"}),
                         ["/usr", "0027", "77", "sea green", "3"])
        self.assertEqual(self.given("pwd; umask", Umask="022"), ["/", "0022"])

    def test_streams(self):
        keys = {"StandardInPath": self.path("in"), "StandardOutPath": self.path("out"),
                "StandardErrorPath": self.path("err")}
        with open(self.path("in"), "w", encoding="utf-8") as file:
            file.write("line\n")
        for count in (1, 2):
            self.shell("streams", f"cat; echo wrong >&2; echo >> {self.path('done')}",
                       RunAtLoad=True, **keys)
            self.wait_lines("done", count)
            self.good("remove", "streams")
        self.assertEqual(self.lines("out"), ["line", "line"])  # added, not written anew
        self.assertEqual(self.lines("err"), ["wrong", "wrong"])
        self.assertEqual(stat.S_IMODE(os.stat(self.path("out")).st_mode), 0o644)
        self.assertEqual(self.given("readlink /proc/self/fd/0 /proc/$$/fd/2"),
                         ["/dev/null", "/dev/null"])

    def test_program_and_arguments(self):
        self.load("both", "name-of-its-own", "-c", f"echo $0 > {self.path('said')}",
                  Program="/bin/sh", RunAtLoad=True)
        self.assertEqual(self.wait_lines("said", 1), ["name-of-its-own"])

    def test_nothing_of_the_server_gets_in(self):
        lines = self.given("ls /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status; env")
        self.assertEqual(lines[:4], ["0", "1", "2", "3"])  # the last is the folder's own
        # of a process that the job started: a shell that forks blocks them all for a moment
        self.assertTrue(lines[4].startswith("SigBlk"), lines)
        self.assertIn("SigBlk:\t" + "0" * 16, lines)
        ignored = int(lines[5].split()[1], 16)
        self.assertEqual(ignored & ~(3 << 31), 0)  # 32 and 33 are the C library's own
        self.assertFalse([line for line in lines if line.startswith("BERTH_TASK_FD")])
        self.assertTrue([line for line in lines if line.startswith("BERTH_KERNEL=")])

    def test_limits_of_hard_kind(self):
        hard = resource.getrlimit(LIMIT[2])[1]
        limit = 99 if hard == resource.RLIM_INFINITY else min(99, hard)
        self.assertEqual(self.given(f"ulimit -H {LIMIT[1]}; ulimit -S {LIMIT[1]}",
                                    HardResourceLimits={LIMIT[0]: limit}),
                         [str(limit)] * 2)


class Running(LaunchTest):
    """When a job runs."""

    def counting(self, label="job", then="true", **keys):
        """A job that adds a line to the file `runs` each time."""
        keys.setdefault("ThrottleInterval", 0)
        self.shell(label, f"echo $$ >> {self.path('runs')}; {then}", **keys)

    def test_a_job_without_a_reason_waits_for_start(self):
        self.counting()
        self.assertEqual(self.state("job"), "waiting")
        for count in (1, 2, 3):
            self.good("start", "job")
            self.wait_lines("runs", count)
            self.wait(lambda: self.jobs()["job"] == ("-", "0"), "the end of the job")

    def test_kept_alive(self):
        self.counting(KeepAlive=True)
        self.wait_lines("runs", 4)

    def test_kept_alive_until_it_succeeds(self):
        self.counting(then=f"[ $(wc -l < {self.path('runs')}) -ge 3 ]",
                      KeepAlive={"SuccessfulExit": False})
        self.wait_lines("runs", 3)
        self.wait(lambda: self.state("job") == "waiting", "success")
        self.assertEqual(len(self.lines("runs")), 3)

    def test_kept_alive_while_a_path_is_there(self):
        self.counting(then="exec sleep 1000", KeepAlive={"PathState": {self.path("on"): True}})
        self.assertEqual(self.state("job"), "waiting")
        open(self.path("on"), "w", encoding="utf-8").close()
        self.wait_lines("runs", 1)
        os.unlink(self.path("on"))
        self.good("stop", "job")
        self.wait(lambda: self.state("job") == "waiting", "the end")
        self.assertEqual(len(self.lines("runs")), 1)

    def test_kept_alive_while_another_job_is_loaded(self):
        self.counting(then="exec sleep 1000", KeepAlive={"OtherJobEnabled": {"other": True}})
        self.assertEqual(self.state("job"), "waiting")
        self.load("other", "true")
        self.wait_lines("runs", 1)

    def test_intervals_and_paths_are_reasons(self):
        os.mkdir(self.path("queue"))
        self.counting("interval", StartInterval=1)
        self.wait_lines("runs", 2)
        self.good("remove", "interval")
        self.counting("watch", WatchPaths=[self.path("watched")])
        count = len(self.lines("runs"))
        open(self.path("watched"), "w", encoding="utf-8").close()
        self.wait_lines("runs", count + 1)
        self.good("remove", "watch")
        self.counting("queue", then=f"rm -f {self.path('queue')}/*",
                      QueueDirectories=[self.path("queue")])
        count = len(self.lines("runs"))
        open(self.path("queue/work"), "w", encoding="utf-8").close()
        self.wait_lines("runs", count + 1)
        self.wait(lambda: self.state("queue") == "waiting", "an empty queue")
        self.assertEqual(os.listdir(self.path("queue")), [])

    def test_once_is_once(self):
        self.counting(LaunchOnlyOnce=True, RunAtLoad=True)
        self.wait(lambda: self.jobs()["job"] == ("-", "0"), "the end of the job")
        self.bad("only once", "kickstart", "job")
        self.assertEqual(len(self.lines("runs")), 1)

    def test_kickstart(self):
        self.counting(then="exec sleep 1000", ThrottleInterval=1000)
        first = self.good("kickstart", "-p", "job").strip()
        self.assertEqual(self.jobs()["job"][0], first)
        self.assertEqual(self.good("kickstart", "-p", "gui/501/job").strip(), first)
        self.assertEqual(self.good("kickstart", "job"), "")
        self.wait_lines("runs", 1)
        # -k ends it; to be asked for is reason enough not to be throttled
        second = self.good("kickstart", "-kp", "system/job").strip()
        self.assertNotEqual(first, second)
        self.assertEqual(self.wait_lines("runs", 2), [first, second])
        self.good("stop", "job")
        self.wait(lambda: self.jobs()["job"] == ("-", str(-signal.SIGTERM)), "the end")
        self.bad("does not run", "stop", "job")

    def test_submit(self):
        self.good("submit", "-l", "sub", "-o", "out", "-e", self.path("err"), "--",
                  "sh", "-c", "echo hello; echo wrong >&2")
        self.assertEqual(self.wait_lines("out", 1), ["hello"])
        self.assertEqual(self.wait_lines("err", 1), ["wrong"])
        self.wait(lambda: self.jobs()["sub"] == ("-", "0"), "the end of the job")

    def test_what_is_printed(self):
        self.load("job", "sleep", "1000", RunAtLoad=True, MachServices={"name": True})
        pid = self.jobs()["job"][0]
        printed = self.good("print", "job")
        for text in ("state = running", f"pid = {pid}", '"sleep";', '"name" = "on demand"'):
            self.assertIn(text, printed)
        self.assertIn('"Label" = "job";', self.good("list", "job"))
        self.assertIn(f'"PID" = {pid};', self.good("list", "job"))


    def test_names_give_a_terminal_no_orders(self):
        name = b"\x1b[2J<&>\x01\xff"
        with open(self.path("name"), "wb") as file:
            file.write(name)
        self.load("job", "sh", "-c", f'exec {CLIENT} hold "$(cat {self.path("name")})" '
                  f'{self.path("held")}', RunAtLoad=True)
        self.wait_lines("held", 1)
        for words in (("bslist", "-j"), ("print", "job"), ("list", "job")):
            done = subprocess.run([BERTH, "launch", *words], capture_output=True, check=False,
                                  timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertFalse([byte for byte in done.stdout if byte < 32 and byte not in b"\t\n"],
                             done.stdout)
            if words[0] != "list":
                self.assertIn(b"\\033[2J<&>\\001", done.stdout)


class Mistakes(LaunchTest):
    def test_labels_that_nobody_has(self):
        for command in ("start", "stop", "remove", "kickstart", "print", "list"):
            self.bad("nobody: no job has that label", command, "nobody")
        self.bad("no job has that label", "unload", self.plist("nobody", "true"))
        self.bad("too long", "start", "l" * 2000)

    def test_wrong_words(self):
        for words in ((), ("dance",), ("load",), ("unload",), ("load", "-z", "x"), ("start",),
                      ("start", "a", "b"), ("list", "a", "b"), ("kickstart", "-z", "a"),
                      ("kickstart",), ("submit", "--", "true"), ("submit", "-l", "a"),
                      ("bslist", "-z"), ("print",)):
            done = self.launch(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn("berth", done.stderr)
        self.assertIn("kickstart [-kp] LABEL", self.good("help"))
        self.assertEqual(self.good("help"), self.good("--help"))


if __name__ == "__main__":
    unittest.main()
