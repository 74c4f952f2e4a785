#!/usr/bin/env python3
"""Include every public header: alone, among the others and among libc's, in any order.

Each header must compile by itself (twice, for its guard), and in any order with all others
and with libc's own, from C11, C17, C++17 and Objective-C, with gcc and clang, with and without
libbsd's overlay.  Orders are random but seeded: a failure prints the command that repeats it.

usage: includes.py HEADERS_FOLDER [--seed N] [--bsd FOLDER] [--verbose]
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

# libc's headers that have names near to Darwin's, and those that everybody includes.
LIBC_HEADERS = [
    "aio.h", "assert.h", "ctype.h", "dirent.h", "dlfcn.h", "endian.h", "err.h", "errno.h",
    "error.h", "fcntl.h", "float.h", "grp.h", "inttypes.h", "limits.h", "link.h", "locale.h",
    "math.h", "mqueue.h", "net/if.h", "netdb.h", "netinet/in.h", "poll.h", "pthread.h", "pwd.h",
    "sched.h", "semaphore.h", "setjmp.h", "signal.h", "spawn.h", "stdarg.h", "stdbool.h",
    "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h", "strings.h", "sys/cdefs.h",
    "sys/epoll.h", "sys/eventfd.h", "sys/file.h", "sys/ioctl.h", "sys/ipc.h", "sys/mman.h",
    "sys/msg.h", "sys/param.h", "sys/poll.h", "sys/queue.h", "sys/resource.h", "sys/select.h",
    "sys/sem.h", "sys/shm.h", "sys/socket.h", "sys/stat.h", "sys/statvfs.h", "sys/syscall.h",
    "sys/time.h", "sys/timerfd.h", "sys/times.h", "sys/types.h", "sys/ucontext.h", "sys/uio.h",
    "sys/un.h", "sys/user.h", "sys/vfs.h", "sys/wait.h", "syslog.h", "termios.h", "time.h",
    "ucontext.h", "unistd.h", "uuid/uuid.h", "wchar.h",
]

# The protocols between the library and its servers: no program includes them, C alone does.
C_ONLY = {"berth/job_protocol.h", "berth/launch_protocol.h"}

LANGUAGES = [
    # name, compilers, file name's end, flags
    ("c11", ("gcc", "clang"), ".c", ["-x", "c", "-std=c11"]),
    ("c17", ("gcc", "clang"), ".c", ["-x", "c", "-std=c17"]),
    ("c++17", ("g++", "clang++"), ".cc", ["-x", "c++", "-std=c++17"]),
    ("objc", ("gcc", "clang"), ".m", ["-x", "objective-c"]),
]

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wundef", "-Wpointer-arith", "-Wwrite-strings"]
C_WARNINGS = ["-Wstrict-prototypes", "-Wmissing-prototypes"]

FULL_ORDERS = 2  # each forwards and backwards
SMALL_ORDERS = 16  # a few headers only: nothing else can have helped them


class Dialect:
    """One compiler with one language."""

    def __init__(self, language, compiler, suffix, flags, headers_folder):
        self.name = f"{compiler} {language}"
        self.is_cxx = language == "c++17"
        self.suffix = suffix
        warnings = WARNINGS if self.is_cxx else WARNINGS + C_WARNINGS
        self.command = [compiler, *flags, *warnings, "-fsyntax-only", "-I", headers_folder]

    def works(self):
        return subprocess.run([*self.command, "/dev/null"], capture_output=True).returncode == 0

    def allows(self, header):
        return not self.is_cxx or header not in C_ONLY


def public_headers(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.h"))


def includes(headers):
    return "".join(f"#include <{header}>\n" for header in headers)


class Job:
    """One file to compile."""

    def __init__(self, dialect, title, text, flags=()):
        self.dialect = dialect
        self.title = title
        self.text = text
        self.flags = list(flags)

    def run(self, folder, number):
        """None, or a report of what went wrong."""
        path = os.path.join(folder, f"{number}{self.dialect.suffix}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text)
        command = [*self.dialect.command, *self.flags, path]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode == 0:
            return None
        lines = result.stderr.splitlines()[:12]
        again = f"printf %s {shlex.quote(self.text)} | {shlex.join([*command[:-1], '-'])}"
        return "\n".join([f"{self.dialect.name}: {self.title}", *lines, f"again: {again}"])


def plan(dialect, headers, libc_headers, bsd_flags, rng):
    """Every file that one dialect compiles."""
    headers = [header for header in headers if dialect.allows(header)]
    for header in headers:
        yield Job(dialect, f"<{header}> alone", includes([header, header]))

    berth_cc = ["-D__BERTH__=1", "-D__MACH__=1"]  # as `berth cc` and pkg-config have it
    modes = [[], ["-D_GNU_SOURCE", *berth_cc]]
    if bsd_flags:
        modes.append([*bsd_flags, "-D_GNU_SOURCE", *berth_cc])

    for mode in modes:
        for _ in range(FULL_ORDERS):
            order = headers + libc_headers
            rng.shuffle(order)
            yield Job(dialect, "everything in one order", includes(order), mode)
            yield Job(dialect, "everything in the opposite order", includes(order[::-1]), mode)
    for _ in range(SMALL_ORDERS):
        order = rng.sample(headers, 3) + rng.sample(libc_headers, 2)
        rng.shuffle(order)
        yield Job(dialect, "five of them", includes(order), rng.choice(modes))


def check_texts(folder, headers):
    """What a compiler does not see: a guard, linkage for C++, and no __APPLE__ from us."""
    for header in headers:
        text = (folder / header).read_text(encoding="utf-8")
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        guard = re.match(r"\s*#ifndef (\w+)\n#define (\w+)", code)
        if guard is None or guard[1] != guard[2]:
            yield f"{header}: starts with no include guard"
        if re.search(r"#\s*define\s+__APPLE__", code):
            yield f"{header}: defines __APPLE__, which is for `berth cc --apple`"
        declares = re.search(r"^extern [^;]*;", code, flags=re.M)
        if declares and 'extern "C" {' not in code:
            yield f'{header}: declares something and has no extern "C"'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("headers", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("BERTH_SEED", "1")))
    parser.add_argument("--bsd", default="/usr/include/bsd", help="libbsd's overlay")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()

    folder = arguments.headers.resolve()
    headers = public_headers(folder)
    if "mach/mach.h" not in headers:
        sys.exit(f"{folder} holds no Darwin headers")
    failures = list(check_texts(folder, headers))

    dialects = []
    for language, compilers, suffix, flags in LANGUAGES:
        for compiler in compilers:
            if shutil.which(compiler) is None:
                continue
            dialect = Dialect(language, compiler, suffix, flags, str(folder))
            if dialect.works():
                dialects.append(dialect)
    if not dialects:
        print("no compiler is there")
        return 77  # skipped

    bsd_flags = []
    if os.path.isdir(arguments.bsd):
        bsd_flags = ["-isystem", arguments.bsd, "-DLIBBSD_OVERLAY"]
    rng = random.Random(arguments.seed)
    jobs = []
    for dialect in dialects:
        # a libc that lacks one of them is not our matter
        there = [
            header
            for header in LIBC_HEADERS
            if any(os.path.exists(os.path.join(root, header)) for root in libc_folders(dialect))
        ]
        jobs += plan(dialect, headers, there, bsd_flags, rng)

    with tempfile.TemporaryDirectory(prefix="berth-headers-") as scratch:
        # the test of the test: something wrong is seen
        wrong = Job(dialects[0], "a wrong file", includes(["mach/port.h"]) + "mach_port_t f(void\n")
        if wrong.run(scratch, "wrong") is None:
            failures.append("a file that cannot compile did")
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            runs = [pool.submit(job.run, scratch, number) for number, job in enumerate(jobs)]
            for job, run in zip(jobs, runs):
                failure = run.result()
                if arguments.verbose:
                    print("FAIL" if failure else "ok", job.dialect.name, job.title)
                if failure:
                    failures.append(failure)

    for failure in failures[:20]:
        print(failure, end="\n\n")
    if len(failures) > 20:
        print(f"... and {len(failures) - 20} more")
    names = ", ".join(dialect.name for dialect in dialects)
    print(f"{len(headers)} headers, {len(jobs)} files, seed {arguments.seed}: {names}")
    return 1 if failures else 0


_folders = {}


def libc_folders(dialect):
    """Where a compiler looks for <...>."""
    compiler = dialect.command[0]
    if compiler not in _folders:
        command = [compiler, "-x", "c", "-E", "-v", "/dev/null"]
        text = subprocess.run(command, capture_output=True, text=True).stderr
        part = re.search(r"#include <\.\.\.>.*?\n(.*?)End of search list", text, flags=re.S)
        _folders[compiler] = part[1].split() if part else ["/usr/include"]
    return _folders[compiler]


if __name__ == "__main__":
    sys.exit(main())
