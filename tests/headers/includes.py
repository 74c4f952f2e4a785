#!/usr/bin/env python3
"""Include every public header: alone, among the others and among libc's, in any order.

Each header must compile by itself (twice, for its guard), and in any order with all others
and with libc's own, from C11, C17, C++17 and Objective-C, with gcc and clang, with and without
libbsd's overlay.  Orders are random but seeded: a failure prints the command that repeats it.

usage: includes.py HEADERS_FOLDER [--seed N] [--bsd FOLDER]
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
        self.suffix = suffix
        warnings = WARNINGS if language == "c++17" else WARNINGS + C_WARNINGS
        self.command = [compiler, *flags, *warnings, "-fsyntax-only", "-I", headers_folder]

    def works(self):
        return subprocess.run([*self.command, "/dev/null"], capture_output=True).returncode == 0


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


class Batch:
    """Files that one command compiles, each for itself: a compiler starts slower than it reads."""

    LIMIT = 16

    def __init__(self, first):
        self.dialect = first.dialect
        self.flags = first.flags
        self.jobs = [first]

    def takes(self, job):
        return (
            len(self.jobs) < self.LIMIT and job.dialect is self.dialect and job.flags == self.flags
        )

    def compile(self, paths):
        command = [*self.dialect.command, *self.flags]
        return subprocess.run([*command, *paths], capture_output=True, text=True)

    def run(self, folder, number):
        """Reports of what went wrong."""
        paths = []
        for index, job in enumerate(self.jobs):
            paths.append(os.path.join(folder, f"{number}-{index}{self.dialect.suffix}"))
            with open(paths[-1], "w", encoding="utf-8") as file:
                file.write(job.text)
        if self.compile(paths).returncode == 0:
            return []
        reports = []
        for job, path in zip(self.jobs, paths):
            result = self.compile([path])
            if result.returncode != 0:
                reports.append(self.report(job, result.stderr))
        return reports or [f"{self.dialect.name}: the compiler failed, and then it did not"]

    def report(self, job, errors):
        command = shlex.join([*self.dialect.command, *self.flags, "-"])
        again = f"again: printf %s {shlex.quote(job.text)} | {command}"
        head = f"{self.dialect.name}: {job.title}"
        return "\n".join([head, *errors.splitlines()[:12], again])


def batches(jobs):
    made = []
    for job in jobs:
        if made and made[-1].takes(job):
            made[-1].jobs.append(job)
        else:
            made.append(Batch(job))
    return made


def plan(dialect, headers, libc_headers, bsd_flags, rng):
    """Every file that one dialect compiles."""
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
        # the test of the test: the wrong one of two files is seen
        right = Job(dialects[0], "a right file", includes(["mach/port.h"]))
        wrong = Job(dialects[0], "a wrong file", includes(["mach/port.h"]) + "mach_port_t f(void\n")
        [test] = batches([right, wrong])
        if len(test.run(scratch, "test")) != 1:
            failures.append("a file that cannot compile did, or one that can did not")
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            runs = [pool.submit(batch.run, scratch, n) for n, batch in enumerate(batches(jobs))]
            for run in runs:
                failures += run.result()

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
