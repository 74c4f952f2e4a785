#!/usr/bin/env python3
"""Compile the examples with `berth cc` and run each on a private kernel, with --leaks.

usage: programs.py --berth FILE --examples FOLDER [--cc COMMAND] [--flags FLAGS] TEST

TEST is one of the functions below; each compiles what it needs in a folder of its own,
runs it under `berth run --leaks`, and checks what it printed.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
SECONDS_MAX = 60


class Failed(Exception):
    """What was expected and what came, in words."""


class Bench:
    """Where programs are compiled and run."""

    def __init__(self, options, folder):
        self.berth = os.path.abspath(options.berth)
        self.examples = os.path.abspath(options.examples)
        self.flags = shlex.split(options.flags)
        self.folder = folder
        self.environment = dict(os.environ)
        self.environment.pop("BERTH_KERNEL", None)
        if options.cc:
            self.environment["CC"] = options.cc

    def compile(self, name, *libraries, interfaces=()):
        """Compile examples/NAME.c as a user would: no source change, no extra flag."""
        sources = [*(interface + ".defs" for interface in interfaces), name + ".c"]
        command = [self.berth, "cc", *self.flags,
                   *(os.path.join(self.examples, source) for source in sources),
                   "-o", os.path.join(self.folder, name), *libraries]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True,
                              check=False, timeout=SECONDS_MAX)
        if done.returncode or done.stderr:
            raise Failed(f"{shlex.join(command)}: status {done.returncode}\n{done.stderr}")

    def run(self, *command, options=("--leaks",)):
        """Run under `berth run`; return status, output and errors."""
        done = subprocess.run([self.berth, "run", *options, "--", *command], cwd=self.folder,
                              env=self.environment, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=SECONDS_MAX)
        return done.returncode, done.stdout, done.stderr

    def run_clean(self, *command, options=("--leaks",)):
        """Run what must succeed, leak nothing, and say nothing on stderr; its output."""
        status, output, errors = self.run(*command, options=options)
        if status or errors:
            raise Failed(f"{shlex.join(command)}: status {status}\n{output}{errors}")
        return output


def expect(output, *patterns):
    """Each pattern matches a line, in this order."""
    lines = output.splitlines()
    at = 0
    for pattern in patterns:
        while at < len(lines) and not re.fullmatch(pattern, lines[at]):
            at += 1
        if at == len(lines):
            raise Failed(f"no line {pattern!r} (or not there) in\n{output}")
        at += 1


def allocate(bench):
    bench.compile("allocate")
    output = bench.run_clean("./allocate")
    match = re.match(r"name 0x([0-9a-f]+): index (\d+), generation (\d+)", output)
    if not match:
        raise Failed(output)
    name, index, generation = int(match[1], 16), int(match[2]), int(match[3])
    if (name >> 8, name & 0xff) != (index, generation):
        raise Failed(f"name 0x{name:x} is not index {index}, generation {generation}")
    expect(output,
           "allocated", r"  right +receive", r"  user refs +0", r"  queue +0 of 5 messages",
           r"  make-sends +0, send rights exist: no", r"  entry .* type 0x20000, urefs 0",
           "with a send right.*", r"  right +send and receive", r"  user refs +1",
           r"  make-sends +1, send rights exist: yes", r"  entry .* type 0x30000, urefs 1",
           "with the receive right given up", r"  right +dead name", r"  user refs +1",
           r"  entry .* type 0x100000, urefs 1", "let go: .*")


def rpc(bench):
    bench.compile("rpc_server")
    bench.compile("rpc_client")
    output = bench.run_clean("sh", "-c", "./rpc_server & ./rpc_client && wait $!")
    client = re.search(r"client \(pid (\d+), euid (\d+)\): the answer is (.*)", output)
    if not client:
        raise Failed(output)
    pid, euid = client[1], client[2]
    if client[3] != f'"hello client, you are pid {pid} with euid {euid}"':
        raise Failed(output)
    servers = "\n".join(line for line in output.splitlines() if line.startswith("server"))
    expect(servers, r"server: checked in as org\.berth\.example\.greeter",
           f'server: a simple message from pid {pid}, euid {euid}: "client"',
           rf"server: a port right \(0x[0-9a-f]+\) and 1048576 bytes of memory from pid {pid}, "
           rf"euid {euid}", "server: done")
    expect(output, r"client: the server counted 1048576 bytes, sum 133693440: right")


def mig(bench):
    bench.compile("mig_server", interfaces=["mig_bank", "mig_account", "mig_notices"])
    bench.compile("mig_client", interfaces=["mig_bank", "mig_account"])
    output = bench.run_clean("sh", "-c", "./mig_server & ./mig_client && wait $!")
    lines = output.splitlines()
    client = [line for line in lines if not line.startswith("server")]
    expect("\n".join(client), "client: accounts of", "Grace", "Ada", "client: Ada has 70",
           r"client: taking 1000: .*", r"client: \+100", "client: -30")
    server = [line for line in lines if line.startswith("server")]
    expect("\n".join(server), rf"server: an account for Ada, who has euid {os.geteuid()}",
           rf"server: an account for Grace, who has euid {os.geteuid()}",
           "server: Ada's account is closed with 70 in it",
           "server: Grace's account is closed with 0 in it", "server: no accounts, no server")


def rpc_across_users(bench):
    """A client that gave up root is seen as who it now is."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        return SKIPPED
    bench.compile("rpc_server")
    bench.compile("rpc_client")
    os.chmod(bench.folder, 0o755)
    output = bench.run_clean(
        "sh", "-c", "./rpc_server & setpriv --reuid 65534 --regid 65534 --clear-groups "
        "./rpc_client && wait $!")
    expect(output, r"client \(pid \d+, euid 65534\): .* with euid 65534\"")
    return None


