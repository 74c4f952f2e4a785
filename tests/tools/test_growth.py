"""`berth ports --since` shows what is different from an earlier look, and nothing else."""

import json
import os
import subprocess
import unittest

from berth_command import BERTH, CLEAN, ProgramTest, read


class Growth(ProgramTest):
    def setUp(self):
        super().setUp()
        self.holder = subprocess.Popen(
            [BERTH, "run", "sh", "-c", 'echo "$BERTH_KERNEL"; "$0"; echo ended; read -r line',
             self.program("grows")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=dict(CLEAN, TMPDIR=self.folder))
        self.addCleanup(self.end_holder)
        self.env["BERTH_KERNEL"] = self.holder.stdout.readline().strip()
        self.assertEqual(self.holder.stdout.readline(), "ready\n")

    def end_holder(self):
        self.holder.communicate(timeout=60)

    def step(self):
        self.holder.stdin.write("\n")
        self.holder.stdin.flush()
        return self.holder.stdout.readline()

    def ports(self, *words):
        code, out, err = self.berth("ports", *words)
        self.assertEqual((code, err), (0, ""))
        return out

    def since(self, name, *words):
        return {(row["label"], row["right"]): row
                for row in json.loads(self.ports("--since", name, "--json", *words))}

    def test_what_came_and_went_is_told_by_task_and_kind(self):
        self.assertEqual(self.ports("--save", "first"), "")
        self.assertEqual(self.step(), "ready\n")
        grown = self.since("first")
        self.assertEqual({label for label, _ in grown}, {"grows"})
        receive = grown["grows", "receive"]
        self.assertEqual((receive["before"], receive["now"], receive["gone"]), (0, 3, 0))
        names = {row["name"] for row in json.loads(self.ports("--json"))
                 if row["label"] == "grows" and row["right"] == "receive"}
        self.assertEqual(set(receive["new"]), names)
        both = grown["grows", "receive+send"]
        self.assertEqual((both["references_before"], both["references_now"]), (1, 3))
        self.assertEqual((len(both["grown"]), both["new"]), (1, []))
        a_set = grown["grows", "set"]
        self.assertEqual((a_set["before"], a_set["now"], a_set["gone"]), (1, 0, 1))
        self.assertEqual(len(grown), 3)

        text = self.ports("--since", "first")
        for name in names:
            self.assertIn("new %#x" % name, text)
        self.assertIn("grown %#x, from 1 to 3 references" % both["grown"][0], text)
        self.assertEqual(self.since("first", "--pid", "1"), {})
        self.assertEqual(len(self.since("first", "--pid", str(receive["pid"]))), 3)

    def test_nothing_new_is_said_in_words_and_as_an_empty_list(self):
        self.ports("--save", "first")
        self.assertEqual(self.ports("--since", "first"), "every task holds what it held\n")
        self.assertEqual(self.ports("--since", "first", "--json"), "[]\n")

    def test_a_look_may_be_compared_and_saved_at_once(self):
        self.ports("--save", "look")
        self.step()
        self.assertIn("grows", self.ports("--since", "look", "--save", "look"))
        self.assertEqual(json.loads(read(self.path("look"))), json.loads(self.ports("--json")))
        self.assertEqual(self.since("look"), {})

    def test_a_task_that_ended_has_nothing_left(self):
        self.ports("--save", "first")
        self.step()
        self.assertEqual(self.step(), "ended\n")
        self.wait_for(lambda: ("grows", "receive+send") in self.since("first"), "the task's end")
        grown = self.since("first")
        self.assertTrue(all(row["now"] == 0 and row["new"] == [] for row in grown.values()), grown)

    def test_what_is_no_look_is_refused(self):
        for text in ("", "{}", "hello\n", "[\n  {\"pid\": 1}\n]\n", "[\n  {\"pid\": \n"):
            self.write("look", text)
            code, out, err = self.berth("ports", "--since", "look")
            self.assertEqual((code, out), (1, ""), text)
            self.assertIn("'look' is nothing that 'berth ports --save' wrote", err)
        self.assertIn("No such file", self.berth("ports", "--since", "nowhere")[2])
        self.assertEqual(self.berth("ports", "--since", "look", "--queued")[0], 2)
        self.assertEqual(self.berth("ports", "--since")[0], 2)
        self.assertEqual(self.berth("ports", "--save=")[0], 2)
        code, _, err = self.berth("ports", "--save", os.path.join("no", "folder"))
        self.assertEqual(code, 1)
        self.assertIn("cannot write", err)


unittest.main()
