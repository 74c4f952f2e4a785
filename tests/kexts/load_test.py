"""Kernel extensions are loaded and unloaded by their contract, and one that fails harms nobody.

Source: kext.md sections 1.2 and 3.
"""

import os
import subprocess

from kext_test import BERTH, HERE, PATIENCE_S, SANITIZED, KextTest, alive, shell, signal, unittest

SUBJECT = "com.example.subject"


class Load(KextTest):
    def test_a_kext_is_started_listed_stopped_and_gone(self):
        path = self.bundle("subject")
        self.assertEqual(self.load(path), path + " loaded successfully (or already loaded).\n")
        kext = self.kexts()[SUBJECT]
        self.assertEqual((kext["version"], kext["path"], kext["started"], kext["refs"]),
                         ("1.0", path, True, 0))
        self.assertGreater(kext["address"], 0)
        self.assertGreater(kext["size"], 0)
        log = self.wait_log("start " + SUBJECT)
        self.assertIn("start %s %d 1.0 1" % (SUBJECT, kext["tag"]), log)
        self.assertLess(log.index("constructed"), log.index("start "))
        code, out, err = self.berth("kext", "unload", SUBJECT)
        self.assertEqual((code, out, err), (0, SUBJECT + " unloaded.\n", ""))
        self.assertEqual(self.kexts(), {})
        log = self.wait_log("destructed")
        self.assertLess(log.index("stop"), log.index("destructed"))
        self.wait_for(lambda: self.kexthosts() == [], "the kexthost to end")
        self.assertNotIn("ended", self.log())

    def test_load_tags_rise_and_the_kernel_outlives_its_kexts(self):
        path = self.bundle("subject")
        tags = []
        for _ in range(3):
            self.load(path)
            tags.append(self.kexts()[SUBJECT]["tag"])
            self.assertEqual(self.berth("kext", "unload", path)[0], 0)
        self.assertEqual(tags, sorted(set(tags)))

    def test_a_shared_object_says_itself_what_it_is(self):
        path = self.shared_object("alone.so", "-DIDENTIFIER=com.example.alone", '-DVERSION="2.1b3"')
        self.load(path)
        self.assertEqual(self.kexts()["com.example.alone"]["version"], "2.1b3")
        self.assertEqual(self.berth("kext", "unload", path)[0], 0)

    def test_realmain_and_antimain_do_instead_of_kmod_info(self):
        path = self.bundle("other", identifier="com.example.other")
        made = self.path("plain.so")
        subprocess.run([BERTH, "cc", "-shared", "-fPIC", "-fno-builtin", "-DKERNEL=1", "-DNO_KMOD",
                        os.path.join(os.path.dirname(os.path.abspath(__file__)), "subject.c"), "-o",
                        made], env=dict(self.env, CC=os.environ["CC"]), check=True, timeout=120)
        os.replace(made, os.path.join(path, "Contents", "MacOS", "other"))
        self.load(path)
        self.wait_log("start com.example.other")
        self.assertEqual(self.berth("kext", "unload", path)[0], 0)
        self.wait_log("stop")

    def test_what_is_loaded_already_is_fine_unless_its_version_differs(self):
        path = self.bundle("subject")
        self.load(path)
        tag = self.kexts()[SUBJECT]["tag"]
        self.assertIn("(or already loaded)", self.load(path))
        self.assertEqual(self.kexts()[SUBJECT]["tag"], tag)
        newer = self.bundle("newer/subject", version="1.1")
        code, out, err = self.berth("kext", "load", newer)
        self.assertEqual((code, out), (71, ""))
        self.assertIn("a different version is loaded", err)
        self.assertIn(newer, err)

    def test_several_kexts_have_a_process_each(self):
        paths = [self.bundle(name, identifier="com.example." + name) for name in ("a", "b")]
        self.load(*paths)
        kexts = self.kexts()
        self.assertNotEqual(kexts["com.example.a"]["pid"], kexts["com.example.b"]["pid"])
        os.kill(kexts["com.example.a"]["pid"], signal.SIGKILL)
        self.wait_for(lambda: "com.example.a" not in self.kexts(), "the killed one to go")
        self.assertIn("com.example.b", self.kexts())
        self.wait_log("com.example.a: killed by signal 9 (Killed)")

    def test_a_kext_by_its_identifier_is_found_in_the_folders_given(self):
        path = self.bundle("sub/subject")
        self.load("-d", self.path("sub"), SUBJECT)
        self.assertEqual(self.kexts()[SUBJECT]["path"], path)

    def test_kexts_end_with_their_kernel(self):
        self.load(self.bundle("subject"))
        pids = self.kexthosts()
        self.assertEqual(len(pids), 2)
        self.end_kernel()
        self.assertFalse(any(alive(pid) for pid in pids))