def port_set(bench):
    bench.compile("port_set_server")
    output = bench.run_clean("./port_set_server")
    for color in ("red", "green", "blue"):
        expect(output, *[rf"org\.berth\.example\.{color}: message {i}" for i in range(4)])
    expect(output, "12 messages from 3 clients over one set")


def death(bench):
    bench.compile("death")
    notices = [r"server: dead name: nobody receives at the client's port any more",
               r"server: no senders: the session is over, 1 send right was made"]
    output = bench.run_clean("./death")
    for notice in notices:
        expect(output, "client: has a session", notice, "server: the client ended by itself")
    # what a killed program held is what it left behind: no business of this test
    output = bench.run_clean("./death", "kill", options=())
    for notice in notices:
        expect(output, "client: has a session", notice, "server: the client was killed")


def leaky(bench):
    bench.compile("leaky")
    status, output, errors = bench.run("./leaky")
    name = re.search(r"one \((0x[0-9a-f]+)\) was not", output)
    if status != 1 or not name or name[1] not in errors:
        raise Failed(f"status {status}, and the leak of {name and name[1]} in\n{errors}")
    if bench.run("./leaky", options=())[0] != 0:
        raise Failed("without --leaks its status is its own")


def epoll(bench):
    bench.compile("epoll")
    expect(bench.run_clean("./epoll"), *[f"epoll: message {i}" for i in range(3)])


def libuv(bench):
    if subprocess.run(["pkg-config", "--exists", "libuv"], check=False).returncode:
        return SKIPPED
    bench.compile("libuv", "-luv")
    expect(bench.run_clean("./libuv"), *[f"libuv: message {i}" for i in range(3)])
    return None


STAGES = ["ipc_kmsg_get", "ipc_kmsg_copyin_header", "ipc_kmsg_copyin_body", "ipc_mqueue_send",
          "ipc_mqueue_copyin", "ipc_mqueue_receive", "mach_msg_receive_results"]


def message(bench):
    """The stages of a send and a receive show in the trace, by their names, in order."""
    bench.compile("message")
    expect(bench.run_clean("./message"), "received message 2023 with a right; .*")
    status, output, errors = bench.run("./message", options=("--trace",))
    if status:
        raise Failed(output + errors)
    expect(errors, *[rf".*\b{stage}\b.*" for stage in STAGES])


TESTS = {test.__name__: test for test in (
    allocate, rpc, rpc_across_users, port_set, death, leaky, epoll, libuv, message, mig)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--berth", required=True)
    parser.add_argument("--examples", required=True)
    parser.add_argument("--cc", default="")
    parser.add_argument("--flags", default="")
    parser.add_argument("test", choices=TESTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="berth-test-") as folder:
        try:
            return TESTS[options.test](Bench(options, folder)) or 0
        except (Failed, subprocess.TimeoutExpired) as failure:
            print(failure)
            return 1


if __name__ == "__main__":
    sys.exit(main())
