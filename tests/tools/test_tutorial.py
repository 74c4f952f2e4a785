"""What docs/mig.md and docs/kernel-controls.md say is done, and comes out as they say.

A comment before a code block says what to do with it: `<!-- file: NAME -->`, `<!-- run -->`
(by sh, each line must succeed), `<!-- output -->` (what the run before printed, line by line in
any order).
"""

import os
import re
import subprocess
import unittest

from berth_command import BERTH, BerthTest, SOURCE, read

BLOCK = re.compile(r"<!-- (file: (?P<file>\S+)|(?P<what>run|output)) -->\n```\w*\n(?P<text>.*?)```",
                   re.DOTALL)


class Tutorial(BerthTest):
    maxDiff = None

    def follow(self, page):
        """Do what the page says; how many blocks were run, and compared."""
        # with what this build of Berth needs in a program: its sanitizers
        self.env.update(CC=os.environ["CC"] + " " + os.environ.get("BERTH_PROGRAM_FLAGS", ""),
                        PATH=os.path.dirname(BERTH) + ":" + self.env["PATH"])
        output, ran, compared = "", 0, 0
        for block in BLOCK.finditer(read(os.path.join(SOURCE, "docs", page))):
            if block["file"]:
                self.write(block["file"], block["text"])
            elif block["what"] == "run":
                done = subprocess.run(["sh", "-e", "-c", block["text"]], cwd=self.folder,
                                      env=self.env, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      check=False, timeout=120)
                output = done.stdout
                self.assertEqual(done.returncode, 0, block["text"] + output)
                ran += 1
            else:
                self.assertEqual(sorted(output.splitlines()), sorted(block["text"].splitlines()))
                compared += 1
        return ran, compared

    def test_mig(self):
        self.assertEqual(self.follow("mig.md"), (2, 1))

    def test_kernel_controls(self):
        self.assertEqual(self.follow("kernel-controls.md"), (1, 1))


unittest.main()
