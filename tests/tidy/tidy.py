#!/usr/bin/env python3
"""Hold the sources to the rules that no compiler checks.

  - arrows of docs/architecture.md: which folder may include what
  - the kernel core needs no symbol but memcpy and the like
  - C files are formatted as .clang-format says (where clang-format is installed)
  - no mixed or trailing blanks, no carriage returns, a newline at the end
  - no file has more lines than a reader can take
  - no path of a developer's machine

usage: tidy.py --root FOLDER [--kernel-library FILE]
       tidy.py --self-test
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

LINES_MAX = 900
SOURCES = (".c", ".h")
TEXTS = SOURCES + (".py", ".sh", ".md", ".txt", ".build", ".in", ".defs", ".m", ".cc", ".cpp")

FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "string.h", "stdarg.h", "limits.h",
                "errno.h", "stdatomic.h"}

# The one layout that the core itself shares with tasks: a lane is a cache of its state.
SHARED_WITH_TASKS = {"wire/mach_lane.h", "wire/promise.h"}

# What the kernel core may ask of the world: bytes, strings, and a way to stop.
KERNEL_SYMBOLS = {
    "memcpy", "memmove", "memset", "bcmp", "memcmp", "strlen", "strcmp", "strncmp",
    "abort", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
}
SANITIZER_SYMBOL = re.compile(r"__(asan|ubsan|tsan|sanitizer|gcov|llvm)_")

MACHINE_PATH = re.compile(r"(?<![\w.>)])/(?:work|farm|root|home/\w+|Users/\w+)/")
INCLUDE = re.compile(r'^\s*#\s*(?:include|import)\s*([<"])([^>"]+)[>"]', re.MULTILINE)
TYPE_HEADER = re.compile(r"(mach|mach_debug)/[a-z0-9_]+\.h$|berth/syscall_sw\.h$")


def files_of(root):
    """All files of the project: what git knows or would add, else what is there."""
    try:
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "-co", "--exclude-standard"],
            check=True, capture_output=True).stdout.decode()
        names = [name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
        for folder, folders, found in os.walk(root):
            folders[:] = [f for f in folders if not f.startswith((".git", "build"))]
            names += [os.path.relpath(os.path.join(folder, f), root) for f in found]
    return sorted(name for name in names if os.path.isfile(os.path.join(root, name)))


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="surrogateescape",
              newline="") as file:
        return file.read()


def owner(root, name, kind, included):
    """The path in the project that an include names, or None: it is the system's."""
    tries = []
    if kind == '"':
        tries.append(os.path.join(os.path.dirname(name), included))
    if name.startswith("kernel/"):
        tries.append(os.path.join("kernel", included))  # it is compiled with its own folder first
    tries += [included, os.path.join("headers", included)]
    for path in tries:
        path = os.path.normpath(path)
        if not path.startswith("..") and os.path.isfile(os.path.join(root, path)):
            return path
    return None


def may_include(name, kind, included, path):
    """None, or why @name must not include this."""
    top = name.split("/")[0]
    ours = path.split("/")[0] if path else None
    if top == "kernel":
        if ours == "kernel" or path in SHARED_WITH_TASKS:
            return None
        if kind == "<" and (included in FREESTANDING or TYPE_HEADER.fullmatch(included)):
            return None
        if kind == '"' and included.startswith("generated/"):
            return None  # what mig makes of interfaces/, in the build folder
        return "the kernel core includes itself, type headers and freestanding C only"
    if top == "wire":
        if ours in ("wire", None):
            return None
        return "wire/ includes itself and the system's headers only"
    if top == "confine":
        if ours in ("confine", None):
            return None
        return "confine/ includes itself and the system's headers only"
    if top == "headers":
        if kind == "<" and (ours in ("headers", None)):
            return None
        return "a public header includes public headers, in angle brackets"
    allowed = {
        "hosts": {"hosts", "wire", "confine", "headers"},
        "client": {"client", "wire", "headers"},
        "kexts": {"kexts", "wire", "headers"},
        "tools": {"tools", "wire", "headers"},
        "servers": {"servers", "confine", "headers"},
        "examples": {"examples", "headers"},
    }.get(top)
    if allowed is None or ours is None or ours in allowed:
        return None
    if top == "hosts" and path == "kernel/kernel.h":
        return None
    if top == "tools" and path.startswith("kexts/bundle/"):
        return None
    return f"{top}/ must not see {ours}/"


