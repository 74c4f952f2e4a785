"""Kernels that do not answer, or have no name server, are given up.  Takes as long as our
patience, half a minute."""

import os
import shutil
import socket
import subprocess
import time
import unittest

from berth_command import BERTH, ProgramTest


class Patience(ProgramTest):
    def test_a_kernel_that_does_not_answer_is_given_up(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dumb, \
             socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as full:
            dumb.bind(self.path("dumb"))
            dumb.listen(16)
            full.bind(self.path("full"))
            full.listen(0)
            waiting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.addCleanup(waiting.close)
            waiting.connect(self.path("full")) # there is no room for one more
            started = []
            for kernel in ("dumb", "full"):
                env = dict(self.env, BERTH_KERNEL=self.path(kernel))
                for words in ([self.program("tidy")], [BERTH, "ps"], [BERTH, "trace"]):
                    process = subprocess.Popen(
                        words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE, text=True)
                    self.addCleanup(process.communicate)
                    self.addCleanup(process.kill)
                    started.append((kernel, words, process))
            limit = time.monotonic() + 120
            for kernel, words, process in started:
                err = process.communicate(timeout=max(1, limit - time.monotonic()))[1]
                self.assertEqual(process.returncode, 1 if words[0] == BERTH else 99, words)
                self.assertRegex(err, "answer" if kernel == "dumb" else "timed out", words)

    def test_a_name_server_that_does_not_start_is_told(self):
        shutil.copy(os.path.join(os.path.dirname(BERTH), "berthd"), self.path("berthd"))
        self.write("berth-launchd", "#!/bin/sh\nexit 3\n", 0o755)
        self.env["BERTH_LIBEXECDIR"] = self.folder
        code, _, err = self.berth("run", self.program("tidy"))
        self.assertEqual(code, 99)
        self.assertIn("the name server, berth-launchd, does not start (it ended with status 3)",
                      err)


unittest.main()