class Failures(KextTest):
    def fails(self, path, code, *says):
        got, out, err = self.berth("kext", "load", path)
        self.assertEqual((got, out), (code, ""), err)
        self.assertIn("failed to load - (libkern/kext) ", err)
        self.assertIn(path, err)
        for text in says:
            self.assertIn(text, err)
        self.assertEqual(self.kexts(), {})
        self.wait_for(lambda: self.kexthosts() == [], "the kexthost to end")
        return err

    def test_a_start_routine_that_fails_leaves_nothing(self):
        path = self.bundle("subject", flags=["-DSTART=return 5"])
        self.fails(path, 71, SUBJECT, "its start routine returned 5 (0x5)", "start or stop")
        log = self.wait_log("destructed")
        self.assertNotIn("stop\n", log)
        self.assertIn("its start routine returned 5", log)

    def test_controls_of_a_failed_start_are_taken_back(self):
        path = self.bundle("subject", flags=["-DSTART=return register_control() == 0 ? 7 : 8"])
        self.fails(path, 71, "returned 7")
        self.wait_log("has left the control com.example.control behind")
        self.assertNotIn("com.example.control", self.berth("kctl")[1])

    def test_a_stop_routine_that_fails_leaves_the_kext_as_it_is(self):
        self.load(self.bundle(
            "subject", flags=["-DSTOP=static int calls; return ++calls == 1 ? 16 : 0"]))
        pid = self.kexts()[SUBJECT]["pid"]
        code, out, err = self.berth("kext", "unload", SUBJECT)
        self.assertEqual((code, out), (3, ""))
        self.assertIn("its stop routine returned 16 (0x10); it stays loaded", err)
        kext = self.kexts()[SUBJECT]
        self.assertEqual((kext["pid"], kext["started"]), (pid, True))
        self.assertEqual(self.berth("kext", "unload", SUBJECT)[0], 0)

    @unittest.skipIf(SANITIZED, "the sanitizer has its own words for it")
    def test_a_crash_in_start_is_told_of_with_its_place(self):
        err = self.fails(self.bundle("subject", flags=["-DSTART=return crash_here()"]), 71)
        said = (SUBJECT + ": killed by signal 11 (Segmentation fault) at address 0x10 in "
                "crash_here+0x")
        self.assertIn(said, err)
        self.assertIn(", in start", err)
        self.assertIn(said, self.wait_log(said))

    @unittest.skipIf(SANITIZED, "the sanitizer has its own words for it")
    def test_a_crash_in_stop_ends_the_process_alone(self):
        self.load(self.bundle("subject", flags=["-DSTOP=return crash_here()"]))
        code, _, err = self.berth("kext", "unload", SUBJECT)
        self.assertEqual(code, 3)
        self.assertIn("its process has died", err)
        log = self.wait_log("in crash_here+0x")
        self.assertIn(", in stop", log)
        self.assertEqual(self.kexts(), {})

    @unittest.skipIf(SANITIZED, "the sanitizer has its own words for it")
    def test_a_crash_in_a_thread_is_told_of(self):
        self.load(self.bundle("subject", flags=["-DSTART=return start_thread()"]))
        self.wait_log(SUBJECT + ": killed by signal 11 (Segmentation fault) at address 0x10 in "
                      "crash_here+0x")
        self.wait_for(lambda: self.kexts() == {}, "the kext to go")

    def test_a_panic_ends_the_process_with_its_words(self):
        self.fails(self.bundle("subject", flags=['-DSTART=panic("no %s left", "luck")']), 71,
                   "killed by signal 6 (Aborted)", SUBJECT)
        self.wait_log("no luck left")

    def test_a_kext_that_exits_is_told_of(self):
        self.fails(self.bundle("subject", flags=["-DSTART=_exit(3)"]), 71, "ended with status 3")

    def test_a_name_that_is_nowhere_is_told_of(self):
        self.fails(self.bundle("subject", flags=["-DMORE=int nowhere_to_be_found(void);",
                                                 "-DSTART=return nowhere_to_be_found()"]),
                   71, "link error", "nowhere_to_be_found")

    def test_memory_has_a_limit(self):
        path = self.bundle("subject", flags=["-DSTART=return take_memory()"])
        if not SANITIZED:
            code, _, err = self.berth("kext", "load", "--memory=64M", path)
            self.assertEqual(code, 71)
            self.assertIn("start routine returned 12", err)
        self.load("--memory=0", path)

    def test_hundreds_of_threads_fit_into_its_memory(self):
        self.load(self.bundle("subject", flags=["-DSTART=return start_threads()"]))

    def test_connections_in_a_row_on_one_cpu_all_succeed(self):
        """There a thread that was started runs late: each connection had another one started."""
        self.load(self.bundle("subject", flags=["-DSTART=return register_control()"]))
        client = self.path("connects")
        subprocess.run([BERTH, "cc", *shell(os.environ.get("BERTH_PROGRAM_FLAGS", "")),
                        os.path.join(HERE, "connects.c"), "-o", client], check=True,
                       env=dict(self.env, CC=os.environ["CC"]), timeout=120)
        cpu = {min(os.sched_getaffinity(0))}
        for pid in self.kexthosts():
            for thread in os.listdir("/proc/%d/task" % pid):
                os.sched_setaffinity(int(thread), cpu)
        done = subprocess.run([client, "20000"], env=self.env, capture_output=True, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, cpu), check=False,
                              timeout=PATIENCE_S)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_memory_left_behind_is_told_of(self):
        self.load(self.bundle("subject", flags=["-DSTART=return IOMalloc(96) == NULL"]))
        self.assertEqual(self.berth("kext", "unload", SUBJECT)[0], 0)
        self.assertIn("96 bytes", self.wait_log("left behind: 1 block"))


