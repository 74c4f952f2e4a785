"""berth ps, ports and trace tell the truth about a running kernel."""

import json
import os
import select
import signal
import subprocess
import unittest

from berth_command import BERTH, ProgramTest


class Inspect(ProgramTest):
    def setUp(self):
        super().setUp()
        self.holder = self.start("run", "sh", "-c", 'echo "$BERTH_KERNEL"; exec "$0"',
                                 self.program("holds"))
        self.addCleanup(self.end_holder)
        self.env["BERTH_KERNEL"] = self.holder.stdout.readline().strip()
        self.name = self.holder.stdout.readline().split()[1]
        code, out, err = self.berth("ps", "--json")
        self.assertEqual((code, err), (0, ""))
        pids = [task["pid"] for task in self.rows(json.loads(out)) if task["label"] == "holds"]
        self.assertEqual(len(pids), 1, out)
        self.pid = pids[0]

    def end_holder(self):
        self.holder.send_signal(signal.SIGTERM)
        self.holder.communicate(timeout=60)

    @staticmethod
    def rows(document):
        """The list in a document, whatever it is called."""
        if isinstance(document, list):
            return document
        lists = [value for value in document.values() if isinstance(value, list)]
        assert len(lists) == 1, document
        return lists[0]

    def test_ps_lists_the_task_and_its_program(self):
        code, out, err = self.berth("ps")
        self.assertEqual((code, err), (0, ""))
        lines = [line for line in out.splitlines() if str(self.pid) in line.split()]
        self.assertEqual(len(lines), 1, out)
        self.assertIn("holds", lines[0])
        code, out, err = self.berth("ps", "--pid", str(self.pid))
        self.assertEqual((code, err), (0, ""))
        self.assertIn("holds", out)
        self.assertNotIn("launchd", out)

    def test_ports_shows_the_right_and_the_queue(self):
        for words in [["ports"], ["ports", "--pid", str(self.pid)]]:
            code, out, err = self.berth(*words)
            self.assertEqual((code, err), (0, ""))
            self.assertIn(self.name, out)

    def test_queued_names_who_does_not_receive(self):
        code, out, err = self.berth("ports", "--queued")
        self.assertEqual((code, err), (0, ""))
        self.assertIn(self.name, out)
        self.assertIn(str(self.pid), out)
        self.assertIn("holds", out)
        self.assertIn("2", out)

    def test_json_is_json(self):
        for words in [["ps", "--json"], ["ports", "--json"], ["ports", "--json", "--queued"]]:
            code, out, _ = self.berth(*words)
            self.assertEqual(code, 0)
            self.assertGreater(len(self.rows(json.loads(out))), 0, words)

    def test_a_stranger_is_no_task(self):
        code, _, err = self.berth("ports", "--pid", str(os.getpid()))
        self.assertEqual(code, 1)
        self.assertIn("process %d is no task of this kernel" % os.getpid(), err)

    def test_lsmp_writes_json_to_a_file(self):
        lsmp = self.path("lsmp")
        os.symlink(BERTH, lsmp)
        done = subprocess.run([lsmp, "-p", str(self.pid), "-j", self.path("out.json")], env=self.env,
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        with open(self.path("out.json"), encoding="utf-8") as file:
            self.assertGreater(len(self.rows(json.load(file))), 0)

    def test_trace_shows_what_happens_from_now_on(self):
        tracer = self.start("trace")
        # it is not told when the subscription is there: others come until it shows one
        while not select.select([tracer.stdout], [], [], 0.05)[0]:
            subprocess.run([self.program("tidy")], env=self.env, check=True, timeout=60)
        tracer.send_signal(signal.SIGINT)
        out, err = tracer.communicate(timeout=60)
        self.assertEqual((tracer.returncode, err), (0, ""))
        self.assertIn("\n", out)

    def test_trace_ends_with_the_kernel(self):
        tracer = self.start("trace")
        while not select.select([tracer.stdout], [], [], 0.05)[0]:
            subprocess.run([self.program("tidy")], env=self.env, check=True, timeout=60)
        self.holder.send_signal(signal.SIGTERM)
        _, err = tracer.communicate(timeout=60)
        self.assertEqual((tracer.returncode, err), (0, ""))

    def test_the_dump_and_the_counts_are_text(self):
        for words in [["dump"], ["dump", "--counts"]]:
            code, out, err = self.berth(*words)
            self.assertEqual((code, err), (0, ""), words)
            self.assertIn("port", out)


unittest.main()
