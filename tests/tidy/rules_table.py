#!/usr/bin/env python3
"""docs/compatibility.md, "Every rule and its test", names tests that there are.

usage: rules_table.py --root FOLDER --build FOLDER
       rules_table.py --self-test

The section begins with a table of the contract's files and their sections.  Behind it each
section has a heading, `#### FILE SECTION: what it is about`, and a table: a rule, and the tests
of it as `TEST`: `name`, `name`; `TEST`: `name`.  TEST is a name that meson knows, each name a
function, a case or a file of that test's own sources.

Every listed section has rules, every rule has tests, and every name is there: what was renamed
or taken away must be renamed or replaced here, too.
"""

import argparse
import json
import os
import re
import sys

TITLE = "## Every rule and its test"
HEADING = re.compile(r"#### (\S+\.md) (\d+(?:\.\d+)?): \S")
LISTED = re.compile(r"\| `(\S+\.md)` \| ([\d., ]+) \|$")
TEST = re.compile(r"`([^`]+)`(?:: (`[^`]+`(?:, `[^`]+`)*))?$")
CODE = (".c", ".h", ".m", ".cpp", ".py")


class Test:
    """A test of meson's: the arguments of its command, and the files that it is written in."""

    def __init__(self, words, files):
        self.words = {os.path.basename(word) for word in words}
        self.files = files
        self.texts = None

    def has(self, name):
        if name in self.words or any(os.path.basename(path) == name for path in self.files):
            return True
        if self.texts is None:
            self.texts = []
            for path in sorted(self.files):
                with open(path, encoding="utf-8", errors="replace") as file:
                    self.texts.append(file.read())
        # TEST_1(name), name(void **state) on a line of its own, def name(self):
        function = re.compile(rf"^(?:[A-Z_0-9]+\(|\s*def )?{re.escape(name)}\s*[(),]", re.MULTILINE)
        return any(function.search(text) for text in self.texts)


def tests_of(root, build):
    """What meson has written down of the tests when it made the build folder."""

    def read(name):
        with open(os.path.join(build, "meson-info", name), encoding="utf-8") as file:
            return json.load(file)

    sources = {}
    for target in read("intro-targets.json"):
        files = {path for part in target["target_sources"] for path in part.get("sources", [])}
        for path in target["filename"]:
            sources[os.path.realpath(path)] = files
    own = os.path.realpath(os.path.join(root, "tests")) + os.sep
    tests = {}
    for test in read("intro-tests.json"):
        files = set()
        for word in test["cmd"]:
            path = os.path.realpath(os.path.join(build, word))
            files |= sources.get(path, set())
            # a script's programs lie beside it, or in a folder that it is given
            folder = os.path.dirname(path) if word.endswith(".py") else path
            if folder.startswith(own) and os.path.isdir(folder):
                files |= {entry.path for entry in os.scandir(folder)}
        files = {path for path in files
                 if path.endswith(CODE) and os.path.realpath(path).startswith(own)}
        tests[test["name"]] = Test(test["cmd"], files)
    return tests


def check_tests(cell, tests):
    """What is wrong with the tests of one rule."""
    named = False
    for part in cell.split("; "):
        match = TEST.match(part)
        if not match:
            yield f"not understood: {part}"
            continue
        if match[1] not in tests:
            yield f"no test is called {match[1]}"
            continue
        for name in re.findall(r"`([^`]+)`", match[2] or ""):
            named = True
            if not tests[match[1]].has(name):
                yield f"{match[1]} has no {name}"
    if not named:
        yield "names nothing within a test"


def check(page, tests):
    """What is wrong with the page, a line each; behind the last one nothing is."""
    if TITLE not in page.split("\n"):
        yield f"no section {TITLE}"
        return
    listed, found, section = [], {}, None
    begun = False
    for number, line in enumerate(page.split("\n"), 1):
        where = f"compatibility.md:{number}"
        if line == TITLE:
            begun = True
        elif begun and line.startswith("## "):
            break
        if not begun:
            continue
        match = LISTED.match(line)
        if match:
            listed += [(match[1], part) for part in match[2].split(", ")]
            continue
        if line.startswith("####"):
            match = HEADING.match(line)
            if not match:
                yield f"{where}: no section: {line}"
                continue
            section = (match[1], match[2])
            if section in found:
                yield f"{where}: {' '.join(section)} stands there twice"
            found[section] = set()
        elif line.startswith("|") and section and line not in ("| rule | tests |", "| --- | --- |"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if len(cells) != 2 or not all(cells):
                yield f"{where}: no rule with its tests"
                continue
            if cells[0] in found[section]:
                yield f"{where}: this rule stands there twice"
            found[section].add(cells[0])
            for wrong in check_tests(cells[1], tests):
                yield f"{where}: {wrong}"
    for section in listed:
        if not found.get(section):
            yield f"compatibility.md: {' '.join(section)} is listed, and has no rules"
    for section in found:
        if section not in listed:
            yield f"compatibility.md: {' '.join(section)} has rules, and is not listed"
    if len(set(listed)) < len(listed):
        yield "compatibility.md: a section is listed twice"


def self_test():
    page = f"""# Page

{TITLE}

| contract | sections |
| --- | --- |
| `a.md` | 1, 2.1 |

#### a.md 1: names

| rule | tests |
| --- | --- |
| low bits are set | `rules names`: `low_bits`, `case-file` |

#### a.md 2.1: more

| rule | tests |
| --- | --- |
| one | `rules names`: `low_bits`; `other` |

## Behind

#### not looked at
"""
    test = Test(["/bin/test", "/cases/case-file"], set())
    test.texts = ["TEST_1(low_bits)\n{\n}\nstatic void\nplain(void **state)\n"]
    tests = {"rules names": test, "other": Test([], set())}
    wrongs = [
        ("`low_bits`,", "`plain`, `high_bits`,"),
        ("`rules names`: `low_bits`; `other`", "`rules sets`: `low_bits`"),
        ("`rules names`: `low_bits`; `other`", "`other`"),
        ("`rules names`: `low_bits`; `other`", "low_bits"),
        ("| one | `rules names`: `low_bits`; `other` |\n", ""),
        ("1, 2.1", "1, 2.1, 3"),
        ("1, 2.1", "1"),
        ("1, 2.1", "1, 1, 2.1"),
        ("#### a.md 2.1: more", "#### more"),
        ("| one |", "| one | two |"),
        (TITLE, "## Nothing"),
    ]
    failed = list(check(page, tests))
    for old, new in wrongs:
        assert old in page, old
        if not list(check(page.replace(old, new), tests)):
            failed.append(f"not found: {new}")
    for line in failed:
        print(line)
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root")
    parser.add_argument("--build")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    with open(os.path.join(options.root, "docs", "compatibility.md"), encoding="utf-8") as file:
        page = file.read()
    wrong = list(check(page, tests_of(options.root, options.build)))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