def check_includes(root, names):
    for name in names:
        if not name.endswith(SOURCES):
            continue
        text = read(root, name)
        for match in INCLUDE.finditer(text):
            kind, included = match.groups()
            path = owner(root, name, kind, included)
            if path and path.startswith("headers/") and "#include_next" in read(root, path):
                path = None  # the C library's, with Darwin's additions
            why = may_include(name, kind, included, path)
            if why:
                line = text.count("\n", 0, match.start(1)) + 1
                yield f"{name}:{line}: includes {included}: {why}"


def check_text(root, names):
    for name in names:
        script = False
        if not name.endswith(TEXTS):
            script = read(root, name)[:2] == "#!"
            if not script and os.path.basename(name) != "Makefile":
                continue
        text = read(root, name)
        lines = text.split("\n")
        if text and not text.endswith("\n"):
            yield f"{name}:{len(lines)}: no newline at the end"
        if len(lines) - 1 > LINES_MAX and not name.endswith((".md", ".txt")):
            yield f"{name}: {len(lines) - 1} lines; more than {LINES_MAX} are two subjects"
        for number, line in enumerate(lines, 1):
            if line.endswith("\r"):
                yield f"{name}:{number}: carriage return"
            elif line != line.rstrip() and not (name.endswith(".md") and line.endswith("  ")):
                yield f"{name}:{number}: blanks at the end"
            if re.match(r" +\t", line):
                yield f"{name}:{number}: a tab behind spaces"
            if re.match(r" *\t", line) and name.endswith((".py", ".build")):
                yield f"{name}:{number}: a tab"
            if MACHINE_PATH.search(line):
                yield f"{name}:{number}: a path of somebody's machine"


def check_format(root, names):
    sources = [name for name in names if name.endswith(SOURCES)]
    if not sources or not shutil.which("clang-format"):
        return
    done = subprocess.run(["clang-format", "--dry-run", *sources], cwd=root, check=False,
                          capture_output=True, text=True, errors="replace")
    seen = {line.split(":")[0] for line in done.stderr.splitlines() if "warning:" in line}
    for name in sorted(seen):
        yield f"{name}: not formatted: clang-format -i {name}"
    if done.returncode and not seen:
        yield f"clang-format: {done.stderr.strip()}"


def check_symbols(library):
    nm = shutil.which("nm")
    if not nm:
        return
    done = subprocess.run([nm, "-P", "-A", library], check=True, capture_output=True, text=True)
    defined, needed = set(), {}
    for line in done.stdout.splitlines():
        where, rest = line.split(": ", 1)
        symbol, kind = rest.split()[:2]
        if kind in "Uwv":
            needed.setdefault(symbol, where)
        else:
            defined.add(symbol)
    for symbol in sorted(set(needed) - defined - KERNEL_SYMBOLS):
        if not SANITIZER_SYMBOL.match(symbol):
            yield f"the kernel core needs {symbol} ({os.path.basename(needed[symbol])})"


def run(root, library):
    names = files_of(root)
    for check in (check_includes, check_text, check_format):
        yield from check(root, names)
    if library:
        yield from check_symbols(library)


