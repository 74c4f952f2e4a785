"""What the tests of the berth command share: where it is, and a clean place to run it in."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

BERTH = os.environ["BERTH"]
SOURCE = os.environ["BERTH_SOURCE"]
FAKES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fakes")

# Nothing of who runs the tests gets in.
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("BERTH") and name not in ("XDG_RUNTIME_DIR", "TMPDIR", "CC", "CXX")
}
# A folder that may not be searched makes "not found" a matter of permission.
CLEAN["PATH"] = ":".join(
    folder for folder in CLEAN["PATH"].split(":") if os.access(folder, os.X_OK)
)
# A tool may end by a signal or exec on purpose: what it held by then is no leak.
SIGNALS_TO_DEFAULT = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE,
                      signal.SIGCHLD)


class BerthTest(unittest.TestCase):
    def setUp(self):
        # as long as it may be and no longer: sockets are made in it
        self.folder = tempfile.mkdtemp(prefix="bt.", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.env = dict(CLEAN, TMPDIR=self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def start(self, *words, **options):
        def default_signals():
            for number in SIGNALS_TO_DEFAULT:
                signal.signal(number, signal.SIG_DFL)

        options.setdefault("env", self.env)
        options.setdefault("cwd", self.folder)
        return subprocess.Popen(
            [BERTH, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=default_signals,
            **options,
        )

    def berth(self, *words, **options):
        """Run berth to its end: exit code, standard output, standard error."""
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def folders(self):
        """The folders that runs have left in this test's own one."""
        return [name for name in os.listdir(self.folder) if name.startswith("berth-run.")]

    def wait_for(self, condition, what):
        limit = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), limit, "waited in vain for " + what)
            time.sleep(0.01)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class ProgramTest(BerthTest):
    """With the programs of programs/, compiled once by `berth cc`."""

    @classmethod
    def setUpClass(cls):
        cls.programs = tempfile.mkdtemp(prefix="bp.", dir="/tmp")
        os.chmod(cls.programs, 0o755)
        cls.addClassCleanup(shutil.rmtree, cls.programs, ignore_errors=True)
        here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
        for source in os.listdir(here):
            name, suffix = os.path.splitext(source)
            if suffix != ".c":
                continue
            flags = os.environ.get("BERTH_PROGRAM_FLAGS", "").split()
            subprocess.run(
                [BERTH, "cc", "-g", *flags, os.path.join(here, source), "-o",
                 os.path.join(cls.programs, name)],
                env=dict(CLEAN, CC=os.environ["CC"]),
                check=True,
                timeout=120,
            )

    def program(self, name):
        return os.path.join(self.programs, name)
