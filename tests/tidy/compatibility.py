#!/usr/bin/env python3
"""docs/compatibility.md names every call of the library, and no call that is not there.

usage: compatibility.py --root FOLDER --library FILE
       compatibility.py --self-test

In the page's tables the first column names calls, in backquotes, and the second says what
they do: `works`, `own task` (works on the caller's own task), `refused` or `left out`.  What
works or is refused is in the library or is a macro or an inline function of a header;
every function of the library is in a table.  Every function that a header declares is in
the library: what compiles links.
"""

import argparse
import os
import re
import subprocess
import sys

STATES = {"works": True, "own task": True, "refused": True, "left out": False}
NAME = re.compile(r"`(\w+)`")


def listed(text):
    """Each call of the page with its state, and what is wrong with the tables."""
    calls, wrong = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) < 2 or not NAME.search(cells[0]):
            continue
        if cells[1] not in STATES:
            continue
        for name in NAME.findall(cells[0]):
            if name in calls:
                wrong.append(f"compatibility.md:{number}: {name} stands there twice")
            calls[name] = cells[1]
    return calls, wrong


def exported(library):
    done = subprocess.run(["nm", "-D", "-P", "--defined-only", library], check=True,
                          capture_output=True, text=True)
    names = set()
    for line in done.stdout.splitlines():
        name, kind = line.split()[:2]
        name = name.split("@")[0]
        if kind in "TWti" and not name.startswith("_"):
            names.add(name)
    return names


def headers_text(root):
    text = []
    for folder, _, files in os.walk(os.path.join(root, "headers")):
        for name in files:
            if name.endswith(".h"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    text.append(file.read())
    return "\n".join(text)


def declared(headers):
    """The functions that the headers declare and do not define themselves."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", headers, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.)*", "", text, flags=re.M | re.S)
    text = text.replace('extern "C" {', ";")
    names = set()
    for statement in re.findall(r"\bextern\b[^;{}]*[;{]", text):
        match = re.match(r"extern\s[^()]*?(\w+)\s*\(", statement)
        if match and statement.endswith(";"):
            names.add(match[1])
    return names


def compare(page, library_names, headers):
    calls, wrong = listed(page)
    yield from wrong
    for name in sorted(declared(headers) - library_names):
        yield f"{name} is declared in a header, and not in the library"
    for name in sorted(library_names - set(calls)):
        yield f"{name} is in the library, and not in docs/compatibility.md"
    for name, state in sorted(calls.items()):
        if STATES[state]:
            inline = re.search(rf"#\s*define\s+{name}\b|inline[^;{{]*\b{name}\s*\(", headers)
            if name not in library_names and not inline:
                yield f"docs/compatibility.md says of {name}: {state}; the library lacks it"
        elif name in library_names:
            yield f"docs/compatibility.md says of {name}: {state}; it is in the library"


def self_test():
    page = ("| call | state | |\n| --- | --- | --- |\n| `one`, `two` | works | |\n"
            "| `three` | refused | |\n| `macro` | works | |\n| `gone` | left out | |\n")
    headers = """#define macro(x) (x)
    extern "C" {
    /* extern int not_me(int); */
    extern int one(int);
    extern int *two(void (*function)(int)) __attribute__((weak));
    extern int variable;
    extern inline int inlined(int a) { return a; }
    """
    good = list(compare(page, {"one", "two", "three"}, headers))
    missing = list(compare(page, {"one", "three"}, headers))
    unlisted = list(compare(page, {"one", "two", "three", "four"}, headers))
    twice = list(compare(page + "| `one` | refused | |\n", {"one", "two", "three"}, headers))
    there = list(compare(page, {"one", "two", "three", "gone"}, headers))
    unlinked = list(compare(page, {"one", "two", "three"}, headers + "extern void far(void);"))
    if good or [len(found) for found in (missing, unlisted, twice, there, unlinked)] != [
            2, 1, 1, 1, 1]:
        print(good, missing, unlisted, twice, there, unlinked)
        return 1
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root")
    parser.add_argument("--library")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    with open(os.path.join(options.root, "docs", "compatibility.md"), encoding="utf-8") as file:
        page = file.read()
    found = list(compare(page, exported(options.library), headers_text(options.root)))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
