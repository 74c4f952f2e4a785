#!/usr/bin/env python3
"""A hundred private kernels at once, each with a service of the same name."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile

PATIENCE_S = 240


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--berth", required=True)
    parser.add_argument("--neighbour", required=True)
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # and cleans up

    with tempfile.TemporaryDirectory(prefix="berth-side.", dir="/tmp") as folder:
        os.chmod(folder, 0o711)  # root's kernels want a folder that others can enter
        environment = {**os.environ, "TMPDIR": folder}
        environment.pop("XDG_RUNTIME_DIR", None)
        environment.pop("BERTH_KERNEL", None)
        runs = []
        try:
            for number in range(options.count):
                other = (number + 1) % options.count
                runs.append(subprocess.Popen(
                    [options.berth, "run", options.neighbour, str(number), str(other)],
                    env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for run in runs:
                if run.stdout.readline() != "ready\n":
                    sys.exit("a neighbour is not ready")
            # all are there now: nobody finds another
            kernels = [name for name in os.listdir(folder) if name.startswith("berth-run.")]
            if len(kernels) != options.count:
                sys.exit("%d kernels, not %d" % (len(kernels), options.count))
            for run in runs:
                run.stdin.write("\n")
                run.stdin.flush()
            for run in runs:
                if run.stdout.readline() != "again\n":
                    sys.exit("a neighbour met another")
            for run in runs:
                run.stdin.close()
            statuses = {run.wait(PATIENCE_S) for run in runs}
            if statuses != {0}:
                sys.exit("exit codes %s" % statuses)
        finally:
            for run in runs:
                if run.poll() is None:
                    run.terminate()  # passed on to the program
                    run.wait(PATIENCE_S)
                run.stdout.close()
        if os.listdir(folder):
            sys.exit("left behind: %s" % os.listdir(folder))
    print("%d kernels side by side, and nothing is left of them" % options.count)


if __name__ == "__main__":
    main()
