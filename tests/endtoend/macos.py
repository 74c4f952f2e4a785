#!/usr/bin/env python3
"""Programs as somebody writes them for macOS: compiled by `berth cc` with no word of Berth,
without a warning, and run on a private kernel and on the user's.

usage: macos.py --berth FILE --programs FOLDER [--cc COMMAND] [--flags FLAGS]
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SECONDS_MAX = 100
STRICT = ["-Wall", "-Wextra", "-Werror"]


class Failed(Exception):
    """What was expected and what came, in words."""


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=SECONDS_MAX, **options)
    if done.returncode or done.stderr:
        raise Failed(f"{shlex.join(command)}: status {done.returncode}\n"
                     f"{done.stdout}{done.stderr}")
    return done.stdout


def lives(pid):
    """A process that nobody waits for stays as a zombie where init does not reap."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end_kernel(folder):
    """End the user's kernel that the programs have started in @folder, if it still runs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            connection.connect(os.path.join(folder, "berth", "kernel"))
        except OSError:
            return
        pid = struct.unpack("iii", connection.getsockopt(socket.SOL_SOCKET,
                                                         socket.SO_PEERCRED, 12))[0]
    os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + 60
    while lives(pid):
        if time.monotonic() > limit:
            raise Failed(f"the user's kernel (pid {pid}) does not end")
        time.sleep(0.01)


def has_objective_c(berth, folder, environment):
    source = os.path.join(folder, "none.m")
    with open(source, "w", encoding="utf-8"):
        pass
    return subprocess.run([berth, "cc", "-c", source, "-o", os.path.join(folder, "none.o")],
                          env=environment, check=False, capture_output=True).returncode == 0


def check(berth, programs, folder, flags, environment):
    names = sorted(name for name in os.listdir(programs) if re.search(r"\.(c|cpp|m)$", name))
    user = dict(environment, BERTH_KERNEL="user", XDG_RUNTIME_DIR=os.path.join(folder, "runtime"))
    os.mkdir(user["XDG_RUNTIME_DIR"], 0o700)
    try:
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix == ".m" and not has_objective_c(berth, folder, environment):
                print(f"{name}: no compiler for it")
                continue
            program = os.path.join(folder, stem)
            standard = ["-std=c++17"] if suffix == ".cpp" else []
            run([berth, "cc", *standard, *STRICT, *flags, os.path.join(programs, name), "-o",
                 program], env=environment)
            more = {}
            if suffix == ".m": # the run time of Objective-C keeps what it has allocated
                more["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
            for command, where in (([berth, "run", "--leaks", "--", program], environment),
                                   ([program], user)):
                output = run(command, env=dict(where, **more))
                if output != f"{stem}: done\n":
                    raise Failed(f"{shlex.join(command)}:\n{output}")
            print(f"{name}: done")
    finally:
        end_kernel(user["XDG_RUNTIME_DIR"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--berth", required=True)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--cc", default="")
    parser.add_argument("--flags", default="")
    options = parser.parse_args()
    environment = dict(os.environ)
    for name in ("BERTH_KERNEL", "BERTH_TASK_FD", "XDG_RUNTIME_DIR"):
        environment.pop(name, None)
    if options.cc:
        environment["CC"] = options.cc
    # short, because a socket's path is; removed only when no kernel is in it any more
    folder = tempfile.mkdtemp(prefix="bt.", dir="/tmp")
    try:
        check(os.path.abspath(options.berth), os.path.abspath(options.programs), folder,
              shlex.split(options.flags), environment)
    except (Failed, subprocess.TimeoutExpired) as failure:
        print(failure)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
