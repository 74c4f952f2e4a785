#!/usr/bin/env python3
"""A client and a server in two processes, on a private kernel, for every construct of the
language and every option of mig: what NAME.defs, NAME_client.c and NAME_server.c say.

usage: endtoend.py --berth FILE --mig FILE [--cc COMMAND] [--flags FLAGS] TEST
"""

import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import bench as common # pylint: disable=wrong-import-position
from bench import Failed, SUPPORT # pylint: disable=wrong-import-position

# The tests' own server functions do not look at every argument.
OURS = ["-O1", "-Wno-unused-parameter"]
BOTH_SIDES = "./server & ./client && wait $!"


def source(name):
    return os.path.join(HERE, name)


def support(bench, folder):
    """The main functions and what they need, compiled once."""
    if not os.path.exists(bench.path("mig_test.o")):
        for name in ("mig_test", "client_main", "server_main"):
            bench.compile("-O1", "-c", os.path.join(SUPPORT, name + ".c"), "-o",
                          bench.path(name + ".o"))
    return ["-I", SUPPORT, "-I", HERE, "-I", folder]


def build(bench, name, folder, user_files=None, server_more=()):
    """Link NAME_client.c and NAME_server.c with the generated files in @folder."""
    include = support(bench, folder)
    users = user_files or [os.path.join(folder, name + "User.c")]
    # generated code on its own, so that the tests' exception does not hide a warning in it
    generated = [*users, os.path.join(folder, name + "Server.c"), *server_more]
    objects = {}
    for file in generated:
        objects[file] = os.path.splitext(file)[0] + ".o"
        bench.compile(*include, "-c", file, "-o", objects[file])
    bench.compile(*OURS, *include, source(name + "_client.c"), *[objects[file] for file in users],
                  bench.path("client_main.o"), bench.path("mig_test.o"), "-o",
                  os.path.join(folder, "client"))
    bench.compile(*OURS, *include, source(name + "_server.c"),
                  *[objects[file] for file in generated if file not in users],
                  bench.path("server_main.o"), bench.path("mig_test.o"), "-o",
                  os.path.join(folder, "server"))


def run(bench, folder):
    output = bench.run("sh", "-c", BOTH_SIDES, folder=folder)
    if output != "done\n":
        raise Failed(output)


def plain(name):
    """The interface @name as it is."""
    def test(bench):
        bench.generate(source(name + ".defs"))
        build(bench, name, bench.folder)
        run(bench, bench.folder)
    return test


def late(bench):
    """The server answers through stubs of its own."""
    for name in ("late", "late_reply", "late_forward"):
        bench.generate(source(name + ".defs"))
    build(bench, "late", bench.folder,
          server_more=[bench.path("late_replyUser.c"), bench.path("late_forwardUser.c")])
    run(bench, bench.folder)


# What the options change must still be the same interface.
OPTIONS = {
    "two-calls": ["-R"],
    "no-vouchers": ["-novouchers"],
    "symbol-table": ["-s"],
    "event-logger": ["-L"],
    "convert": ["-n"],
    "bounds": ["-b"],
    "small-stack": ["-maxonstack", "64"],
    "split": ["-split"],
    "all": ["-R", "-novouchers", "-s", "-L", "-n", "-b", "-maxonstack", "200", "-split"],
}
OPTION_INTERFACES = ("data", "memory", "ports")


def options(bench, which):
    for name in OPTION_INTERFACES:
        folder = bench.path(name)
        os.mkdir(folder)
        bench.generate(source(name + ".defs"), *OPTIONS[which], folder=folder)
        build(bench, name, folder)
        run(bench, folder)


def one_file_a_routine(bench):
    """-i: one C file for each user routine."""
    for name in OPTION_INTERFACES:
        folder = bench.path(name)
        os.mkdir(folder)
        bench.mig("-i", "one_", "-server", name + "Server.c", "-header", name + ".h", "-sheader",
                  name + "Server.h", source(name + ".defs"), folder=folder)
        files = sorted(glob.glob(os.path.join(folder, "one_*.c")))
        if len(files) < 10 or os.path.join(folder, f"one_{name}_tell.c") not in files:
            raise Failed(f"files: {files}")
        build(bench, name, folder, user_files=files)
        run(bench, folder)


TESTS = {name: plain(name) for name in ("data", "memory", "ports", "calls", "names")}
TESTS["late"] = late
TESTS["one-file-a-routine"] = one_file_a_routine
for which_ in OPTIONS:
    TESTS[which_] = lambda bench, which=which_: options(bench, which)

if __name__ == "__main__":
    sys.exit(common.main(TESTS, __doc__))
