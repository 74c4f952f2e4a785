"""The tools of kernel extensions: names of macOS, what is no kext, the log, controls and events.

Source: kext.md sections 2 and 3, kernel-control.md section 9, kernel-event.md.
"""

import json
import os
import re
import struct
import subprocess

from kext_test import BERTH, HERE, PATIENCE_S, PLIST, SANITIZED, KextTest, alive, pairs, unittest

SUBJECT = "com.example.subject"
HEAD = ("Index Refs Address            Size       Wired      Name (Version) UUID <Linked Against>\n")


class Names(KextTest):
    def test_kextload_and_kextunload_say_and_end_as_on_macos(self):
        path = self.bundle("subject")
        self.assertEqual(self.familiar("kextload", path),
                         (0, path + " loaded successfully (or already loaded).\n", ""))
        self.assertEqual(self.familiar("kextload", "-q", path), (0, "", ""))
        code, out, err = self.familiar("kextload", self.path("none.kext"))
        self.assertEqual((code, out), (66, ""))
        self.assertIn("none.kext failed to load - (libkern/kext) not found; ", err)
        self.assertEqual(self.familiar("kextunload", "-b", SUBJECT)[0], 0)
        self.assertEqual(self.familiar("kextunload", "-b", SUBJECT)[0], 1)
        self.assertEqual(self.familiar("kextload", "-r", self.folder, "-bundle-id", SUBJECT)[0], 0)
        self.assertEqual(self.familiar("kextunload", path, "com.example.none")[0], 3)
        self.assertEqual(self.kexts(), {})
        for wrong in (["kextload"], ["kextload", "-x"], ["kextunload"], ["kextunload", "-d", "x"]):
            self.assertEqual(self.familiar(*wrong)[0], 64, wrong)

    def test_kextstat_has_the_columns_of_macos(self):
        self.load(self.bundle("subject"), self.bundle("other", identifier="com.example.other",
                                                      version="2.0d7"))
        code, out, err = self.familiar("kextstat")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith(HEAD), out)
        rows = out[len(HEAD):].splitlines()
        for row, kext in zip(rows, sorted(self.kexts().values(), key=lambda kext: kext["tag"])):
            size = "%-10s" % hex(kext["size"])
            self.assertEqual(row, "%5d %4d %-18s %s %s %s (%s) no UUID" % (
                kext["tag"], 0, hex(kext["address"]), size, size, kext["identifier"],
                kext["version"]))
        self.assertEqual(len(rows), 2)
        _, only, _ = self.familiar("kextstat", "-k", "-l", "-b", SUBJECT)
        self.assertEqual(only.splitlines(), [row for row in rows if SUBJECT in row])
        _, wide, _ = self.familiar("kextstat", "-a")
        self.assertIn(" Wired      Architecture Name (Version) UUID", wide)
        self.assertIn(" %s " % os.uname().machine, wide)
        _, by_address, _ = self.familiar("kextstat", "-l", "-s")
        self.assertEqual(sorted(by_address.splitlines()), sorted(rows))
        self.assertEqual(self.familiar("kextstat", "-x")[0], 2)
        self.assertEqual(self.familiar("kextstat", "word")[0], 2)

    def test_the_table_is_for_people(self):
        path = self.bundle("subject")
        self.load(path)
        kext = self.kexts()[SUBJECT]
        _, out, _ = self.berth("kext", "list")
        self.assertRegex(out.splitlines()[1],
                         r"^ +%d +0 +%d started +%s \(1\.0\) +%s$" % (
                             kext["tag"], kext["pid"], re.escape(SUBJECT), re.escape(path)))

    def test_wrong_usage_is_told_of(self):
        for words, code in ((["kext"], 2), (["kext", "lod"], 2), (["kext", "load"], 64),
                            (["kext", "unload"], 64), (["kext", "load", "--memory=x", "a"], 64),
                            (["kext", "load", "--memory=1X", "a"], 64), (["kext", "load", "-d"], 64),
                            (["kext", "unload", "--kernel"], 64), (["kext", "list", "x"], 2),
                            (["kext", "log", "a", "b"], 2), (["kctl", "x"], 2),
                            (["events", "--class=1"], 2), (["events", "--vendor=1", "--subclass=1"], 2),
                            (["events", "--count=x"], 2)):
            got, out, err = self.berth(*words)
            self.assertEqual((got, out), (code, ""), (words, err))
            self.assertIn("Try 'berth ", err)

    def test_a_kernel_that_is_not_there_is_told_of(self):
        self.env["BERTH_KERNEL"] = self.path("nowhere")
        for words, code in ((["kext", "list"], 1), (["kext", "log"], 1), (["kctl"], 1),
                            (["events"], 1), (["kext", "load", "x"], 69), (["kext", "unload", "x"], 3)):
            got, out, err = self.berth(*words)
            self.assertEqual((got, out), (code, ""), words)
            self.assertIn("nowhere", err)


