#!/usr/bin/env python3
"""Random calls with every message changed on its way, under sanitizers.

usage: mutation.py --berth FILE --mig FILE [--cc COMMAND] [--flags FLAGS] run FIRST SEEDS CALLS
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MIG_TESTS = os.path.dirname(HERE)
sys.path.insert(0, MIG_TESTS)
import bench as common # pylint: disable=wrong-import-position
from bench import Failed, SUPPORT # pylint: disable=wrong-import-position

SHAPES = os.path.join(MIG_TESTS, "failures")
# whatever the build is of: the generated code and what calls it
SANITIZERS = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def run(bench, first, seeds, calls):
    if any("thread" in flag for flag in bench.flags):
        return common.SKIPPED # the two sanitizers do not go together
    bench.flags = SANITIZERS
    bench.generate(os.path.join(SHAPES, "shapes.defs"), "-DONE_PROCESS")
    sources = [os.path.join(HERE, name) for name in ("mutation.c", "change.c", "server.c")]
    bench.compile("-Wno-unused-parameter", "-I", SUPPORT, "-I", SHAPES, "-I", bench.folder,
                  *sources, bench.path("shapesUser.c"), bench.path("shapesServer.c"),
                  os.path.join(SUPPORT, "mig_test.c"), "-o", bench.path("mutation"))
    for seed in range(int(first), int(first) + int(seeds)):
        print(f"seed {seed}", flush=True)
        output = bench.run("./mutation", str(seed), calls)
        if output != "done\n":
            raise Failed(output)
    return None


if __name__ == "__main__":
    sys.exit(common.main({"run": run}, __doc__))
