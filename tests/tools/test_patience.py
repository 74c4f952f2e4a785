"""A kernel that does not answer is given up.  Takes as long as our patience, half a minute."""

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


unittest.main()
