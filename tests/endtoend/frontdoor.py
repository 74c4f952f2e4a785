#!/usr/bin/env python3
"""The front door's own scripts, with make-believe system commands in front of them.

usage: frontdoor.py ROOT
"""

import json
import os
import subprocess
import sys
import tempfile

FAKES = {
    # says that everything but $MISSING is installed
    "dpkg-query": """for word; do case " $MISSING -W -f=* " in
        *" $word "*) ;; *) echo "installed $word" ;; esac; done""",
    "apt-get": 'echo "apt-get $*" >>"$CALLS"; exit "${APT_STATUS:-0}"',
    "id": 'echo "$FAKE_UID"',
    "sudo": 'if [ "$1" = -n ]; then exit "$SUDO_STATUS"; fi; echo sudo >>"$CALLS"; exec "$@"',
    # writes $RESULTS as meson's log, and its words to $CALLS
    "meson": """{ printf '%s|' "$@"; echo; } >> "$CALLS"
        while [ $# -gt 1 ]; do [ "$1" = --logbase ] && log=$2; shift; done
        cp "$RESULTS" "$FOLDER/meson-logs/$log.json"; exit 1""",
}


class Stage:
    """A folder with the make-believe commands, and how to run a script with them."""

    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        self.calls = os.path.join(folder, "calls")
        os.mkdir(os.path.join(folder, "bin"))
        for name, script in FAKES.items():
            path = os.path.join(folder, "bin", name)
            with open(path, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n" + script + "\n")
            os.chmod(path, 0o755)

    def run(self, script, *arguments, **variables):
        """Run a script of scripts/; its status, what it printed, and the calls made."""
        environment = dict(os.environ, CALLS=self.calls, MISSING="", FAKE_UID="0",
                           SUDO_STATUS="1", FLAVOUR="release")
        for name in ("CC", "SUITE", "QUICK", "BERTH_LANES"):
            environment.pop(name, None)
        environment["PATH"] = os.path.join(self.folder, "bin") + ":" + environment["PATH"]
        environment.update(variables)
        if os.path.exists(self.calls):
            os.remove(self.calls)
        done = subprocess.run([os.path.join(self.root, "scripts", script), *arguments],
                              env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        calls = []
        if os.path.exists(self.calls):
            with open(self.calls, encoding="utf-8") as file:
                calls = file.read().splitlines()
        return done.returncode, done.stdout + done.stderr, calls


def nothing_missing_makes_no_call(stage):
    assert stage.run("packages", "build", "check") == (0, "", [])


def root_installs_what_is_missing_and_says_why(stage):
    status, output, calls = stage.run("packages", "build", MISSING="meson libbsd-dev")
    assert status == 0, output
    assert "meson            describes the build" in output, output
    assert len(calls) == 2 and calls[0].endswith("update"), calls
    assert calls[1].endswith("-y --no-install-recommends install meson libbsd-dev"), calls


def a_user_with_sudo_installs_by_it(stage):
    status, _, calls = stage.run("packages", "build", MISSING="meson", FAKE_UID="1000",
                                 SUDO_STATUS="0")
    assert status == 0 and calls[0] == "sudo" and calls[-1].endswith("install meson"), calls


def a_user_without_sudo_is_told_the_command(stage):
    status, output, calls = stage.run("packages", "check", MISSING="g++", FAKE_UID="1000")
    assert status == 1 and not calls, calls
    assert "apt-get update && apt-get install -y --no-install-recommends g++" in output, output


def a_failing_apt_get_is_said(stage):
    status, output, _ = stage.run("packages", "build", MISSING="gcc", APT_STATUS="100")
    assert status == 1 and "apt-get failed" in output and "gcc" in output, output


def an_unknown_group_is_refused(stage):
    status, output, _ = stage.run("packages", "builds")
    assert status == 2 and "no group 'builds'" in output, output


def an_unknown_flavour_is_refused(stage):
    status, output, _ = stage.run("configure", os.path.join(stage.folder, "b"), "relase", "/", "0")
    assert status == 2 and "'relase'" in output, output


def check_with(stage, results, words=(), **variables):
    folder = os.path.join(stage.folder, "build")
    for sub in ("meson-logs", "meson-info"):
        os.makedirs(os.path.join(folder, sub), exist_ok=True)
    with open(os.path.join(folder, "meson-info", "intro-tests.json"), "w", encoding="utf-8") as f:
        json.dump([{"name": "a", "suite": ["berth"]}, {"name": "a b", "suite": ["berth"]}], f)
    path = os.path.join(stage.folder, "results")
    with open(path, "w", encoding="utf-8") as file:
        for name, result in results:
            json.dump({"name": name, "result": result, "duration": 0.1, "stdout": ""}, file)
            file.write("\n")
    return stage.run("check", folder, *words, RESULTS=path, FOLDER=folder, **variables)


def the_sum_is_the_last_line(stage):
    status, output, _ = check_with(
        stage, [("a", "OK"), ("berth:slow / b", "FAIL"), ("c", "SKIP"), ("d", "TIMEOUT")])
    assert status == 1, output
    assert output.splitlines()[-1] == "1 passed, 2 failed, 1 skipped", output
    assert "make check TESTS='b'" in output, output


def the_command_that_repeats_names_the_build(stage):
    _, output, _ = check_with(stage, [("b", "FAIL")], FLAVOUR="asan", CC="clang")
    assert "make FLAVOUR=asan CC=clang check TESTS='b'" in output, output


def a_name_with_spaces_is_one_test(stage):
    _, _, calls = check_with(stage, [("a", "OK")], words=["a", "b", "a", "c"])
    assert calls[0].endswith("|a b|a|c|"), calls


def all_well_is_status_0(stage):
    status, output, _ = check_with(stage, [("a", "OK")])
    assert status == 0 and output.endswith("1 passed, 0 failed, 0 skipped\n"), output


def no_test_at_all_is_a_failure(stage):
    status, output, _ = check_with(stage, [])
    assert status == 1 and "no test ran" in output, output


def main():
    failures = 0
    tests = [nothing_missing_makes_no_call, root_installs_what_is_missing_and_says_why,
             a_user_with_sudo_installs_by_it, a_user_without_sudo_is_told_the_command,
             a_failing_apt_get_is_said, an_unknown_group_is_refused,
             an_unknown_flavour_is_refused, the_sum_is_the_last_line,
             the_command_that_repeats_names_the_build, a_name_with_spaces_is_one_test,
             all_well_is_status_0, no_test_at_all_is_a_failure]
    for test in tests:
        with tempfile.TemporaryDirectory(prefix="berth-test-") as folder:
            try:
                test(Stage(os.path.abspath(sys.argv[1]), folder))
            except AssertionError as wrong:
                failures += 1
                print(f"[  FAILED  ] {test.__name__}: {wrong}")
    print(f"[  PASSED  ] {len(tests) - failures} test(s)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
