#!/usr/bin/env python3
"""Search the model of a lane exhaustively; then with each mutation, which must be found.

usage: spin.py CC
"""

import os
import subprocess
import sys
import tempfile

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lane.pml")
# Messages, looks of the kernel, room in the ring: more of one where there is less of another.
SIZES = [(2, 1, 1), (4, 0, 1), (4, 0, 2)]
MUTATIONS = [
    "NO_EPOCH",
    "NO_SECOND_LOOK_AT_WORD",
    "NO_SECOND_LOOK_OF_SENDER",
    "NO_SECOND_LOOK_OF_RECEIVER",
    "NO_WAKE_RECEIVER",
    "NO_NUMBER_OF_SLEEP",
    "NO_LOOK_WHO_WAS_WOKEN",
]


def errors(compiler, folder, size, mutation):
    """How many errors the search finds; it stops at the first."""
    defines = [f"-D{name}={value}" for name, value in zip(("MESSAGES", "LOOKS", "ROOM"), size)]
    defines += [f"-D{mutation}"] if mutation else []
    subprocess.run(["spin", *defines, "-a", MODEL], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(
        [*compiler, "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"], cwd=folder, check=True
    )
    done = subprocess.run(
        ["./pan", "-m1000000"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
    if "max search depth too small" in done:
        sys.exit("the search was not exhaustive")
    line = next(line for line in done.splitlines() if "errors:" in line)
    print(f"{mutation or 'as it is'} {size}: {line.strip()}", flush=True)
    return int(line.split("errors:")[1].split()[0])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    failed = False
    searches = [(size, None) for size in SIZES] + [(SIZES[0], mutation) for mutation in MUTATIONS]
    for size, mutation in searches:
        with tempfile.TemporaryDirectory() as folder:
            found = errors(sys.argv[1:], folder, size, mutation)
            if (found > 0) != (mutation is not None):
                print("NOT AS IT SHOULD BE", flush=True)
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
