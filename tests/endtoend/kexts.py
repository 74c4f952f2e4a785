#!/usr/bin/env python3
"""Compile the examples of kernel extensions with `berth cc`, run each on a private kernel.

usage: kexts.py --berth FILE --examples FOLDER [--cc COMMAND] [--flags FLAGS] TEST

TEST is one of the functions below.  Some want root, of Linux or in a user namespace; where
that is not to be had they are skipped.
"""

import argparse
import contextlib
import errno
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from programs import SKIPPED, Bench, Failed, expect

SECONDS_MAX = 60
NOBODY = 65534


class KextBench(Bench):
    """Where extensions are compiled, too."""

    def __init__(self, options, folder):
        super().__init__(options, folder)
        self.environment["PATH"] = os.path.dirname(self.berth) + ":" + os.environ["PATH"]

    def command(self, *command, status=0, **more):
        """Run @command, which must end with @status; its output and errors together."""
        done = subprocess.run(command, cwd=self.folder, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.STDOUT, timeout=SECONDS_MAX, **more)
        if done.returncode != status:
            raise Failed(f"{shlex.join(command)}: status {done.returncode}, not {status}\n"
                         f"{done.stdout}")
        return done.stdout

    def build(self, source, output, *more, libraries=()):
        """Compile examples/SOURCE as its first lines say; no word of the compiler."""
        said = self.command(self.berth, "cc", *more, *self.flags,
                            os.path.join(self.examples, source), *libraries, "-o", output)
        if said:
            raise Failed(f"{output}: {said}")

    def can_be_root(self):
        return not subprocess.run([self.berth, "run", "--root", "--", "true"], check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  env=self.environment, timeout=SECONDS_MAX).returncode


@contextlib.contextmanager
def kernel(bench, *options):
    """A private kernel that commands of @bench find, until the end of the block."""
    process = subprocess.Popen(
        [bench.berth, "run", *options, "--", "sh", "-c", 'echo "$BERTH_KERNEL"; exec cat'],
        cwd=bench.folder, env=bench.environment, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE)
    try:
        bench.environment["BERTH_KERNEL"] = process.stdout.readline().strip()
        yield process
    finally:
        bench.environment.pop("BERTH_KERNEL", None)
        process.stdin.close()
        process.stdout.close()
        process.wait(SECONDS_MAX)


class Program:
    """One that runs beside us, and whose lines we wait for."""

    def __init__(self, bench, *command):
        self.command = command
        self.lines = []
        self.changed = threading.Condition()
        self.ended = False
        self.process = subprocess.Popen(command, cwd=bench.folder, env=bench.environment,
                                        text=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, pattern, count=1):
        """Until @count lines match."""
        limit = time.monotonic() + SECONDS_MAX
        with self.changed:
            while True:
                found = [line for line in self.lines if re.fullmatch(pattern, line)]
                if len(found) >= count:
                    return found
                if self.ended or time.monotonic() > limit:
                    raise Failed(f"{shlex.join(self.command)}: no line {pattern!r}:\n"
                                 + "\n".join(self.lines))
                self.changed.wait(1)

    def end(self, signal_number=signal.SIGTERM, status=0):
        self.process.send_signal(signal_number)
        self.process.wait(SECONDS_MAX)
        self.reader.join(SECONDS_MAX)
        if status is not None and self.process.returncode != status:
            raise Failed(f"{shlex.join(self.command)}: status {self.process.returncode}:\n"
                         + "\n".join(self.lines))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS_MAX)
        self.reader.join(SECONDS_MAX)
        self.process.stdout.close()


# ---- a control and its clients --------------------------------------------------------------------------

def log_when(pattern, count):
    """For sh: show the log as soon as so many lines match; they take a moment to get there."""
    return (f"until [ $(berth kext log | grep -c '{pattern}') -ge {count} ]; do sleep 0.01; done; "
            "berth kext log")


def log_lines(log):
    """What kexts have printed, without time and process."""
    return "\n".join(re.sub(r"^.*?(?=kext_control: |exec_monitor: )", "", line)
                     for line in log.splitlines()) + "\n"


CONTROL_LOG = [
    "kext_control: info: Connect with client successfully.",
    "kext_control: error: Failed to accept the connection request for a connection already "
    "established.",
    "kext_control: info: Client 1 sends {} bytes.",
    "kext_control: info: Disconnect with peer successfully.",
]