class NoKexts(KextTest):
    def refused(self, path, code, *says):
        got, out, err = self.berth("kext", "load", path)
        self.assertEqual((got, out), (code, ""), err)
        for text in says:
            self.assertIn(text, err)
        self.assertEqual((self.kexts(), self.kexthosts()), ({}, []))

    def test_files_that_are_no_kexts_are_refused(self):
        self.refused(self.write("text", "hello\n"), 65, "is no shared object")
        self.refused(self.write("empty", ""), 65, "is no shared object")
        self.refused("/dev/null", 65, "is no file")
        self.refused(self.folder, 65, "does not end in .kext")
        self.refused(self.path("none"), 66, "No such file")
        self.refused("no.such.identifier", 66)
        self.refused(BERTH, 65, "not a kernel extension")
        whole = self.shared_object("whole.so")
        with open(whole, "rb") as file:
            code = file.read()
        for size in (4, 64, 200, len(code) // 2, len(code) - 64):
            with open(self.path("part.so"), "wb") as file:
                file.write(code[:size])
            self.refused(self.path("part.so"), 65)
        with open(self.path("other.so"), "wb") as file:
            file.write(code[:18] + struct.pack("<H", 22) + code[20:])
        self.refused(self.path("other.so"), 65, "for another machine")

    def test_a_library_without_kmod_info_is_refused(self):
        source = self.write("library.c", "int nothing(void);\nint nothing(void) { return 0; }\n")
        subprocess.run([BERTH, "cc", "-shared", "-fPIC", source, "-o", self.path("library.so")],
                       env=dict(self.env, CC=os.environ["CC"]), check=True, timeout=60)
        self.refused(self.path("library.so"), 65, "exports no kmod_info")

    def test_bundles_that_break_the_rules_are_refused_by_path_and_key(self):
        path = self.bundle("subject")
        plist = os.path.join(path, "Contents", "Info.plist")
        libraries = {"com.apple.kpi.libkern": "9.0"}

        def with_plist(text, code, *says):
            self.write(plist, text)
            self.refused(path, code, plist, *says)

        good = PLIST % (SUBJECT, "1.0", "subject", pairs(libraries), "")
        with_plist("garbage", 65, "bad data")
        with_plist("bplist00garbage", 65, "binary")
        with_plist(good.replace("</dict></plist>", ""), 65, "not closed")
        with_plist(good.replace("CFBundleIdentifier", "Other"), 65, "CFBundleIdentifier: is missing")
        with_plist(good.replace(">1.0<", ">one<"), 65, "CFBundleVersion: 'one' is no version")
        with_plist(good.replace(SUBJECT, "a" * 64), 65, "CFBundleIdentifier: must be shorter")
        with_plist(good.replace("com.apple.kpi.libkern", "com.apple.kernel"), 71, "com.apple.kernel")
        with_plist(good.replace(">9.0<", ">25.0<"), 71, "25.0 is wanted, 24.6.0 is there")
        with_plist(PLIST % (SUBJECT, "1.0", "subject", "", ""), 71, "OSBundleLibraries: is empty")
        self.write(plist, good.replace("CFBundleExecutable", "Other"))
        self.refused(path, 65, "no CFBundleExecutable", "not loadable")
        self.write(plist, good.replace("<string>subject<", "<string>other<"))
        self.refused(path, 66, "Contents/MacOS/other")
        os.remove(plist)
        self.refused(path, 65, "Info.plist")

    def test_files_that_others_may_write_or_own_are_refused(self):
        path = self.bundle("subject")
        code = os.path.join(path, "Contents", "MacOS", "subject")
        for name, mode in ((code, 0o775), (code, 0o757), (os.path.dirname(code), 0o777), (path, 0o775)):
            before = os.stat(name).st_mode
            os.chmod(name, mode)
            self.refused(path, 77, "authentication failed", name, "chmod go-w")
            os.chmod(name, before)
        os.rename(code, self.path("moved"))
        os.symlink(self.path("moved"), code)
        self.refused(path, 77, "is a symbolic link")
        os.remove(code)
        os.rename(self.path("moved"), code)
        if os.geteuid() == 0:
            os.chown(code, 65534, 65534)
            self.refused(path, 77, "belongs to user 65534")
            os.chown(code, 0, 0)
        self.load(path)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_others_may_neither_load_nor_unload(self):
        self.load(self.bundle("subject"))
        # what others load must be root's, and is; they can reach the kernel
        other = self.bundle("other", identifier="com.example.other")
        as_nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        os.chmod(os.path.dirname(self.socket), 0o755)
        os.chmod(self.socket, 0o777)
        code, _, err = self.berth("kext", "load", other, **as_nobody)
        self.assertEqual(code, 77, err)
        self.assertIn("not privileged", err)
        code, _, err = self.berth("kext", "unload", SUBJECT, **as_nobody)
        self.assertEqual(code, 2, err)
        self.assertEqual(set(self.kexts()), {SUBJECT})


class Log(KextTest):
    def test_lines_are_whole_and_show_who_said_them(self):
        self.load(self.bundle("subject", flags=[
            '-DSTART=printf("one\\ntwo"); printf(" and a half\\n"); write(1, "raw\\033[1m", 7); return 0']))
        log = self.wait_log("two and a half")
        for line in ("one", "two and a half"):
            self.assertRegex(log, r"(?m)^\d{4}-.*%s.*: %s$" % (re.escape(SUBJECT), line))
        self.assertEqual(self.berth("kext", "unload", SUBJECT)[0], 0)
        self.wait_log("raw\\x1b[1m")

    def test_a_line_without_end_is_cut(self):
        self.load(self.bundle("subject", flags=[
            "-DSTART=for (int i = 0; i < 3000; i++) printf(\"0123456789\"); printf(\"end\\n\"); return 0"]))
        log = self.wait_log("end")
        self.assertEqual(log.count("0123456789") > 2900, True)
        self.assertLess(max(len(line) for line in log.splitlines()), 8192)

    def test_the_log_of_one_is_told_from_others(self):
        for name in ("a", "b"):
            self.load(self.bundle(name, identifier="com.example." + name,
                                  flags=['-DSTART=printf("I am %s\\n"); return 0' % name]))
        self.wait_log("I am b")
        log = self.log("com.example.a")
        self.assertIn("I am a", log)
        self.assertNotIn("I am b", log)

    def test_it_goes_on_with_what_comes_until_the_kernel_ends(self):
        follower = self.start("kext", "log", "-f")
        path = self.bundle("subject")
        self.load(path)
        line = follower.stdout.readline()
        while "start " + SUBJECT not in line:
            self.assertNotEqual(line, "")
            line = follower.stdout.readline()
        self.end_kernel()
        _, err = follower.communicate(timeout=PATIENCE_S)
        self.assertEqual((follower.returncode, err), (0, ""))


class ControlsAndEvents(KextTest):
    def test_kctl_shows_controls_and_counters(self):
        self.load(self.bundle("subject", flags=["-DSTART=return register_control()"]))
        code, out, err = self.berth("kctl", "--json")
        self.assertEqual((code, err), (0, ""))
        shown = json.loads(out)
        self.assertEqual([control["name"] for control in shown["controls"]], ["com.example.control"])
        self.assertEqual((shown["controls"][0]["sendsize"], shown["controls"][0]["recvsize"]),
                         (2048, 8192))
        self.assertEqual(shown["connections"], [])
        self.assertEqual(shown["statistics"]["reg_count"], 1)
        self.assertEqual(list(shown["statistics"]), [
            "reg_total", "reg_count", "pcbcount", "gencnt", "connections", "conn_fail", "send_fail",
            "send_list_fail", "enqueue_fail", "enqueue_fullsock", "bad_kctlref", "tbl_size_too_big",
            "enqdata_mb_alloc_fail", "enqdata_sbappend_fail"])
        code, out, err = self.berth("kctl")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"(?m)^ +\d+ +- +2048 +8192 +\d+ com\.example\.control +-$")
        self.assertRegex(out, r"(?m)^reg_count +1$")

    def test_a_control_left_behind_goes_with_its_kext(self):
        self.load(self.bundle("subject", flags=["-DSTART=return register_control()"]))
        self.assertEqual(self.berth("kext", "unload", SUBJECT)[0], 0)
        self.wait_log("com.example.subject: has left the control com.example.control behind")
        self.assertEqual(json.loads(self.berth("kctl", "--json")[1])["controls"], [])

    def test_events_show_controls_that_come_and_go(self):
        path = self.bundle("subject", flags=["-DSTART=return register_control()"])
        watcher = self.start("events", "--count=1", "--vendor=1", "--class=3", "--subclass=2")
        # until the filter is set nothing comes: so we come and go until it was
        while watcher.poll() is None:
            self.load(path)
            self.assertEqual(self.berth("kext", "unload", SUBJECT)[0], 0)
        out, err = watcher.communicate(timeout=PATIENCE_S)
        self.assertEqual((watcher.returncode, err), (0, ""))
        self.assertRegex(out, r"^id=\d+ vendor=1\(apple\) class=3\(system\) "
                              r"subclass=2\(kernel-control\) code=[12]\((de)?registered\) ctl_id=\d+"
                              r"( name=com\.example\.control)?\n$")

    def test_events_of_a_vendor_are_shown_in_hexadecimal(self):
        path = self.bundle("subject", flags=["-DSTART=return post_event()"])
        code, _, err = self.berth("events", "--vendor=com.example.vendor")
        self.assertEqual(code, 1)
        self.assertIn("com.example.vendor", err)
        self.load(path) # from now on the vendor is known
        self.assertEqual(self.berth("kext", "unload", SUBJECT)[0], 0)
        watcher = self.start("events", "--count=1", "--vendor=com.example.vendor", "--class=7")
        while watcher.poll() is None:
            self.load(path)
            self.assertEqual(self.berth("kext", "unload", SUBJECT)[0], 0)
        out, err = watcher.communicate(timeout=PATIENCE_S)
        self.assertEqual((watcher.returncode, err), (0, ""))
        self.assertRegex(out, r"^id=\d+ vendor=\d+\(com\.example\.vendor\) class=7 subclass=8 code=9 "
                              r"data=3:616263\n$")

    def test_events_end_with_the_kernel(self):
        watcher = self.start("events")
        self.wait_for(lambda: watcher.poll() is not None or alive(watcher.pid), "the watcher")
        self.end_kernel()
        _, err = watcher.communicate(timeout=PATIENCE_S)
        # it may have come too late to find the kernel
        self.assertIn(watcher.returncode, (0, 1), err)


