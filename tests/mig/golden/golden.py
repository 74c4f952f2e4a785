#!/usr/bin/env python3
"""What comes out of mig: its layout, that it compiles anywhere, that it is always the same,
and that a generator of one's own takes the place of mig's.

usage: golden.py --berth FILE --mig FILE [--cc COMMAND] [--flags FLAGS] TEST [ARGUMENT]
"""

import filecmp
import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MIG_TESTS = os.path.dirname(HERE)
sys.path.insert(0, MIG_TESTS)
import bench as common # pylint: disable=wrong-import-position
from bench import Failed, SKIPPED # pylint: disable=wrong-import-position

SHAPES = os.path.join(MIG_TESTS, "failures", "shapes.defs")
BOTH_PREFIXED = ("calls", "late", "names")
COMPILERS = {"gcc": "g++", "clang": "clang++"}


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def layouts(bench):
    """Sizes and offsets, in both headers."""
    bench.generate(SHAPES)
    for more in ([], ["-DSERVER"]):
        bench.compile(*more, "-I", os.path.dirname(SHAPES), "-I", bench.folder, "-c",
                      os.path.join(HERE, "layouts.c"), "-o", bench.path("layouts.o"))


def layouts_mach(bench):
    """Of what others speak, with mig's own interfaces."""
    for name in ("mach_port", "task", "exc", "mach_exc", "notify"):
        write(bench.path(name + "_it.defs"), f"#include <mach/{name}.defs>\n")
        bench.mig("-user", "/dev/null", "-server", "/dev/null", "-header", name + "_user.h",
                  name + "_it.defs")
    bench.compile("-I", bench.folder, "-c", os.path.join(HERE, "layouts_mach.c"), "-o",
                  bench.path("layouts.o"))


def own_interfaces():
    return sorted(glob.glob(os.path.join(MIG_TESTS, "endtoend", "*.defs"))) + [SHAPES]


def compilers(bench, compiler):
    """As C and C++, both sides, with all warnings; headers in any order, and twice."""
    plus = COMPILERS[compiler]
    if not bench.has_compiler(compiler):
        return SKIPPED
    include = ["-Wshadow", "-I", os.path.join(MIG_TESTS, "endtoend"), "-I",
               os.path.join(MIG_TESTS, "failures"), "-I", bench.folder]
    for defs in own_interfaces():
        name = bench.generate(defs)
        for side in ("User", "Server"):
            bench.compile(*include, "-Wmissing-prototypes", "-Wstrict-prototypes", "-c",
                          name + side + ".c", "-o", "side.o", compiler=compiler)
        # functions of the two sides that have one name may take different arguments
        orders = [[name, name], [name + "Server"] * 2]
        if name in BOTH_PREFIXED:
            orders += [[name, name + "Server"], [name + "Server", name]]
        for order in orders:
            text = "".join(f'#include "{header}.h"\n' for header in order)
            write(bench.path("headers.c"), text)
            write(bench.path("headers.cpp"), text)
            bench.compile(*include, "-c", "headers.c", "-o", "headers.o", compiler=compiler)
            if bench.has_compiler(plus):
                bench.compile(*include, "-c", "headers.cpp", "-o", "headers.o", compiler=plus,
                              language="c++")
    return None


def same(bench):
    """The same input gives the same output, wherever and by whomever it is compiled."""
    for defs in own_interfaces():
        folders = []
        for index, environment in enumerate(({}, {"LC_ALL": "C", "TZ": "UTC-7", "HOME": "/"})):
            folder = bench.path(f"{os.path.basename(defs)}-{index}")
            os.mkdir(folder)
            folders.append(folder)
            bench.execute(bench.mig_program, "-sheader", "server.h", "-dheader", "defines.h",
                          "-s", defs, folder=folder, environment=environment)
        names = os.listdir(folders[0])
        match, mismatch, errors = filecmp.cmpfiles(*folders, names, shallow=False)
        if len(match) < 5 or mismatch or errors or len(os.listdir(folders[1])) != len(names):
            raise Failed(f"{defs}: {mismatch} differ of {names}")


LIST = """type int = MACH_MSG_TYPE_INTEGER_32;
type port = MACH_MSG_TYPE_COPY_SEND;
type ints = array[*:4] of int;
subsystem list 500;
routine first(server : port; in a : ints; out b : int);
skip;
simpleroutine second(server : port; in p : port);
"""
LISTED = """list from 500
500 first: 36 to 52 bytes, 40 to 40 back
502 second: 40 to 40 bytes
"""


ENDTOEND = os.path.join(MIG_TESTS, "endtoend")
INCLUDE = ["-I", common.SUPPORT, "-I", ENDTOEND, "-I", ".", "-Wno-unused-parameter"]
MIG_TEST_C = os.path.join(common.SUPPORT, "mig_test.c")


def run_here(bench, program, folder):
    """Without any kernel."""
    output, errors = bench.execute("./" + program, folder=folder)
    if output != "done\n" or errors:
        raise Failed(output + errors)


def stubs(bench):
    """What stubs ask for, with send and receive in one call or two, and without vouchers."""
    hooks = ["-include", os.path.join(HERE, "trace_hooks.h")]
    for option, define in (("-r", "-DONE_CALL"), ("-R", "-DTWO_CALLS"),
                           ("-novouchers", "-DNO_VOUCHERS")):
        folder = bench.path(option)
        os.mkdir(folder)
        for name in ("data", "calls"):
            bench.generate(os.path.join(ENDTOEND, name + ".defs"), option, folder=folder)
        bench.compile(*INCLUDE, *hooks, "-c", "dataUser.c", "-o", "dataUser.o", folder=folder)
        bench.compile(*INCLUDE, define, os.path.join(HERE, "stubs.c"), "dataUser.o", "callsUser.c",
                      MIG_TEST_C, "-o", "stubs", folder=folder)
        run_here(bench, "stubs", folder)


def tables(bench):
    """What a server says of itself."""
    bench.generate(os.path.join(ENDTOEND, "data.defs"), "-s", "-dheader", "dataDefines.h")
    bench.compile(*INCLUDE, os.path.join(HERE, "tables.c"),
                  os.path.join(ENDTOEND, "data_server.c"), "dataServer.c", MIG_TEST_C, "-o",
                  "tables")
    run_here(bench, "tables", bench.folder)


def another_generator(bench, program):
    done = subprocess.run([os.path.abspath(program)], input=LIST, capture_output=True, text=True,
                          check=False, cwd=bench.folder)
    if done.returncode or done.stderr or done.stdout != LISTED:
        raise Failed(f"status {done.returncode}: {done.stdout}{done.stderr}")


TESTS = {test.__name__: test for test in (
    layouts, layouts_mach, compilers, same, stubs, tables, another_generator)}

if __name__ == "__main__":
    sys.exit(common.main(TESTS, __doc__))
