"""What the tests of jobs share.  Each is a program for a kernel of its own:
`berth run -- python3 TEST`.  It is no task itself, so that what it starts finds the name
server that there is at that moment."""

import os
import plistlib
import shutil
import subprocess
import tempfile
import time
import unittest

BERTH = os.environ["BERTH"]
CLIENT = os.environ["LAUNCH_CLIENT"]
PATIENCE_S = 60


class LaunchTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="launch-test-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.remove_jobs)

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def run_command(words, **options):
        """The finished process; None if who it is to run as may not execute it."""
        try:
            return subprocess.run(words, capture_output=True, text=True, check=False,
                                  timeout=PATIENCE_S, stdin=subprocess.DEVNULL, **options)
        except PermissionError:
            return None

    # ---- berth launch

    def launch(self, *words, **options):
        """Run `berth launch`; the finished process."""
        options.setdefault("cwd", self.folder)
        return subprocess.run([BERTH, "launch", *words], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False, stdin=subprocess.DEVNULL,
                              **options)

    def good(self, *words):
        """Run what must succeed without complaint; its output."""
        done = self.launch(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def bad(self, text, *words):
        """Run what must fail and say @text, and print nothing."""
        done = self.launch(*words)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def plist(self, label, *arguments, **keys):
        """Write LABEL.plist; its path."""
        job = {"Label": label, **keys}
        if arguments:
            job["ProgramArguments"] = list(arguments)
        with open(self.path(label + ".plist"), "wb") as file:
            plistlib.dump(job, file)
        os.chmod(self.path(label + ".plist"), 0o644)
        return self.path(label + ".plist")

    def load(self, label, *arguments, **keys):
        self.good("load", self.plist(label, *arguments, **keys))

    def shell(self, label, script, **keys):
        """Load a job that runs @script, whose words come from now on as they are."""
        self.load(label, "sh", "-c", script, **keys)

    def jobs(self):
        """{label: (pid, status)} as `list` prints them."""
        lines = self.good("list").splitlines()
        self.assertEqual(lines[0], "PID\tStatus\tLabel")
        rows = [line.split("\t") for line in lines[1:]]
        return {label: (pid, status) for pid, status, label in rows}

    def state(self, label):
        for line in self.good("print", label).splitlines():
            if line.strip().startswith("state = "):
                return line.split(" = ")[1]
        return self.fail("no state")

    def remove_jobs(self):
        done = self.launch("list")
        for line in done.stdout.splitlines()[1:]:
            self.launch("remove", line.split("\t")[2])

    # ---- the client

    def client(self, *words):
        """What the client prints."""
        return subprocess.run([CLIENT, *words], capture_output=True, text=True, check=False,
                              timeout=PATIENCE_S).stdout.strip()

    def start_client(self, *words):
        process = subprocess.Popen([CLIENT, *words], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_client, process)
        return process

    @staticmethod
    def end_client(process):
        process.kill()
        process.wait()
        process.stdout.close()

    # ---- waiting

    def wait(self, condition, what):
        """Until @condition() gives something true, which is given back."""
        limit = time.monotonic() + PATIENCE_S
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > limit:
                self.fail(f"waited in vain for {what}")
            time.sleep(0.01)

    def lines(self, name):
        """The whole lines of a file in the folder; none if it is not there."""
        try:
            with open(self.path(name), encoding="utf-8") as file:
                return [line[:-1] for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def wait_lines(self, name, count):
        self.wait(lambda: len(self.lines(name)) >= count, f"line {count} of {name}")
        return self.lines(name)

    def wait_gone(self, pid):
        self.wait(lambda: not is_alive(pid), f"the end of {pid}")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