class Compiler(KextTest):
    def cc(self, *words):
        return self.berth("cc", "--kext", *words, env=dict(self.env, CC=os.environ["CC"]))

    def setUp(self):
        super().setUp()
        self.source = os.path.join(HERE, "subject.c")

    def test_a_bundle_has_what_kmod_info_says(self):
        self.assertEqual(self.cc(self.source, '-DVERSION="3.1a4"', "-o", self.path("made.kext")),
                         (0, "", ""))
        with open(self.path("made.kext/Contents/Info.plist"), encoding="utf-8") as file:
            plist = file.read()
        for text in (SUBJECT, "3.1a4", "<string>made</string>", "com.apple.kpi.bsd", "8.0.0"):
            self.assertIn(text, plist)
        self.load(self.path("made.kext"))
        self.assertEqual(self.kexts()[SUBJECT]["version"], "3.1a4")

    def test_the_umask_does_not_spoil_it(self):
        os.umask(0)
        try:
            self.assertEqual(self.cc(self.source, "-o" + self.path("made.kext") + "/")[0], 0)
        finally:
            os.umask(0o022)
        self.load(self.path("made.kext"))

    def test_an_info_plist_of_ones_own_is_checked_and_taken(self):
        good = PLIST % (SUBJECT, "7.0", "engine", pairs({"com.apple.kpi.bsd": "8.0"}), "")
        plist = self.write("mine.plist", good)
        made = self.path("made.kext")
        self.assertEqual(self.cc("--info-plist=" + plist, self.source, "-o", made), (0, "", ""))
        self.assertTrue(os.path.exists(os.path.join(made, "Contents", "MacOS", "engine")))
        self.load(made)
        self.assertEqual(self.kexts()[SUBJECT]["version"], "7.0")
        self.write("mine.plist", good.replace("7.0", "seven"))
        code, _, err = self.cc("--info-plist=" + plist, self.source, "-o", made)
        self.assertEqual(code, 1)
        self.assertIn("CFBundleVersion: 'seven' is no version", err)

    def test_a_shared_object_is_made_by_any_other_name(self):
        self.assertEqual(self.cc(self.source, "-o", self.path("alone.so")), (0, "", ""))
        self.load(self.path("alone.so"))

    def test_objects_are_compiled_alone_and_linked_later(self):
        self.assertEqual(self.cc("-c", self.source, "-o", self.path("s.o")), (0, "", ""))
        self.assertEqual(self.cc(self.path("s.o"), "-o", self.path("made.kext")), (0, "", ""))
        self.load(self.path("made.kext"))

    def test_what_makes_no_kext_is_told_of(self):
        empty = self.write("empty.c", "int empty(void);\nint empty(void) { return 0; }\n")
        code, _, err = self.cc(empty, "-o", self.path("made.kext"))
        self.assertEqual(code, 1)
        self.assertIn("KMOD_EXPLICIT_DECL", err)
        self.assertFalse(os.path.exists(self.path("made.kext/Contents/Info.plist")))
        code, _, err = self.cc(self.source, '-DVERSION="x"', "-o", self.path("made.kext"))
        self.assertEqual(code, 1)
        self.assertIn("'x' is no version", err)
        code, _, err = self.cc(self.source, "-Dsyntax=", "-DSTART=)", "-o", self.path("made.kext"))
        self.assertEqual(code, 1)
        for words in (["-c", self.source, "-o", "a.kext"], ["-static", self.source, "-o", "a.so"],
                      ["--info-plist=x", self.source, "-o", "a.so"], ["a.defs", self.source]):
            self.assertEqual(self.cc(*words)[0], 2, words)
        self.assertEqual(self.berth("cc", "--info-plist=x", "a.c")[0], 2)

    def test_flags_are_printed_for_others(self):
        _, out, _ = self.cc("--print-flags", "cflags")
        self.assertIn("-DKERNEL=1", out.split())
        self.assertIn("-fPIC", out.split())
        _, out, _ = self.cc("--print-flags", "libs")
        self.assertIn("-lberth-kpi", out.split())
        self.assertNotIn("-lberth", out.split())
        _, out, _ = self.berth("cc", "--print-flags", "cflags")
        self.assertNotIn("KERNEL=1", out)

    @unittest.skipIf(SANITIZED, "the kexthost itself has a sanitizer")
    def test_a_kext_may_have_the_address_sanitizer(self):
        made = self.path("made.kext")
        code, _, err = self.cc("-fsanitize=address", "-g", self.source, "-o", made,
                               "-DSTART=volatile char *p = malloc(8); return p[8]")
        if code != 0 and ("asan" in err or "sanitize" in err):
            self.skipTest("this compiler has no address sanitizer")
        self.assertEqual(code, 0, err)
        code, _, err = self.berth("kext", "load", made)
        self.assertEqual(code, 71, err)
        self.wait_log("AddressSanitizer: heap-buffer-overflow")
        self.wait_log("subject_start")
        self.assertEqual(self.cc("-fsanitize=address", "-g", self.source, "-o", made)[0], 0)
        self.load(made)


if __name__ == "__main__":
    unittest.main()
