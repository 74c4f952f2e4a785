"""What the tests of mig share: run mig and the compilers, and programs on a private kernel.

A test makes a Bench of a folder of its own.  Whatever says more than it should fails.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import tempfile

SKIPPED = 77
SECONDS_MAX = 240
SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "support")
# generated code must be clean of all these
STRICT = ["-Wall", "-Wextra", "-Werror"]


class Failed(Exception):
    """What was expected and what came, in words."""


class Bench:
    """Where interfaces are compiled and programs run."""

    def __init__(self, options, folder):
        self.berth = os.path.abspath(options.berth)
        self.mig_program = os.path.abspath(options.mig)
        self.flags = shlex.split(options.flags)
        self.folder = folder
        self.environment = dict(os.environ)
        for name in ("BERTH_KERNEL", "BERTH_TASK_FD", "MIGCC", "MIGCOM"):
            self.environment.pop(name, None)
        if options.cc:
            self.environment["CC"] = options.cc

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def execute(self, *command, folder=None, environment=None):
        """Run what must succeed; its output and errors."""
        done = subprocess.run(command, cwd=folder or self.folder,
                              env={**self.environment, **(environment or {})},
                              capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=SECONDS_MAX)
        if done.returncode:
            raise Failed(f"{shlex.join(command)}: status {done.returncode}\n"
                         f"{done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def mig(self, *arguments, folder=None):
        """Run mig, which must say nothing."""
        output, errors = self.execute(self.mig_program, *arguments, folder=folder)
        if output or errors:
            raise Failed(f"mig {shlex.join(arguments)} says:\n{output}{errors}")

    def generate(self, defs, *options, folder=None):
        """The four files of an interface: NAMEUser.c, NAMEServer.c, NAME.h, NAMEServer.h."""
        name = os.path.splitext(os.path.basename(defs))[0]
        self.mig(*options, "-user", name + "User.c", "-server", name + "Server.c",
                 "-header", name + ".h", "-sheader", name + "Server.h", defs, folder=folder)
        return name

    def compile(self, *arguments, compiler=None, language="cc", folder=None):
        """Run `berth cc`; a warning is an error."""
        environment = {"CC": compiler, "CXX": compiler} if compiler else None
        errors = self.execute(self.berth, language, *self.flags, *STRICT, *arguments,
                              folder=folder, environment=environment)[1]
        if errors:
            raise Failed(f"berth {language} {shlex.join(arguments)} says:\n{errors}")

    def run(self, *command, folder=None, environment=None, options=("--leaks",)):
        """Run a program on a private kernel; it leaks nothing and complains of nothing."""
        output, errors = self.execute(self.berth, "run", *options, "--", *command,
                                      folder=folder, environment=environment)
        if errors:
            raise Failed(f"{shlex.join(command)}: says\n{output}{errors}")
        return output

    def has_compiler(self, name):
        return shutil.which(name) is not None


def main(tests, description):
    """Parse the arguments that all tests have, and run one of @tests, by its name."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--berth", required=True)
    parser.add_argument("--mig", required=True)
    parser.add_argument("--cc", default="")
    parser.add_argument("--flags", default="")
    parser.add_argument("--keep", help="work in this folder, and leave it")
    parser.add_argument("test", choices=tests)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="berth-mig-") as folder:
        if options.keep:
            os.makedirs(options.keep, exist_ok=True)
            folder = os.path.abspath(options.keep)
        try:
            return tests[options.test](Bench(options, folder), *options.arguments) or 0
        except (Failed, subprocess.TimeoutExpired) as failure:
            print(failure)
            return 1
