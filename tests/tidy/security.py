#!/usr/bin/env python3
"""Each threat that docs/security.md lists names tests, and these are there.

usage: security.py --root FOLDER --tests FILE
       security.py --self-test

FILE is meson's list of tests (meson-info/intro-tests.json).  In the table below the heading
`Threats` the last column names tests, parted by commas: `attack socket`, or `rules suites` for all
whose names begin so; in parentheses, in backquotes, the functions that stand for the line, which
some file below tests/ has.
"""

import argparse
import json
import os
import re
import sys

PAGE = os.path.join("docs", "security.md")
NAMED = re.compile(r"([^(),]+?)\s*(?:\(([^)]*)\))?\s*(?:,\s*|$)")


def threats(text):
    """Number of line, threat and last cell of each row, without headings among the rows."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            inside = line.strip("# ") == "Threats"
        if not inside or not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3:
            yield number, line, None
        elif cells[0] != "threat" and set(cells[0]) != {"-"} and not cells[0].startswith("**"):
            yield number, cells[0], cells[2]


def is_there(name, tests):
    if name.endswith(" suites"):
        return any(test.startswith(name[: -len("suites")]) for test in tests)
    return name in tests


def problems(text, tests, words):
    """What is wrong with the page; @tests are names of tests, @words all that their files have."""
    wrong, count = [], 0
    for number, threat, cell in threats(text):
        where = f"{PAGE}:{number}"
        count += 1
        if cell is None:
            wrong.append(f"{where}: a row has three cells")
            continue
        if not cell:
            wrong.append(f"{where}: no test shows '{threat}'")
        for name, functions in NAMED.findall(cell):
            if not is_there(name, tests):
                wrong.append(f"{where}: there is no test '{name}'")
            for function in re.findall(r"`([^`]*)`", functions):
                if function not in words:
                    wrong.append(f"{where}: no test has a function {function}")
    if count == 0:
        wrong.append(f"{PAGE}: there is no table of threats")
    return wrong


def words_of(folder):
    words = set()
    for path, _, files in os.walk(folder):
        for name in files:
            if name.endswith((".c", ".h", ".py", ".sh")):
                with open(os.path.join(path, name), encoding="utf-8") as file:
                    words.update(re.findall(r"\w+", file.read()))
    return words


def self_test():
    head = "## Threats\n| threat | what stops it | test |\n| --- | --- | --- |\n| **all** | | |\n"
    tests, words = {"attack socket", "rules order"}, {"garbage_is_dropped"}
    good = "| one | x | attack socket (`garbage_is_dropped`), rules suites |\n"
    planted = {
        "| two | x | attack sockets |\n": "no test 'attack sockets'",
        "| two | x | attack socket (`nothing`) |\n": "function nothing",
        "| two | x | fuzz suites |\n": "no test 'fuzz suites'",
        "| two | x | |\n": "no test shows 'two'",
        "| two | x |\n": "three cells",
    }
    if problems(head + good, tests, words):
        sys.exit("security.py: found something wrong in a page without mistakes")
    for row, wanted in planted.items():
        found = problems(head + good + row, tests, words)
        if len(found) != 1 or wanted not in found[0]:
            sys.exit(f"security.py: of {row!r} it says {found}, not '{wanted}'")
    if not problems("", tests, words):
        sys.exit("security.py: is content with a page without threats")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root")
    parser.add_argument("--tests")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        self_test()
        return
    with open(options.tests, encoding="utf-8") as file:
        tests = {test["name"] for test in json.load(file)}
    with open(os.path.join(options.root, PAGE), encoding="utf-8") as file:
        text = file.read()
    wrong = problems(text, tests, words_of(os.path.join(options.root, "tests")))
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


main()
