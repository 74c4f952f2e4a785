#!/usr/bin/env python3
"""The library costs ordinary descriptors no system call.

usage: ordinary.py WITHOUT WITH: two programs from ordinary.c, of which one is linked with it.

Where strace is missing or may not trace, the test is skipped.
"""

import os
import re
import subprocess
import sys
import tempfile

SKIPPED = 77
# addresses, port numbers
VARIES = re.compile(r"0x[0-9a-f]+|sin_port=htons\(\d+\)")


def calls(program, folder):
    """The calls between main()'s first and the end."""
    output = os.path.join(folder, "trace")
    try:
        # the leak sanitizer cannot look at a program that is traced
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        done = subprocess.run(["strace", "-o", output, program], capture_output=True, text=True,
                              check=False, env=dict(os.environ, ASAN_OPTIONS=sanitizer))
    except FileNotFoundError:
        print("strace is not installed")
        sys.exit(SKIPPED)
    with open(output, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    begins = [i for i, line in enumerate(lines) if '"/begin"' in line]
    if not begins:
        print("strace may not trace here:", done.stderr.strip())
        sys.exit(SKIPPED)
    return [VARIES.sub("_", line) for line in lines[begins[0]:] if not line.startswith("+++")]


def main():
    with tempfile.TemporaryDirectory() as folder:
        without, with_library = (calls(program, folder) for program in sys.argv[1:3])
    if len(without) < 30:
        print(f"only {len(without)} calls were seen")
        return 1
    if without != with_library:
        print("the library changes what an ordinary program asks of Linux:")
        for a, b in zip(without + [""] * 100, with_library):
            if a != b:
                print(f"  without: {a}\n  with:    {b}")
        return 1
    return 0


sys.exit(main())