class Hang(KextTest):
    def test_a_start_routine_that_hangs_is_ended_by_force_alone(self):
        path = self.bundle("subject", flags=["-DSTART=return hang_here()"])
        loading = self.start("kext", "load", path)
        self.wait_for(lambda: SUBJECT in self.kexts(), "the kext to be starting")
        self.assertFalse(self.kexts()[SUBJECT]["started"])
        code, _, err = self.berth("kext", "load", path)
        self.assertEqual(code, 71)
        self.assertIn("has not returned yet", err)
        self.assertIsNone(loading.poll())
        self.assertEqual(self.berth("kext", "unload", "--force", SUBJECT)[0], 0)
        _, err = loading.communicate(timeout=60)
        self.assertEqual(loading.returncode, 71)
        self.assertIn("unloaded by force", err)
        self.wait_for(lambda: self.kexts() == {}, "the kext to go")

    def test_a_stop_routine_that_hangs_is_ended_by_force(self):
        self.load(self.bundle("subject", flags=["-DSTOP=return hang_here()"]))
        self.assertEqual(self.berth("kext", "unload", "--force", SUBJECT)[0], 0)
        self.wait_for(lambda: self.kexts() == {}, "the kext to go")
        self.wait_log(SUBJECT + ": unloaded by force")

    def test_a_stop_routine_that_fails_is_ended_by_force(self):
        self.load(self.bundle("subject", flags=["-DSTOP=return 16"]))
        self.assertEqual(self.berth("kext", "unload", "--force", SUBJECT)[0], 0)
        self.wait_for(lambda: self.kexts() == {}, "the kext to go")
        self.wait_log("its stop routine returned 16")

    def test_force_is_not_needed_where_stop_works(self):
        self.load(self.bundle("subject"))
        self.assertEqual(self.berth("kext", "unload", "--force", SUBJECT)[0], 0)
        self.wait_log("destructed")
        self.assertNotIn("force", self.log())
        self.assertEqual(self.berth("kext", "unload", "--force", SUBJECT)[0], 1)

    def test_a_kexthost_that_is_stopped_is_killed_by_force(self):
        self.load(self.bundle("subject"))
        pid = self.kexts()[SUBJECT]["pid"]
        os.kill(pid, signal.SIGSTOP)
        self.assertEqual(self.berth("kext", "unload", "--force", SUBJECT)[0], 0)
        self.wait_for(lambda: not alive(pid), "the stopped process to be killed")


if __name__ == "__main__":
    unittest.main()