def self_test():
    """Plant each kind of violation, and see that it is found and nothing else is."""
    good = {
        "kernel/kernel.h": "#include <mach/port.h>\n#include <stdint.h>\n",
        "kernel/ipc/a.h": '#include "kernel.h"\n',
        "kernel/ipc/a.c": '#include "ipc/a.h"\n#include <string.h>\n',
        "headers/mach/port.h": "#include <stdint.h>\n",
        "headers/sys/socket.h": "#include_next <sys/socket.h>\n",
        "wire/socket.c": "#include <sys/socket.h>\n",
        "wire/page.h": "#include <stdatomic.h>\n",
        "client/a.c": '#include "wire/page.h"\n#include <mach/port.h>\n#include <unistd.h>\n',
        "client/a.h": "int a(void);\n",
        "hosts/daemon/d.c": '#include "kernel/kernel.h"\n#include "wire/page.h"\n',
        "tools/t.c": '#include "kexts/bundle/b.h"\n#include "wire/page.h"\n',
        "kexts/bundle/b.h": "#include <stdint.h>\n",
        "kexts/host/h.h": "#include <stdint.h>\n",
        "kexts/host/h.c": '#include "kexts/bundle/b.h"\n#include "wire/page.h"\n',
        "servers/launchd/l.c": "#include <mach/port.h>\n",
        "examples/e.c": "#include <mach/port.h>\n",
    }
    bad = [
        ("kernel/ipc/b.c", "#include <stdio.h>\n", "freestanding C only"),
        ("kernel/ipc/b.c", '#include "wire/page.h"\n', "freestanding C only"),
        ("kernel/ipc/b.c", '#include "../../client/a.h"\n', "freestanding C only"),
        ("kernel/ipc/b.c", "#include <servers/bootstrap.h>\n", "freestanding C only"),
        ("hosts/daemon/b.c", '#include "kernel/ipc/a.h"\n', "must not see kernel/"),
        ("hosts/daemon/b.c", '#include "client/a.h"\n', "must not see client/"),
        ("hosts/daemon/b.c", "#  include <kernel/ipc/a.h>\n", "must not see kernel/"),
        ("client/b.c", '#include "kernel/kernel.h"\n', "must not see kernel/"),
        ("tools/b.c", '#include "client/a.h"\n', "must not see client/"),
        ("tools/b.c", '#include "kexts/host/h.h"\n', "must not see kexts/"),
        ("kexts/host/b.c", '#include "client/a.h"\n', "must not see client/"),
        ("servers/launchd/b.c", '#include "wire/page.h"\n', "must not see wire/"),
        ("examples/b.c", '#include "../wire/page.h"\n', "must not see wire/"),
        ("wire/b.h", "#include <mach/port.h>\n", "wire/ includes"),
        ("headers/mach/b.h", '#include "port.h"\n', "in angle brackets"),
        ("client/b.c", "int a; \n", "blanks at the end"),
        ("client/b.c", "int a;\r\n", "carriage return"),
        ("client/b.c", "int a;", "no newline"),
        ("client/b.c", "int\na(void)\n{\n  \treturn 0;\n}\n", "a tab behind spaces"),
        ("tests/b.py", "if 1:\n\tpass\n", "a tab"),
        ("client/b.c", "int a;\n" * (LINES_MAX + 1), "two subjects"),
        ("client/b.c", "/* see /wor" "k/main */\n", "somebody's machine"),
        ("docs/b.md", "in /home/" "anna/berth\n", "somebody's machine"),
    ]
    if shutil.which("clang-format"):
        bad.append(("client/b.c", "int   a ;\n", "not formatted"))
    failures = 0
    with tempfile.TemporaryDirectory() as root:
        def write(name, text):
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8", newline="") as file:
                file.write(text)

        for name, text in good.items():
            write(name, text)
        for found in run(root, None):
            failures += 1
            print(f"found where nothing is wrong: {found}")
        for name, text, expected in bad:
            write(name, text)
            found = list(run(root, None))
            if not any(name in line and expected in line for line in found):
                failures += 1
                print(f"not found: {name}: {text[:40]!r} ({expected}); found {found}")
            os.remove(os.path.join(root, name))
        failures += self_test_symbols(root)
    return failures


def self_test_symbols(root):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler or not shutil.which("nm") or not shutil.which("ar"):
        return 0
    source, built = os.path.join(root, "s.c"), os.path.join(root, "s.o")
    library = os.path.join(root, "libs.a")
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <string.h>\n#include <unistd.h>\nint own(void) { return 1; }\n"
                   "int f(const char *s) { return (int)strlen(s) + own() + getpid(); }\n")
    subprocess.run([compiler, "-O0", "-c", source, "-o", built], check=True)
    subprocess.run(["ar", "rc", library, built], check=True)
    found = list(check_symbols(library))
    if len(found) == 1 and "getpid" in found[0]:
        return 0
    print(f"symbols: getpid alone was expected, found {found}")
    return 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root")
    parser.add_argument("--kernel-library")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        failures = self_test()
    else:
        found = list(run(options.root, options.kernel_library))
        for line in found:
            print(line)
        failures = len(found)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
