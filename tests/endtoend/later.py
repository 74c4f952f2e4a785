#!/usr/bin/env python3
"""No call claims success without doing its work.

usage: later.py --berth FILE --root FOLDER [--cc COMMAND] [--flags FLAGS]

Calls each function that docs/compatibility.md says is refused, twice, and expects a
failure both times and exactly one line on stderr that names the call.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile

SECONDS_MAX = 100
ROW = re.compile(r"\|(?P<names>[^|]*)\| refused \|")

# Each gets the caller's task (or thread, host: any right of its own will do), then the
# address of room for what it gives; on the machines that Berth runs on a call may be made
# with more arguments than the function takes.
PROGRAM = """
#include <mach/mach.h>
{includes}
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static char room[8][4096];

typedef long anything(uintptr_t, void *, void *, void *, void *, void *, void *, void *, void *,
                      void *, void *, void *, void *);

static void
call(const char *name, void (*function)(void), int is_word)
{{
    for (int i = 0; i < 2; i++) {{
        fprintf(stderr, "call %s\\n", name);
        long result = ((anything *)function)(
            mach_task_self(), room[0], room[1], room[2], room[3], room[4], room[5],
            room[6], room[7], room[0], room[1], room[2], room[3]);
        fprintf(stderr, "result %ld\\n", is_word ? result : (long)(int)result);
    }}
}}

int
main(void)
{{
{calls}
    return 0;
}}
"""


def later(root):
    with open(os.path.join(root, "docs", "compatibility.md"), encoding="utf-8") as file:
        rows = [match["names"] for match in map(ROW.match, file) if match]
    return re.findall(r"`(\w+)`", " ".join(rows))


def program(root, names):
    folder = os.path.join(root, "headers")
    includes = [f"#include <{part}/{name}>" for part in ("mach", "mach_debug", "sys")
                for name in sorted(os.listdir(os.path.join(folder, part)))
                if name.endswith(".h")]
    calls = [f'call("{name}", (void (*)(void)){name}, 0);' for name in names]
    return PROGRAM.format(includes="\n".join(includes), calls="\n".join("\t" + c for c in calls))


def faults(names, errors):
    """What is wrong with what the program said."""
    parts = re.split(r"^call (\w+)\n", errors, flags=re.M)
    told, results = {}, {}
    for name, text in zip(parts[1::2], parts[2::2]):
        result = re.search(r"^result (-?\d+)$", text, flags=re.M)
        if not result:
            yield f"{name} did not come back:\n{text}"
            return
        results.setdefault(name, []).append(int(result[1]))
        told.setdefault(name, []).extend(
            line for line in text.splitlines() if line.startswith("libberth: "))
    for name in names:
        if len(results.get(name, [])) != 2:
            yield f"{name} was not called twice"
            continue
        for result in results[name]:
            if result == 0:
                yield f"{name} says {result}, which is success"
        if len(told[name]) != 1 or name not in told[name][0]:
            yield f"{name} is not named once on stderr: {told[name]}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--berth", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--cc", default="")
    parser.add_argument("--flags", default="")
    options = parser.parse_args()
    berth = os.path.abspath(options.berth)
    environment = dict(os.environ)
    environment.pop("BERTH_KERNEL", None)
    if options.cc:
        environment["CC"] = options.cc
    names = later(options.root)
    if not names:
        print("no calls found in docs/compatibility.md")
        return 1
    with tempfile.TemporaryDirectory(prefix="berth-test-") as folder:
        source = os.path.join(folder, "later.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(program(options.root, names))
        subprocess.run([berth, "cc", *shlex.split(options.flags), source, "-o",
                        os.path.join(folder, "later")], env=environment, check=True,
                       timeout=SECONDS_MAX)
        done = subprocess.run([berth, "run", "--", os.path.join(folder, "later")],
                              env=environment, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=SECONDS_MAX)
    found = list(faults(names, done.stderr))
    if done.returncode:
        found.append(f"status {done.returncode}")
    print("\n".join(found) if found else f"{len(names)} calls fail and say so")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
