#!/usr/bin/env python3
"""Jobs that do not go as they should, and the death of the name server."""

import os
import signal
import time
import unittest

from launch_test import CLIENT, LaunchTest, is_alive

SERVICE = {"demand": True}
SEND_INVALID_DEST = "268435459"
UNKNOWN_SERVICE = "1102"
SEND_ONCE_NOTIFICATION = "71"


class Jobs(LaunchTest):
    def serve(self, **keys):
        self.load("server", CLIENT, "serve", "demand", self.path("served"),
                  MachServices=SERVICE, **keys)

    def test_clients_at_once_cause_one_start(self):
        self.serve()
        clients = [self.start_client("ask", "demand", str(i)) for i in range(8)]
        for i, client in enumerate(clients):
            self.assertEqual(client.stdout.read().split(), ["asked", str(100 + i)])
        served = self.lines("served")
        self.assertEqual(sorted(int(line.split()[0]) for line in served), list(range(8)))
        self.assertEqual(len({line.split()[1] for line in served}), 1)

    def test_a_client_may_die_while_its_server_is_started(self):
        # does not check in before it may
        self.shell("server", f"until [ -e go ]; do sleep 0.01; done; "
                   f"exec {CLIENT} serve demand served",
                   MachServices=SERVICE, WorkingDirectory=self.folder)
        dead = self.start_client("ask", "demand", "1")
        self.assertEqual(dead.stdout.readline(), "asked\n")
        dead.kill()
        dead.wait()
        alive = self.start_client("ask", "demand", "2")
        self.assertEqual(alive.stdout.readline(), "asked\n")
        open(self.path("go"), "w", encoding="utf-8").close()
        self.assertEqual(alive.stdout.readline(), "102\n")
        self.assertEqual([line.split()[0] for line in self.lines("served")], ["1", "2"])

    def test_unload_answers_who_waits(self):
        # runs, and never looks at its service
        self.load("server", "sleep", "1000", MachServices=SERVICE)
        clients = [self.start_client("ask", "demand", str(i)) for i in range(5)]
        for client in clients:
            self.assertEqual(client.stdout.readline(), "asked\n")
        blocked = self.start_client("send", "demand", "6")  # the queue is full
        self.wait(lambda: self.jobs()["server"][0] != "-", "the job")
        self.assertIsNone(blocked.poll())
        self.good("unload", self.path("server.plist"))
        for client in clients:
            self.assertEqual(client.stdout.readline(), SEND_ONCE_NOTIFICATION + "\n")
        # it came before the end or after it: a message that waits for room in a queue goes
        # with the port, which is no failure; either way it does not wait for ever
        self.assertIn(blocked.stdout.readline().strip(),
                      ("0", SEND_INVALID_DEST, "look-up: " + UNKNOWN_SERVICE))
        self.assertEqual(self.client("look-up", "demand"), UNKNOWN_SERVICE)

    def test_a_killed_server_leaves_its_queue_to_the_next(self):
        self.shell("server", f"[ -e held ] && exec {CLIENT} serve demand served; "
                   f"exec {CLIENT} hold demand held",
                   MachServices=SERVICE, WorkingDirectory=self.folder, ThrottleInterval=0)
        asking = self.start_client("ask", "demand", "1")
        pid = int(self.wait_lines("held", 1)[0].split()[1])
        for i in range(2, 6):
            self.assertEqual(self.client("send", "demand", str(i)), "0")
        os.kill(pid, signal.SIGKILL)
        served = self.wait_lines("served", 5)
        self.assertEqual([line.split()[0] for line in served], ["1", "2", "3", "4", "5"])
        self.assertEqual(asking.stdout.read().split(), ["asked", "101"])
        self.assertEqual(self.client("look-up", "demand"), "0")

    def test_a_crash_loop_is_throttled(self):
        before = time.monotonic()
        self.shell("crash", "echo start >> starts; kill -SEGV $$", KeepAlive=True,
                   WorkingDirectory=self.folder, ThrottleInterval=1)
        self.wait_lines("starts", 3)
        self.assertGreaterEqual(time.monotonic() - before, 2.0)
        self.wait(lambda: self.state("crash") == "throttled", "the pause after a crash")
        self.assertEqual(self.jobs()["crash"], ("-", "-11"))
        self.good("remove", "crash")
        self.assertEqual(self.jobs(), {})

    def test_a_job_that_cannot_be_executed_says_so(self):
        self.load("bad", "/nonexistent/program", RunAtLoad=True)
        self.wait(lambda: self.jobs()["bad"] == ("-", "127"), "the exit status")

    def test_a_job_that_ignores_sigterm_is_killed(self):
        self.shell("stubborn", "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done",
                   RunAtLoad=True, WorkingDirectory=self.folder, ExitTimeOut=1)
        pid = int(self.wait_lines("pid", 1)[0])
        self.good("remove", "stubborn")  # ends when the job has
        self.assertFalse(is_alive(pid))

    def test_what_a_job_leaves_behind_is_ended_with_it(self):
        script = "sleep 1000 & echo $! > child"
        self.shell("parent", script, RunAtLoad=True, WorkingDirectory=self.folder)
        self.wait_gone(int(self.wait_lines("child", 1)[0]))
        self.good("remove", "parent")
        os.unlink(self.path("child"))
        self.shell("parent", script, RunAtLoad=True, WorkingDirectory=self.folder,
                   AbandonProcessGroup=True)
        pid = int(self.wait_lines("child", 1)[0])
        self.wait(lambda: self.jobs()["parent"] == ("-", "0"), "the end of the job")
        self.assertTrue(is_alive(pid))
        os.kill(pid, signal.SIGKILL)


class ServerDeath(LaunchTest):
    def test_a_killed_name_server_starts_again_and_knows_nothing(self):
        self.load("server", CLIENT, "hold", "demand", self.path("held"), MachServices=SERVICE)
        self.load("idle", "true", MachServices={"idle": True})
        asking = self.start_client("ask", "demand", "1")
        self.assertEqual(asking.stdout.readline(), "asked\n")
        job = int(self.wait_lines("held", 1)[0].split()[1])
        server = int(self.client("server"))
        os.kill(server, signal.SIGKILL)

        # who waits is told; the jobs end; nothing hangs
        self.assertEqual(asking.stdout.readline(), SEND_ONCE_NOTIFICATION + "\n")
        self.wait_gone(job)

        # a new one serves whoever starts from now on, and has nothing to tell
        again = self.client("server")
        self.assertNotIn(again, ("", str(server)))
        self.assertEqual(self.jobs(), {})
        self.assertEqual(self.client("look-up", "demand"), UNKNOWN_SERVICE)
        self.assertEqual(self.client("look-up", "idle"), UNKNOWN_SERVICE)

        # the files can be loaded again, and all is as it was
        self.good("load", self.path("server.plist"))
        asking = self.start_client("ask", "demand", "2")
        self.assertEqual(asking.stdout.readline(), "asked\n")
        self.wait_lines("held", 2)
        self.assertEqual(self.client("look-up", "demand"), "0")


if __name__ == "__main__":
    unittest.main()
