"""The subjects: what `--only` names.  Each has cells, which are measured in turns, run after run.

A cell is a system, a placement, and what measures it once: (work, unit, value) for each figure.
"""
import select
import shlex
import tempfile
import time
from collections import namedtuple

from driver.figures import medians
from driver.programs import PLACEMENTS, Failure, cpu_ms

Cell = namedtuple("Cell", "system placement measure")
Subject = namedtuple("Subject", "name title cells notes", defaults=(None,))

ALL, FREE = PLACEMENTS, ("free",)
IDLE_MS, IDLE_QUICK_MS, MINUTE_MS = 60000, 3000, 60000
START_S = 120  # nobody needs that long to start 100 clients
ATTACKS = ("flood", "fail", "garbage", "connect", "memory", "ports")
RELAY_ATTACKS = ("flood", "connect", "memory")


def to_broker(records):
    """What a broker of one's own takes is 1."""
    found, lines = medians(records), []
    for work in dict.fromkeys(work for work, _, _ in found):
        words = []
        for placement in ALL:
            ours = found.get((work, "berth", placement))
            other = found.get((work, "seqpacket-broker", placement))
            if ours and other:
                words.append(f"{placement} {ours / other:.2f}")
        if words:
            lines.append(f"  {work}, berth to seqpacket-broker: " + ", ".join(words))
    return lines


# name, placements, title, what is said below
PEER_WORKS = (
    ("rpc-64", ALL, "Request and reply of 64 bytes, back to back: median and 99th percentile", to_broker),
    ("rpc-64-sparse", ALL, "The same with 1 ms of sleep between calls", to_broker),
    ("rpc-4k", ALL, "Request and reply of 4096 bytes", to_broker),
    ("rpc-64-hog", ALL, "rpc-64 beside a process that never sleeps (mean), and its share of a CPU", None),
    ("rpc-port-right", ALL, "A port right, or a descriptor, in each request", None),
    ("oneway-64", ALL, "Messages of 64 bytes that nobody answers", None),
    ("ool-1m", ALL, "1 MiB in a request; the receiver looks at all of it", None),
    ("move-1g", FREE, "1 GiB of memory that the sender gives away", None),
    ("fan-in-64", FREE, "64 clients of one server: together, and the slowest's share of the mean", None),
    ("idle-1000", FREE, "rpc-64 beside 1000 clients that do nothing", None),
    ("port-create-destroy", FREE, "A port, or what it would be elsewhere, made and let go", None),
    ("attach", FREE, "From a new process to its first reply", None),
)


