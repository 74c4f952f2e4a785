"""`berth run` with the real kernel."""

import os
import re
import signal
import unittest

from berth_command import BERTH, ProgramTest, read

SIDE_BY_SIDE = 100


class Run(ProgramTest):
    def tearDown(self):
        self.assertEqual(self.folders(), [], "a folder is left behind")

    def run_program(self, name, *words, options=()):
        return self.berth("run", *options, self.program(name), *words)

    @staticmethod
    def child_named(pid, wanted):
        """The child of @pid that runs the program @wanted."""
        for child in read("/proc/%d/task/%d/children" % (pid, pid)).split():
            if read("/proc/%s/comm" % child).strip() == wanted:
                return int(child)
        return None

    def test_the_exit_code_is_the_programs(self):
        self.assertEqual(self.berth("run", "true"), (0, "", ""))
        self.assertEqual(self.run_program("tidy"), (0, "", ""))
        self.assertEqual(self.run_program("tidy", "42"), (42, "", ""))
        self.assertEqual(self.berth("run", "no-such-program")[0], 127)
        self.assertEqual(self.berth("run", "/etc/passwd")[0], 126)

    def test_a_program_that_waits_for_a_message_can_be_ended(self):
        for number in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]:
            process = self.start("run", self.program("waits"))
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
            self.assertEqual((process.returncode, err), (128 + number, ""))

    def test_what_is_left_behind_is_told_and_fails(self):
        code, out, err = self.run_program("holds", "once", options=["--leaks"])
        self.assertEqual(code, 1)
        name = re.match(r"ready (0x[0-9a-f]+)\n", out).group(1)
        leaks = [line for line in err.splitlines() if name in line]
        self.assertEqual(len(leaks), 1, err)
        self.assertRegex(leaks[0], r"\d+\(holds\)")
        self.assertIn("receive", leaks[0])
        self.assertIn("2 messages", leaks[0])

    def test_what_a_killed_program_held_is_told_too(self):
        script = '"$0" >/dev/null & sleep 0.3; kill -9 $!; wait $!; exit 0'
        code, _, err = self.berth("run", "--leaks", "sh", "-c", script, self.program("holds"))
        self.assertEqual(code, 1)
        self.assertIn("(holds)", err)

    def test_a_tidy_program_leaves_nothing(self):
        self.assertEqual(self.run_program("tidy", options=["--leaks"]), (0, "", ""))
        self.assertEqual(self.run_program("tidy", "7", options=["--leaks"]), (7, "", ""))
        self.assertEqual(self.berth("run", "--leaks", "true"), (0, "", ""))

    def test_a_service_is_seen_below_and_not_beside(self):
        service = self.program("service")
        code, _, err = self.berth("run", service, "check-in", "org.berth.test", service, "look-up",
                                  "org.berth.test")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(self.berth("run", service, "look-up", "org.berth.test")[0], 30)

    def test_an_inner_run_has_a_kernel_of_its_own(self):
        service = self.program("service")
        code, _, err = self.berth("run", service, "check-in", "org.berth.test", BERTH, "run", service,
                                  "look-up", "org.berth.test")
        self.assertEqual((code, err), (30, ""))

    def test_a_trace_shows_the_program_from_its_first_call_to_its_end(self):
        code, _, err = self.run_program("holds", "once", options=["--trace=trace.txt"])
        self.assertEqual((code, err), (0, ""))
        trace = read(self.path("trace.txt"))
        self.assertIn("4711", trace)
        for word in ["ipc_kmsg_copyin_header", "ipc_mqueue_send", "ipc_port_destroy"]:
            self.assertIn(word, trace)

    def test_a_killed_kernel_wakes_the_program(self):
        process = self.start("run", self.program("waits"))
        self.assertEqual(process.stdout.readline(), "ready\n")
        os.kill(self.child_named(process.pid, "berthd"), signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 20)
        self.assertNotEqual(out, "")
        # Linux may show the program's end first, though it came from the kernel's
        self.assertIn("killed by signal 9", err)

    def test_the_kernel_ends_when_the_run_is_killed(self):
        process = self.start("run", self.program("waits"))
        process.stdout.readline()
        kernel = self.child_named(process.pid, "berthd")
        process.kill()
        process.wait(60)
        self.wait_for(lambda: not os.path.exists("/proc/%d" % kernel), "the kernel's end")
        process.communicate(timeout=60)
        # the next one sweeps
        self.assertEqual(self.run_program("tidy")[0], 0)

    def test_many_kernels_run_side_by_side(self):
        processes = [self.start("run", "--leaks", self.program("holds")) for _ in range(SIDE_BY_SIDE)]
        names = [process.stdout.readline() for process in processes]
        self.assertEqual([name[:6] for name in names], ["ready "] * SIDE_BY_SIDE)
        self.assertEqual(len(self.folders()), SIDE_BY_SIDE)
        for process in processes:
            process.terminate()
        for process in processes:
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 143)
            self.assertEqual(err.count("(holds)"), err.count("\n"), err)


unittest.main()
