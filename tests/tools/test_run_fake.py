"""The life of `berth run` beside a false kernel, which can do wrong what the real one must not."""

import os
import re
import signal
import subprocess
import unittest

from berth_command import BERTH, FAKES, BerthTest, read


class FalseKernel(BerthTest):
    def setUp(self):
        super().setUp()
        self.env.update(BERTH_LIBEXECDIR=FAKES, FAKE_LOG=self.path("log"))

    def tearDown(self):
        self.assertEqual(self.folders(), [], "a folder is left behind")

    def test_the_exit_code_is_the_programs(self):
        for words, expected in [
            (["true"], 0),
            (["--", "false"], 1),
            (["sh", "-c", "exit 47"], 47),
            (["sh", "-c", "kill -TERM $$"], 143),
            (["sh", "-c", "kill -KILL $$"], 137),
            (["no-such-program"], 127),
            (["./no-such-program"], 127),
            (["/"], 126),
            (["/etc/passwd"], 126),
        ]:
            self.assertEqual(self.berth("run", *words)[0], expected, words)

    def test_a_death_by_signal_is_told_in_words(self):
        code, _, err = self.berth("run", "sh", "-c", "ulimit -c 0; kill -SEGV $$")
        self.assertEqual(code, 139)
        self.assertIn("'sh' was killed by signal 11 (Segmentation fault)", err)

    def test_the_program_gets_its_arguments_and_the_kernels_address(self):
        code, out, err = self.berth("run", "sh", "-c", 'echo "$BERTH_KERNEL" "$@"', "x", "--leaks",
                                    "a b")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"^%s/berth-run\.\w{6}/kernel --leaks a b\n$" % re.escape(self.folder))

    def test_the_folder_is_closed_to_listing_and_the_socket_open_to_all(self):
        _, out, _ = self.berth("run", "sh", "-c",
                               'umask; stat -c %a "${BERTH_KERNEL%/*}" "$BERTH_KERNEL"')
        self.assertEqual(out.split()[1:], ["711", "666"])

    def test_a_task_descriptor_of_another_process_is_not_handed_on(self):
        self.env["BERTH_TASK_FD"] = "7"
        self.assertEqual(self.berth("run", "sh", "-c", 'echo "${BERTH_TASK_FD-none}"')[1], "none\n")

    def test_no_descriptor_of_ours_reaches_the_program(self):
        _, out, _ = self.berth("run", "--trace=" + self.path("t"), "ls", "/proc/self/fd")
        self.assertEqual(out.split(), ["0", "1", "2", "3"])

    def test_it_works_without_standard_descriptors(self):
        code = os.spawnvpe(os.P_WAIT, "sh", ["sh", "-c", '"$0" run sh -c "exit 5" <&- >&- 2>&-', BERTH],
                           self.env)
        self.assertEqual(code, 5)

    def test_a_runtime_folder_comes_before_tmpdir_and_tmpdir_before_tmp(self):
        os.mkdir(self.path("run"))
        os.mkdir(self.path("tmp"))
        show = ["run", "sh", "-c", 'echo "${BERTH_KERNEL%/*/*}"']
        self.env.update(XDG_RUNTIME_DIR=self.path("run"), TMPDIR=self.path("tmp"))
        self.assertEqual(self.berth(*show)[1].strip(), self.path("run"))
        self.env["XDG_RUNTIME_DIR"] = self.path("missing")
        self.assertEqual(self.berth(*show)[1].strip(), self.path("tmp"))
        self.env["TMPDIR"] = self.path("x" * 100)
        os.mkdir(self.env["TMPDIR"])
        self.assertEqual(self.berth(*show)[1].strip(), "/tmp")

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_root_makes_the_socket_where_others_can_reach_it(self):
        os.mkdir(self.path("closed"), 0o700)
        os.mkdir(self.path("closed/open"), 0o755)
        self.env["XDG_RUNTIME_DIR"] = self.path("closed/open")
        _, out, _ = self.berth("run", "sh", "-c", 'echo "${BERTH_KERNEL%/*/*}"')
        self.assertEqual(out.strip(), self.folder)

    def test_signals_reach_the_program(self):
        os.mkfifo(self.path("fifo"))
        for name in ["TERM", "HUP", "USR1", "USR2", "QUIT", "INT"]:
            process = self.start("run", "sh", "-c",
                                 "trap 'echo got %s; exit 9' %s; echo ready; while :; do read x < fifo; done"
                                 % (name, name))
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(getattr(signal, "SIG" + name))
            out, _ = process.communicate(timeout=60)
            self.assertEqual((process.returncode, out), (9, "got %s\n" % name))

    def test_orphans_of_the_program_do_not_hold_up_its_end(self):
        code, out, _ = self.berth("run", "sh", "-c", "sleep 1 >/dev/null 2>&1 & echo done; exit 3")
        self.assertEqual((code, out), (3, "done\n"))

    def test_runs_nest(self):
        code, out, _ = self.berth("run", "sh", "-c",
                                  'echo "$BERTH_KERNEL"; "$0" run sh -c \'echo "$BERTH_KERNEL"; exit 6\'',
                                  BERTH)
        self.assertEqual(code, 6)
        self.assertEqual(len(set(out.split())), 2)

    def test_a_killed_run_is_swept_by_the_next(self):
        process = self.start("run", "sh", "-c", "echo ready; exec sleep 1")
        process.stdout.readline()
        process.kill()
        process.communicate(timeout=60)
        self.assertEqual(len(self.folders()), 1)
        self.berth("run", "true")
        self.assertEqual(self.folders(), [])

    def test_a_running_run_is_not_swept(self):
        process = self.start("run", "sh", "-c", "echo ready; exec cat fifo")
        os.mkfifo(self.path("fifo"))
        process.stdout.readline()
        self.berth("run", "true")
        self.assertEqual(len(self.folders()), 1)
        process.terminate()
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)

    def test_a_program_that_empties_its_folder_does_no_harm(self):
        self.assertEqual(self.berth("run", "sh", "-c", 'rm -rf "$TMPDIR"/berth-run.*'), (0, "", ""))

    def test_a_kernel_that_cannot_start_is_told(self):
        self.env["FAKE_KERNEL"] = "die"
        code, _, err = self.berth("run", "sleep", "0.5")
        self.assertEqual(code, 1)
        self.assertRegex(err, r"the kernel \(berthd, pid \d+\) ended with status 3")
        code, _, err = self.berth("run", "--trace", "true")
        self.assertEqual(code, 1)
        self.assertIn("status 3", err)

    def test_a_kernel_that_dies_before_the_program_is_told_at_once(self):
        self.env["FAKE_KERNEL"] = "midway"
        code, _, err = self.berth("run", "sh", "-c", '"$0" ps; sleep 0.3; exit 8', BERTH)
        self.assertEqual(code, 8)
        self.assertIn("killed by signal 11", err)
        self.assertIn("before the program: every port is dead", err)

    def test_a_kernel_that_ends_badly_fails_the_run(self):
        self.env["FAKE_KERNEL"] = "fail"
        self.assertEqual(self.berth("run", "true")[0], 1)
        self.assertEqual(self.berth("run", "sh", "-c", "exit 9")[0], 9)
        self.env["FAKE_KERNEL"] = "abort"
        code, _, err = self.berth("run", "true")
        self.assertEqual(code, 1)
        self.assertIn("killed by signal 15", err)

    def test_a_kernel_that_does_not_end_is_killed_at_a_second_signal(self):
        self.env["FAKE_KERNEL"] = "deaf"
        process = self.start("run", "sh", "-c", "exit 7")
        self.wait_for(lambda: os.path.exists(self.path("log")) and not any(
            child.startswith("sh") for child in self.children(process.pid)), "the program's end")
        # the first comes when no program is there to take it
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 7)
        self.assertIn("is killed: a second signal came", err)

    @staticmethod
    def children(pid):
        names = []
        for child in read("/proc/%d/task/%d/children" % (pid, pid)).split():
            try:
                names.append(read("/proc/%s/comm" % child).strip())
            except OSError:
                pass
        return names

    def test_programs_of_berth_that_are_missing_are_told_with_their_place(self):
        # neither there nor beside the tool: a copy of the tool elsewhere
        lonely = self.path("lonely-berth")
        with open(BERTH, "rb") as source, open(lonely, "wb") as target:
            target.write(source.read())
        os.chmod(lonely, 0o755)
        self.env["BERTH_LIBEXECDIR"] = self.path("nowhere")
        code, _, err = self.run_other(lonely, "run", "true")
        if code == 0:
            self.skipTest("Berth is installed on this system")
        self.assertEqual(code, 1)
        self.assertIn(self.path("nowhere"), err)
        self.assertIn("berthd is nowhere to be found", err)

    def run_other(self, program, *words):
        done = subprocess.run([program, *words], env=self.env, capture_output=True, text=True,
                              check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def test_leaks_are_printed_and_fail_a_program_that_succeeded(self):
        self.env["FAKE_KERNEL"] = "leaks"
        code, out, err = self.berth("run", "--leaks", "true")
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err.splitlines(), ["left behind by 4711: 0x903", "left behind by 4711: 0xa03"])
        self.assertEqual(self.berth("run", "--leaks", "sh", "-c", "exit 5")[0], 5)
        self.assertEqual(self.berth("run", "true"), (0, "", ""))
        self.env["FAKE_KERNEL"] = ""
        self.assertEqual(self.berth("run", "--leaks", "true"), (0, "", ""))

    def test_an_unknown_answer_is_no_clean_report(self):
        self.env["FAKE_KERNEL"] = "garbage"
        code, _, err = self.berth("run", "--leaks", "true")
        self.assertEqual(code, 1)
        self.assertIn("nobody knows what was left behind", err)

    def test_a_trace_is_complete_when_the_run_ends(self):
        lines = ["trace line %d" % number for number in range(20000)]
        code, out, err = self.berth("run", "--trace", "true")
        self.assertEqual((code, out), (0, ""))
        self.assertEqual(err.splitlines(), lines)
        code, _, err = self.berth("run", "--trace=trace.txt", "true")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(read(self.path("trace.txt")).splitlines(), lines)

    def test_a_trace_that_cannot_be_written_fails_the_run(self):
        code, out, err = self.berth("run", "--trace=/no/such/folder", "echo", "ran")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("/no/such/folder", err)
        code, out, err = self.berth("run", "--trace=/dev/full", "echo", "ran")
        self.assertEqual((code, out), (1, "ran\n"))
        self.assertIn("No space left on device", err)

    def test_a_refused_trace_is_told_in_the_kernels_words(self):
        self.env["FAKE_KERNEL"] = "refuse"
        code, out, err = self.berth("run", "--trace", "echo", "ran")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("not on a Sunday", err)

    def test_what_is_asked_for_is_what_the_kernel_hears(self):
        for words, answer in [
            (["ps"], "what 1 flags 0 pid 0\n"),
            (["ps", "--json", "--pid", "12"], "what 1 flags 2 pid 12\n"),
            (["ports", "--queued"], "what 2 flags 1 pid 0\n"),
            (["ports", "--pid=12", "--json", "--queued"], "what 2 flags 3 pid 12\n"),
            (["dump"], "what 3 flags 0 pid 0\n"),
            (["dump", "--counts"], "what 4 flags 0 pid 0\n"),
        ]:
            self.assertEqual(self.berth("run", BERTH, *words), (0, answer, ""))

    def test_one_kernel_can_be_chosen_for_one_question(self):
        script = 'BERTH_KERNEL=/none "$0" ps --kernel "$BERTH_KERNEL"'
        self.assertEqual(self.berth("run", "sh", "-c", script, BERTH)[0], 0)

    def test_odd_answers_to_a_question_are_failures(self):
        for fault, told in [("refuse", "not on a Sunday"), ("garbage", "Protocol error"),
                            ("midway", "the kernel ended before it had answered")]:
            self.env["FAKE_KERNEL"] = fault
            for command in ["ps", "trace"]:
                code, out, err = self.berth("run", BERTH, command)
                self.assertEqual((code, out), (1, ""), fault)
                self.assertIn(told, err)


unittest.main()
