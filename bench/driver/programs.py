"""The programs that measure: which there are, and how they are started.

Each is started in a session of its own, so that Linux divides the CPUs among all alike; what it
starts itself (bench/process.c) has sessions of its own, too, as berthd has.  Each ends with this
process, however that ends: Linux tells `berth run` and the rest so.
"""
import ctypes
import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile

PLACEMENTS = ("free", "same", "cross")
PR_SET_PDEATHSIG = 1

# system: the Debian package without which it is left out, and the program that it starts
SYSTEMS = {
    "berth": (None, None),
    "berth-mig": (None, None),
    "pipe": (None, None),
    "stream": (None, None),
    "seqpacket": (None, None),
    "seqpacket-creds": (None, None),
    "seqpacket-fd": (None, None),
    "seqpacket-fd-fresh": (None, None),
    "seqpacket-broker": (None, None),
    "mq": (None, None),
    "futex": (None, None),
    "futex-spin": (None, None),
    "memcpy": (None, None),
    "zeromq": ("libzmq3-dev", None),
    "nng": ("libnng-dev", None),
    "dbus-daemon": ("libsystemd-dev, dbus-daemon", "dbus-daemon"),
    "dbus-broker": ("libsystemd-dev, dbus-broker", "dbus-broker"),
    "capnp": ("libcapnp-dev, capnproto", None),
    "iceoryx": ("libiceoryx-binding-c-dev, iceoryx", "iox-roudi"),
}


class Failure(Exception):
    """A program did not measure."""


class Programs:
    def __init__(self, build):
        self.build = os.path.realpath(build)
        self.cpus = sorted(os.sched_getaffinity(0))
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.peers = {}  # system: its program and the works for which it makes sense
        for program in sorted(glob.glob(self.path("bench/bench-peer-*"))):
            if not (os.path.isfile(program) and os.access(program, os.X_OK)):
                continue
            for line in subprocess.run([program, "list"], check=True, capture_output=True,
                                       text=True).stdout.splitlines():
                found = json.loads(line)
                self.peers[found["system"]] = (program, found["works"])
        self.missing = {}
        for system, (package, needed) in SYSTEMS.items():
            if system not in self.peers or (needed and not shutil.which(needed)):
                self.missing[system] = package
                self.peers.pop(system, None)

    def path(self, name):
        return os.path.join(self.build, name)

    def placements(self):
        return PLACEMENTS if len(self.cpus) > 1 else PLACEMENTS[:2]

    def systems(self, work):
        """Those for which @work makes sense, in the order of the table."""
        return [system for system in SYSTEMS if work in self.peers.get(system, (None, ()))[1]]

    def on_berth(self, command):
        return [self.path("berth"), "run", "--", *command]

    def peer_command(self, system, work, placement, span_ms):
        command = [self.peers[system][0], system, work, placement, str(span_ms)]
        return self.on_berth(command) if system in ("berth", "berth-mig") else command

    def start(self, command, placement, folder):
        """@command, all of it on one CPU with `same`; its files go into @folder."""

        def prepare():
            self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if placement == "same":
                os.sched_setaffinity(0, self.cpus[:1])

        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, preexec_fn=prepare, env={**os.environ, "BENCH_FOLDER": folder})

    def run(self, command, placement, timeout=120):
        """What it reports: (work, unit, value) each."""
        with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
            process = self.start(command, placement, folder)
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.terminate()
                try:
                    process.communicate(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                raise Failure(f"it took longer than {timeout} s") from None
            finally:
                if process.poll() is None:
                    process.terminate()
        if process.returncode != 0:
            raise Failure((errors.strip().splitlines() or [f"status {process.returncode}"])[-1])
        found = [json.loads(line) for line in output.splitlines()]
        return [(one["work"], one["unit"], one["value"]) for one in found]


# ---- CPU time ---------------------------------------------------------------------------------


def descendants(root):
    """The process @root and all that came of it and is there."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, ())
    return found


def cpu_ms(root):
    """CPU time that the threads of @root's tree have used so far."""
    total_ns = 0
    for pid in descendants(root):
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                with open(path, encoding="ascii") as file:
                    total_ns += int(file.read().split()[0])
            except OSError:
                continue
    return total_ns / 1e6
