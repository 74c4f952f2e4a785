#!/usr/bin/env python3
"""Random interfaces, compiled by mig, and both sides run against each other: every value
survives the way there and back, and no right and no memory is left.

usage: random_interfaces.py --berth FILE --mig FILE [--cc COMMAND] [--flags FLAGS]
                            run FIRST_SEED SEEDS ROUTINES
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import bench as common # pylint: disable=wrong-import-position
from bench import Failed, SUPPORT # pylint: disable=wrong-import-position
from interfaces import Interface # pylint: disable=wrong-import-position

OURS = ["-O0", "-Wno-unused-parameter"]


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def one(bench, seed, routines):
    folder = bench.path(f"seed-{seed}")
    os.mkdir(folder)
    interface = Interface(seed, routines)
    write(os.path.join(folder, "random.defs"), interface.defs())
    write(os.path.join(folder, "random_types.h"), interface.types_header())
    write(os.path.join(folder, "calls.c"), interface.client())
    write(os.path.join(folder, "routines.c"), interface.server())
    bench.generate("random.defs", folder=folder)
    include = ["-I", SUPPORT, "-I", HERE, "-I", folder]
    for side, name, ours in (("client", "User", "calls.c"), ("server", "Server", "routines.c")):
        bench.compile(*include, "-c", f"random{name}.c", "-o", f"random{name}.o", folder=folder)
        bench.compile(*OURS, *include, os.path.join(HERE, f"random_{side}.c"), ours,
                      os.path.join(SUPPORT, f"{side}_main.c"),
                      os.path.join(SUPPORT, "mig_test.c"), f"random{name}.o", "-o", side,
                      folder=folder)
    output = bench.run("sh", "-c", "./server & ./client && wait $!", folder=folder)
    if output != "done\n":
        raise Failed(output)


def run(bench, first, seeds, routines):
    for seed in range(int(first), int(first) + int(seeds)):
        print(f"seed {seed}", flush=True)
        one(bench, seed, int(routines))


if __name__ == "__main__":
    sys.exit(common.main({"run": run}, __doc__))
