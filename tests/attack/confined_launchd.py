#!/usr/bin/env python3
"""The name server is confined like berthd; what it starts is not.

usage: berth run -- confined_launchd.py BERTH BERTHD FILTER   (FILTER: 1 if the build has one)
"""

import os
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 60
CAP_DAC_READ_SEARCH, CAP_KILL = 1 << 2, 1 << 5


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def children(pid):
    found = {}
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        for child in file.read().split():
            found[status(child)["Name"]] = int(child)
    return found


def check(true, what):
    if not true:
        sys.exit(f"confined_launchd.py: {what}")


def wait_for(what, why):
    limit = time.monotonic() + PATIENCE_S
    while not what():
        check(time.monotonic() < limit, f"waited in vain for {why}")
        time.sleep(0.01)


def job_status(berth):
    """/proc/self/status of a job."""
    with tempfile.TemporaryDirectory() as folder:
        text = os.path.join(folder, "status")
        subprocess.run([berth, "launch", "submit", "-l", "confined", "--", "/bin/sh", "-c",
                        f"cp /proc/self/status {text}.new; mv {text}.new {text}; exec sleep 60"],
                       check=True)
        wait_for(lambda: os.path.exists(text), "the job")
        with open(text, encoding="utf-8") as file:
            seen = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        subprocess.run([berth, "launch", "remove", "confined"], check=True)
        return seen


def notes_nothing(berth, berthd):
    """With BERTH_SITES programs write files of their calls, which the filter would not let it."""
    with tempfile.TemporaryDirectory() as folder:
        own = {**os.environ, "XDG_RUNTIME_DIR": folder, "BERTH_SITES": os.path.join(folder, "sites")}
        own.pop("BERTH_KERNEL")
        os.mkdir(own["BERTH_SITES"])
        with subprocess.Popen([berthd, "--user", "--idle-exit", "1000000000"], env=own) as kernel:
            try:
                wait_for(lambda: "berth-launchd" in children(kernel.pid), "the name server")
                server = children(kernel.pid)["berth-launchd"]
                subprocess.run([berth, "launch", "list"], check=True, capture_output=True,
                               env={**own, "BERTH_KERNEL": "user"})
                noted = {name.split(".")[0] for name in os.listdir(own["BERTH_SITES"])}
                check(len(noted) > 0, "berth launch noted nothing, so this shows nothing")
                check(str(server) not in noted, "the name server noted its calls")
            finally:
                kernel.terminate()
        check(kernel.returncode == 0, f"the kernel ended with {kernel.returncode}")


def main():
    berth, berthd, has_filter = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
    own = status("self")
    # when it answers it is there under its name, and has confined itself
    subprocess.run([berth, "launch", "list"], check=True, capture_output=True)
    kernel = children(os.getppid())["berthd"]
    programs = children(kernel)
    server = status(programs["berth-launchd"])
    starter = status(programs["berthd"] if "berthd" in programs else programs["berthd-starter"])
    has_filter = has_filter and os.environ.get("BERTH_SECCOMP") != "0"

    if sys.argv[3] == "1":  # a build that looks for leaks keeps them
        check(server["NoNewPrivs"] == "1", "the name server could gain privileges")
        kept = (CAP_DAC_READ_SEARCH | CAP_KILL) & int(own["CapEff"], 16)
        for name in ("CapEff", "CapPrm"):
            check(int(server[name], 16) == kept, f"{name} of the name server: {server[name]}")
    check(server["Seccomp"] == ("2" if has_filter else own["Seccomp"]),
          f"the filter of the name server: {server['Seccomp']}")
    check(starter["Seccomp"] == own["Seccomp"], "a filter goes over to the name server")

    job = job_status(berth)
    for name in ("Seccomp", "CapEff", "CapBnd"):
        check(job[name] == own[name], f"{name} of a job is {job[name]}, not {own[name]}")
    notes_nothing(berth, berthd)


main()
