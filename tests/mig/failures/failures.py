#!/usr/bin/env python3
"""Messages that are wrong: requests to a generated server, replies to generated stubs.

usage: failures.py --berth FILE --mig FILE [--cc COMMAND] [--flags FLAGS] TEST
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import bench as common # pylint: disable=wrong-import-position
from bench import Failed, SUPPORT # pylint: disable=wrong-import-position

INCLUDE = ["-I", SUPPORT, "-I", HERE, "-Wno-unused-parameter"]


def build(bench, program, sources):
    bench.generate(os.path.join(HERE, "shapes.defs"))
    bench.compile(*INCLUDE, "-I", bench.folder, *sources, "-o", bench.path(program))


def support(*names):
    return [os.path.join(SUPPORT, name + ".c") for name in names]


def both(bench, client, options=("--leaks",)):
    build(bench, "client", [os.path.join(HERE, client), os.path.join(HERE, "raw.c"),
                            bench.path("shapesUser.c"), *support("client_main", "mig_test")])
    build(bench, "server", [os.path.join(HERE, "requests_server.c"), bench.path("shapesServer.c"),
                            *support("server_main", "mig_test")])
    output = bench.run("sh", "-c", "./server & ./client && wait $!", options=options)
    if output != "done\n":
        raise Failed(output)


def requests(bench):
    both(bench, "requests_client.c")


def died(bench):
    both(bench, "died_client.c", options=()) # what the server held is its end


def replies(bench):
    build(bench, "replies", [os.path.join(HERE, "replies.c"), os.path.join(HERE, "raw.c"),
                             bench.path("shapesUser.c"), *support("mig_test")])
    output = bench.run("./replies")
    if output != "done\n":
        raise Failed(output)


TESTS = {test.__name__: test for test in (requests, died, replies)}

if __name__ == "__main__":
    sys.exit(common.main(TESTS, __doc__))