def control_run(bench, client):
    """Load, run the client, look at the log, unload."""
    return bench.command(
        bench.berth, "run", "--root", "--", "sh", "-e", "-c",
        f"berth kext load kext_control.kext; {client}; berth kext unload kext_control.kext; "
        + log_when("Disconnect", 1))


def check_control_log(output, size):
    log = log_lines(output)
    at = 0
    for line in CONTROL_LOG:
        wanted = line.format(size)
        found = log.find(wanted + "\n", at)
        if found < 0:
            raise Failed(f"the log lacks, or has not there: {wanted}\n{output}")
        at = found + len(wanted)


def control(bench):
    """The kext and a client in C."""
    if not bench.can_be_root():
        return SKIPPED
    bench.build("kext_control/kext.c", "kext_control.kext", "--kext")
    bench.build("kext_control/client.c", "client")
    output = control_run(bench, "./client")
    expect(output, r"kext_control\.kext loaded successfully \(or already loaded\)\.",
           "client: connected, unit 1",
           "client: connect: Transport endpoint is already connected",
           "client: the kext takes one client, and refuses a second with EISCONN",
           'client: "hello from C" was answered with "HELLO FROM C"',
           r"kext_control\.kext unloaded\.")
    check_control_log(output, len("hello from C"))
    return None


def control_in_objective_c(bench):
    """A class, with GNUstep's Foundation."""
    if not shutil.which("gnustep-config") or not bench.can_be_root():
        return SKIPPED
    flags, libraries = (shlex.split(bench.command("gnustep-config", option))
                        for option in ("--objc-flags", "--base-libs"))
    flags = [flag for flag in flags if flag not in ("-MMD", "-MP")]
    probe = os.path.join(bench.folder, "probe.m")
    with open(probe, "w", encoding="utf-8") as file:
        file.write("#import <Foundation/Foundation.h>\nint main(void) { return 0; }\n")
    if subprocess.run([bench.berth, "cc", *flags, probe, *libraries, "-o", probe + ".out"],
                      env=bench.environment, check=False, capture_output=True).returncode:
        return SKIPPED # a compiler without the headers of this Objective-C
    bench.build("kext_control/kext.c", "kext_control.kext", "--kext")
    bench.build("kext_control/Client.m", "Client", *flags, libraries=libraries)
    # GNUstep keeps what it has allocated
    bench.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    output = control_run(bench, "./Client")
    expect(output, r"Client: Connect with kext successfully\.",
           r"Client: error: Connect failed \(Transport endpoint is already connected\)",
           "Client: The kext answers: HELLO FROM OBJECTIVE-C",
           r"Client: Disconnect with kext successfully\.")
    check_control_log(output, len("hello from Objective-C"))
    return None


def control_is_privileged(bench):
    """Who is not root is refused, with EPERM."""
    bench.build("kext_control/kext.c", "kext_control.kext", "--kext")
    bench.build("kext_control/client.c", "client")
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            return SKIPPED
        os.chmod(bench.folder, 0o755)
        client = f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups ./client"
    else:
        client = "./client"
    output = bench.command(bench.berth, "run", "--", "sh", "-c",
                           f"berth kext load kext_control.kext && {client}", status=1)
    expect(output, "client: connect: Operation not permitted")
    return None


# ---- the monitor of executions ------------------------------------------------------------


def build_monitor(bench):
    bench.build("exec_monitor/monitor_kext.c", "exec_monitor.kext", "--kext")
    bench.build("exec_monitor/monitord.c", "monitord")
    os.mkdir(os.path.join(bench.folder, "watched"))
    for name in ("good", "evil-1", "evil-2"):
        shutil.copy(shutil.which("true"), os.path.join(bench.folder, "watched", name))


def load_monitor(bench):
    """Load the kext.  False: Linux does not let us watch executions."""
    said = bench.command("berth", "kext", "load", "--exec-events=watched", "exec_monitor.kext")
    return "cannot be watched" not in said


def runs(bench, name):
    """Run a program in the watched folder: is it allowed to?"""
    try:
        subprocess.run([os.path.join(bench.folder, "watched", name)], check=True,
                       timeout=SECONDS_MAX)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        return False
    return True


def must_run(bench, **expected):
    for name, wanted in expected.items():
        if runs(bench, name.replace("_", "-")) != wanted:
            raise Failed(f"{name}: allowed: {not wanted}\n"
                         + bench.command("berth", "kext", "log"))