class Subjects:
    def __init__(self, programs, quick, systems):
        self.programs, self.quick, self.systems = programs, quick, systems
        self.span_ms = 60 if quick else 500

    def all(self):
        for name, placements, title, notes in PEER_WORKS:
            yield Subject(name, title, self.peer_cells(name, placements), notes)
        yield self.idle()
        yield self.core()
        yield self.scale()
        yield self.start()
        yield self.controls()
        yield self.fairness()

    def wanted(self, system):
        return not self.systems or system in self.systems

    def cell(self, system, placement, command, rename=None):
        """One program; @rename makes the names of its works."""

        def measure():
            found = self.programs.run(command, placement)
            return [(rename(work) if rename else work, unit, value) for work, unit, value in found]

        return Cell(system, placement, measure)

    def peer_cells(self, work, placements):
        programs = self.programs
        return [self.cell(system, placement,
                          programs.peer_command(system, work, placement, self.span_ms))
                for placement in placements if placement in programs.placements()
                for system in programs.systems(work) if self.wanted(system)]

    # ---- idle ----

    def idle(self):
        span_ms = IDLE_QUICK_MS if self.quick else IDLE_MS
        systems = [s for s in self.programs.systems("idle") if self.wanted(s)]
        measured = {}

        def measure(system):
            """All at once: whoever is idle is in nobody's way."""
            if system not in measured:
                measured.update(self.idle_run(systems, span_ms))
            value = measured.pop(system)
            if isinstance(value, Failure):
                raise value
            return [("idle", "ms", value)]

        title = "CPU time in a minute with 100 clients that do nothing"
        if span_ms != MINUTE_MS:
            title += f" (measured for {span_ms / 1000:g} s, times {MINUTE_MS // span_ms})"
        return Subject("idle", title,
                       [Cell(s, "free", lambda s=s: measure(s)) for s in systems])

    def idle_run(self, systems, span_ms):
        found, running = {}, {}
        with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
            try:
                for system in systems:
                    command = self.programs.peer_command(system, "idle", "free", 0)
                    own = tempfile.mkdtemp(dir=folder)
                    running[system] = self.programs.start(command, "free", own)
                for system, process in list(running.items()):
                    said = select.select([process.stdout], [], [], START_S)[0]
                    if not said or process.stdout.readline() != "ready\n":
                        found[system] = Failure("it did not start")
                        del running[system]
                        process.terminate()
                        process.communicate()
                time.sleep(0.5)
                begun = time.monotonic()
                before = {system: cpu_ms(process.pid) for system, process in running.items()}
                time.sleep(span_ms / 1000)
                took_ms = (time.monotonic() - begun) * 1000
                for system, process in running.items():
                    used_ms = cpu_ms(process.pid) - before[system]
                    found[system] = used_ms * MINUTE_MS / took_ms
            finally:
                for process in running.values():
                    process.stdin.close()
                for process in running.values():
                    process.stdin = None
                    process.communicate()
        return found

    # ---- Berth alone ----

    def core(self):
        command = [self.programs.path("bench/bench-core"), "100000" if self.quick else "1000000"]
        cells = [self.cell("berth", "free", command)] if self.wanted("berth") else []
        return Subject("core", "The kernel core alone: one process, no waiting", cells)

    def scale(self):
        command = self.programs.on_berth([self.programs.path("bench/bench-scale"),
                                          *(("100", "10000") if self.quick else ("1000", "100000"))])
        cells = [self.cell("berth", "free", command)] if self.wanted("berth") else []
        size = "100 tasks, 10,000 ports" if self.quick else "1000 tasks, 100,000 ports"
        return Subject("scale", f"A message to oneself through berthd: alone, beside {size}", cells)

    def start(self):

        def timed(command):
            times = []
            for _ in range(3 if self.quick else 8):
                begun = time.perf_counter()
                self.programs.run(command, "free")
                times.append(time.perf_counter() - begun)
            return [("start", "ns", sorted(times)[len(times) // 2] * 1e9)]

        cells = [Cell("true", "free", lambda: timed(["true"])),
                 Cell("berth", "free", lambda: timed(self.programs.on_berth(["true"])))]
        return Subject("start", "`true`, and `berth run -- true`",
                       [cell for cell in cells if self.wanted(cell.system)])

    # ---- kernel controls ----

    # work, type, count in a full run
    CONTROLS = (
        ("flood-64", "dgram", 300000), ("flood-4096", "dgram", 100000),
        ("flood-65536", "dgram", 20000), ("flood-64", "stream", 300000),
        ("flood-4096", "stream", 100000), ("flood-65536", "stream", 20000),
        ("send", "dgram", 20000), ("echo", "dgram", 20000), ("connect", "dgram", 2000),
        ("many", "dgram", 10000),
    )

    def control_command(self, system, work, kind, placement, count):
        program = [self.programs.path("bench/bench-controls"), system, kind, placement, work,
                   str(count)]
        if system == "raw":
            return program
        load = [self.programs.path("berth"), "kext", "load",
                self.programs.path("bench/bench-controls-kext.so")]
        if placement == "cross":
            load = ["taskset", "-c", str(self.programs.cpus[1]), *load]
        return self.programs.on_berth(
            ["sh", "-c", f"{shlex.join(load)} >&2 && exec {shlex.join(program)}"])

    def controls(self):
        cells = []
        for work, kind, count in self.CONTROLS:
            name = f"controls-{work}-{kind}"
            # connections at once have no peer, and need not be placed
            placements = FREE if work == "many" else self.programs.placements()
            systems = ("control",) if work == "many" else ("raw", "control")
            cells += [self.cell(system, placement,
                                self.control_command(system, work, kind, placement,
                                                     count // 10 if self.quick else count),
                                lambda _, name=name: name)
                      for placement in placements for system in systems
                      if self.wanted(system) or (system == "control" and self.wanted("berth"))]
        return Subject("controls", "Kernel controls beside a Unix socket of the same type between two "
                       "programs: each message, call or connection", cells, self.control_notes)

    @staticmethod
    def control_notes(records):
        """How much faster a flood is than a socket's; how much longer the rest takes."""
        found, lines = medians(records), []
        for work in dict.fromkeys(work for work, _, _ in found):
            words = []
            for placement in ALL:
                raw = found.get((work, "raw", placement))
                control = found.get((work, "control", placement))
                if raw and control:
                    ratio = raw / control if "-flood-" in work else control / raw
                    words.append(f"{placement} {ratio:.2f}")
            if words:
                kind = "socket to control" if "-flood-" in work else "control to socket"
                lines.append(f"  {work}, {kind}: " + ", ".join(words))
        return lines

    # ---- fairness ----

    def fairness(self):
        span_ms = 500 if self.quick else 2000
        cells = []
        for placement in self.programs.placements():
            for system, attacks in (("berth", ATTACKS), ("relay", RELAY_ATTACKS)):
                cases = [("none", 0)] + [(a, n) for n in (1, 4) for a in ("spin", *attacks)]
                for attack, count in cases if self.wanted(system) else ():
                    command = [self.programs.path("bench/bench-fairness"), system, placement, attack,
                               str(count), str(span_ms)]
                    if system == "berth":
                        command = self.programs.on_berth(command)
                    case = f"{attack}-{count}" if count else attack
                    cells.append(self.cell(
                        system, placement, command,
                        lambda work, case=case: work.replace("fairness", "fairness-" + case)))
        return Subject("fairness", "Victims beside others: calls of 64 bytes a second, and their 99th "
                       "percentile", cells, self.fairness_notes)

    @staticmethod
    def fairness_notes(records):
        """What is left of the calls made alone, and that over what busy loops leave."""
        found = medians(records)
        lines = []
        for (work, system, placement), rate in found.items():
            alone = found.get(("fairness-none", system, placement))
            if not alone or work.endswith("-p99") or work == "fairness-none":
                continue
            spin = found.get(("fairness-spin-" + work.rpartition("-")[2], system, placement))
            line = f"  {work:20}{system:7}{placement:6} share {rate / alone:.2f}"
            if spin:
                line += f", fair {spin / alone:.2f}, ratio {rate / spin:.2f}"
            lines.append(line)
        return lines
