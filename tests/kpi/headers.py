#!/usr/bin/env python3
"""What kext headers declare is there, and compiles as kexts are compiled.

  - each header that kexts include compiles alone, twice, with KERNEL, in C and C++
  - in any order with the others, and behind libc's
  - every function that they declare is exported by libberth-kpi, or is libc's or libbsd's

usage: headers.py HEADERS_FOLDER LIBRARY
"""

import argparse
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

FOLDERS = ("IOKit", "kern", "libkern", "os")
SYS = (
    "errno", "kauth", "kern_control", "kern_event", "kernel", "kernel_types", "kpi_mbuf", "lock",
    "malloc", "param", "proc", "queue", "socket", "sys_domain", "sysctl", "syslog", "systm", "time",
    "types", "ucred",
)
LIBC = ("errno.h", "netinet/in.h", "pthread.h", "stdio.h", "stdlib.h", "string.h", "strings.h",
        "sys/socket.h", "sys/time.h", "unistd.h")
KERNEL = ["-DKERNEL=1", "-D_GNU_SOURCE", "-fno-builtin"]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wundef", "-Wwrite-strings", "-Wpointer-arith"]
DIALECTS = (
    ("gcc", "-xc", "-std=gnu11"), ("clang", "-xc", "-std=gnu11"),
    ("g++", "-xc++", "-std=gnu++17"), ("clang++", "-xc++", "-std=gnu++17"),
)
# a name in the source, and another for the linker
LABELS = {"printf": "kpi_printf", "log": "kpi_log", "random": "kpi_random", "crc32": "kpi_crc32"}
CLOCKS = ("mach_absolute_time", "mach_continuous_time", "mach_approximate_time",
          "mach_continuous_approximate_time")
ORDERS = 12


def kext_headers(folder):
    found = ["mach/kmod.h", "mach/mach_types.h", "mach/mach_time.h"]
    for name in FOLDERS:
        found += [str(path.relative_to(folder)) for path in (folder / name).rglob("*.h")]
    found += [f"sys/{name}.h" for name in SYS]
    return sorted(found)


def includes(headers):
    return "".join(f"#include <{header}>\n" for header in headers)


def compile_text(dialect, folder, text, more=()):
    command = [*dialect, *KERNEL, *WARNINGS, "-I", str(folder), "-fsyntax-only", *more, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return f"{' '.join(command)}\n{text}{done.stderr[:2000]}"


def check_compiles(folder, headers, rng):
    dialects = [dialect for dialect in DIALECTS if shutil.which(dialect[0])]
    for dialect in dialects:
        for header in headers:
            yield compile_text(dialect, folder, includes([header, header]))
        for _ in range(ORDERS):
            order = [*headers, *LIBC]
            rng.shuffle(order)
            yield compile_text(dialect, folder, includes(order))
            yield compile_text(dialect, folder, includes(order), ["-O2", "-D_FORTIFY_SOURCE=2"])


def declared(folder, headers):
    """The functions that our headers declare and do not define, with where."""
    with tempfile.NamedTemporaryFile() as aux:
        done = subprocess.run(
            ["gcc", *KERNEL, "-xc", "-I", str(folder), "-fsyntax-only", "-aux-info", aux.name, "-"],
            input=includes(headers), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stderr)
        text = pathlib.Path(aux.name).read_text(encoding="utf-8")
    for line in text.splitlines():
        match = re.match(r"/\* (\S+?):(\d+):\w+ \*/ extern .*?(\w+) \(", line)
        if match and match[1].startswith(str(folder)):
            yield match[3], f"{match[1]}:{match[2]}"


def exported(library):
    done = subprocess.run(["nm", "-D", "-P", "--defined-only", library], check=True,
                          capture_output=True, text=True)
    return {line.split()[0].split("@")[0] for line in done.stdout.splitlines()}


def elsewhere(names):
    """Those of @names that libc or libbsd has: a program that calls them links."""
    there = set()
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            text = f"void {name}(void); int main(void) {{ {name}(); return 0; }}\n"
            done = subprocess.run(
                ["gcc", "-xc", "-fno-builtin", "-o", f"{scratch}/program", "-", "-lbsd"],
                input=text, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                there.add(name)
    return there


def check_links(folder, headers, library):
    ours = exported(library)
    # kexts include the headers of Mach's messages for the types; the calls are programs'
    places = {name: place for name, place in declared(folder, headers)
              if not place.startswith(str(folder / "mach")) or name in CLOCKS}
    if "lck_mtx_lock" not in places:
        yield "gcc tells of no declarations: the test sees nothing"
    missing = {name for name in places if LABELS.get(name, name) not in ours}
    for name in sorted(missing - elsewhere(missing)):
        yield f"{places[name]}: {name} is declared, and nobody has it"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("headers", type=pathlib.Path)
    parser.add_argument("library")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    folder = arguments.headers.resolve()
    headers = kext_headers(folder)
    found = [why for why in check_compiles(folder, headers, random.Random(arguments.seed)) if why]
    if shutil.which("gcc") and shutil.which("nm"):
        found += check_links(folder, headers, arguments.library)
    for why in found[:10]:
        print(why)
    print(f"{len(headers)} headers, seed {arguments.seed}: {len(found)} wrong")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