def monitor(bench):
    """The daemon decides, whoever comes first; the kext stays as long as it is there."""
    build_monitor(bench)
    with open(os.path.join(bench.folder, "rules"), "w", encoding="utf-8") as file:
        file.write("# what must not run\nevil-2\n")
    with kernel(bench), Program(bench, "./monitord", "--deny=evil-[1s]*",
                                "--rules=rules", "--patience=30000") as daemon:
        daemon.wait_for("monitord: waiting for the kext")
        if not load_monitor(bench):
            return SKIPPED
        daemon.wait_for("monitord: connected to the kext")
        must_run(bench, good=True, evil_1=False, evil_2=False)
        path = os.path.realpath(os.path.join(bench.folder, "watched"))
        who = rf"pid \d+ \(parent {os.getpid()}, uid {os.geteuid()}\)"
        daemon.wait_for(rf"monitord: 1: {who} wants to run {path}/good: allowed")
        daemon.wait_for(rf"monitord: pid \d+ runs {path}/good")
        daemon.wait_for(rf"monitord: 2: {who} wants to run {path}/evil-1: denied")
        daemon.wait_for(rf"monitord: 3: {who} wants to run {path}/evil-2: denied")
        # a script is a program, too; what lies deeper is not watched, nor what is only read
        os.mkdir(os.path.join(path, "deeper"))
        shutil.copy(os.path.join(path, "evil-1"), os.path.join(path, "deeper"))
        with open(os.path.join(path, "evil-script"), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n")
        os.chmod(os.path.join(path, "evil-script"), 0o755)
        must_run(bench, evil_script=False)
        subprocess.run([os.path.join(path, "deeper", "evil-1")], check=True)
        bench.command("sh", os.path.join(path, "evil-script"))
        bench.command("berth", "kext", "unload", "exec_monitor.kext", status=3)
        must_run(bench, evil_1=False)
        # a second daemon is refused, and the first does not notice
        if "Device or resource busy" not in bench.command("./monitord", status=1):
            raise Failed("a second daemon")
        must_run(bench, evil_1=False)
        daemon.end()
        daemon.wait_for("monitord: 1 allowed, 5 denied, 0 without an answer in time")
        if any("runs" in line and "evil" in line for line in daemon.lines):
            raise Failed("\n".join(daemon.lines))
        must_run(bench, good=True, evil_1=True)
        expect(log_lines(bench.command("sh", "-e", "-c", log_when("watches no more", 1))),
               f"exec_monitor: daemon {daemon.process.pid} watches",
               f"exec_monitor: daemon {daemon.process.pid} watches no more")
        bench.command("berth", "kext", "unload", "exec_monitor.kext")
        must_run(bench, evil_1=True)
    return None


def monitor_without_an_answer(bench):
    """A daemon that does not answer, and one that is killed, stop nobody for long; nor does a
    kext whose process is killed while it asks."""
    build_monitor(bench)
    with kernel(bench):
        if not load_monitor(bench):
            return SKIPPED
        with Program(bench, "./monitord", "--deny=evil*", "--patience=100") as daemon:
            daemon.wait_for("monitord: connected to the kext")
            daemon.process.send_signal(signal.SIGSTOP)
            must_run(bench, evil_1=True)
            daemon.process.send_signal(signal.SIGCONT)
            daemon.wait_for("monitord: 1: .*/evil-1: denied")
            daemon.wait_for("monitord: 1: too late")
            daemon.end()
            daemon.wait_for("monitord: 0 allowed, 0 denied, 1 without an answer in time")
        for kill in ("the daemon", "the kext"):
            with Program(bench, "./monitord", "--deny=evil*", "--patience=60000") as daemon:
                daemon.wait_for("monitord: connected to the kext")
                daemon.process.send_signal(signal.SIGSTOP)
                waiting = [threading.Thread(target=runs, args=(bench, "evil-1"))
                           for _ in range(5)]
                for thread in waiting:
                    thread.start()
                # the questions are there, unread
                limit = time.monotonic() + SECONDS_MAX
                while queued_records(bench) < len(waiting):
                    if time.monotonic() > limit:
                        raise Failed(bench.command("berth", "kctl", "--json"))
                    time.sleep(0.01)
                if kill == "the daemon":
                    daemon.process.kill()
                else:
                    bench.command("berth", "kext", "unload", "--force",
                                  "org.berth.example.exec_monitor")
                for thread in waiting:
                    thread.join(SECONDS_MAX / 2)
                    if thread.is_alive():
                        raise Failed(f"who waited when {kill} was killed waits on")
                if kill == "the kext":
                    daemon.process.send_signal(signal.SIGCONT)
                    daemon.wait_for("monitord: the kext is gone; waiting for another")
                    load_monitor(bench)
                    daemon.wait_for("monitord: connected to the kext", count=2)
                    must_run(bench, evil_1=False, good=True)
    return None


def queued_records(bench):
    return sum(int(number) for number in re.findall(
        r'"queued_records": ?(\d+)', bench.command("berth", "kctl", "--json")))


def monitor_does_not_hold_up(bench):
    """While one execution waits for its verdict, others get theirs."""
    build_monitor(bench)
    with kernel(bench):
        if not load_monitor(bench):
            return SKIPPED
        with Program(bench, "./monitord", "--deny=evil*", "--patience=60000") as daemon:
            daemon.wait_for("monitord: connected to the kext")
            verdicts = []
            threads = [threading.Thread(target=lambda n: verdicts.append(
                (n, runs(bench, n))), args=(name,)) for name in ("good", "evil-1") * 20]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(SECONDS_MAX)
            if sorted(verdicts) != [("evil-1", False)] * 20 + [("good", True)] * 20:
                raise Failed(f"{verdicts}")
            daemon.end()
            daemon.wait_for("monitord: 20 allowed, 20 denied, 0 without an answer in time")
    return None


def monitor_tells_by_events(bench):
    """Its daemon's coming and going are kernel events, as is its control's."""
    build_monitor(bench)
    with kernel(bench):
        # a vendor's code is there once somebody has asked for it
        bench.command("berth", "kext", "load", "exec_monitor.kext")
        with Program(bench, "berth", "events", "--vendor=org.berth.example",
                     "--count=2") as events:
            shown = []
            limit = time.monotonic() + SECONDS_MAX
            while len(shown) < 2 and time.monotonic() < limit:
                with Program(bench, "./monitord") as daemon:
                    daemon.wait_for("monitord: connected to the kext")
                    daemon.end()
                with events.changed:
                    shown = list(events.lines)
            events.process.wait(SECONDS_MAX)
            if events.process.returncode or not all("org.berth.example" in line
                                                    for line in shown):
                raise Failed("\n".join(shown))
    return None


def executions_are_not_for_all(bench):
    """Who may not watch executions is told so, and the kext runs without."""
    build_monitor(bench)
    prefix = ()
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            return SKIPPED
        prefix = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
        os.chown(bench.folder, NOBODY, NOBODY)
        for folder, folders, files in os.walk(bench.folder):
            for name in folders + files:
                os.chown(os.path.join(folder, name), NOBODY, NOBODY)
    output = bench.command(
        *prefix, bench.berth, "run", "--", "sh", "-e", "-c",
        "berth kext load --exec-events=watched exec_monitor.kext; watched/good; "
        + log_when("cannot be watched", 1) + "; berth kext unload exec_monitor.kext")
    words = (r".*executions cannot be watched: Linux permits that to root only "
             r"\(CAP_SYS_ADMIN\)")
    expect(output, "exec_monitor.kext: " + words, r"exec_monitor\.kext loaded successfully .*",
           words, r"exec_monitor\.kext unloaded\.")
    for folder in ("/", "nowhere", "monitord"):
        said = bench.command("berth", "kext", "load", f"--exec-events={folder}",
                             "exec_monitor.kext", status=66)
        if folder not in said:
            raise Failed(said)
    return None


TESTS = {test.__name__: test for test in (
    control, control_in_objective_c, control_is_privileged, monitor, monitor_without_an_answer,
    monitor_does_not_hold_up, monitor_tells_by_events, executions_are_not_for_all)}
NEED_ROOT = {monitor, monitor_without_an_answer, monitor_does_not_hold_up,
             monitor_tells_by_events}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--berth", required=True)
    parser.add_argument("--examples", required=True)
    parser.add_argument("--cc", default="")
    parser.add_argument("--flags", default="")
    parser.add_argument("test", choices=TESTS)
    options = parser.parse_args()
    if TESTS[options.test] in NEED_ROOT and os.geteuid() != 0:
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="berth-test-") as folder:
        try:
            return TESTS[options.test](KextBench(options, folder)) or 0
        except (Failed, subprocess.TimeoutExpired) as failure:
            print(failure)
            return 1


if __name__ == "__main__":
    sys.exit(main())
