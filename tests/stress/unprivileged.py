#!/usr/bin/env python3
"""Without privileges, and between users.

  namespaces  all of `berth run` in namespaces of its own: user, network, processes
  nobody      all of it as user 65534, without capabilities
  users       the kernels of two users are closed to each other
  system      one kernel for all users shows each of them only his own tasks

Exits with 77 where Linux forbids what the test needs.  What is run is copied first: the
build folder may be closed to other users.
"""

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

USERS = (65534, 65533)
PATIENCE_S = 60
SKIPPED = 77


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


class Place:
    """A folder with copies of the programs, and a home for each user."""

    def __init__(self, options):
        self.folder = tempfile.mkdtemp(prefix="bu.", dir="/tmp")
        self.started = []
        os.chmod(self.folder, 0o755)
        for path in [options.berth, options.neighbour, options.library,
                     *(os.path.join(os.path.dirname(options.berth), name)
                       for name in ("berthd", "berth-launchd"))]:
            shutil.copy(path, self.path(os.path.basename(path)))
        library = os.path.basename(options.library)
        soname = ".".join(library.split(".")[:3])  # libberth.so.0
        if soname != library:
            os.symlink(library, self.path(soname))
        self.berth = self.path(os.path.basename(options.berth))
        self.neighbour = self.path(os.path.basename(options.neighbour))
        self.environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith("BERTH") and name not in ("XDG_RUNTIME_DIR", "HOME")}
        self.environment.update(TMPDIR=self.folder, LD_LIBRARY_PATH=self.folder,
                                BERTH_LIBEXECDIR=self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def home(self, uid):
        home = self.path(str(uid))
        if not os.path.isdir(home):
            os.mkdir(home, 0o700)
            os.chown(home, uid, uid)
        return home

    def environment_of(self, uid, **more):
        home = self.home(uid)
        return {**self.environment, "HOME": home, "TMPDIR": home, "XDG_RUNTIME_DIR": home, **more}

    @staticmethod
    def words_as(uid, *words):
        """@words as another user, with no way back to privileges."""
        return ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups",
                "--no-new-privs", *words]

    def start(self, words, environment):
        process = subprocess.Popen(words, env=environment, cwd="/", stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.started.append(process)
        return process

    @staticmethod
    def run(words, environment):
        """Exit code, standard output, standard error."""
        done = subprocess.run(words, env=environment, cwd="/", stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        return done.returncode, done.stdout, done.stderr

    def start_neighbour(self, uid, number, kernel):
        environment = self.environment_of(uid, BERTH_KERNEL=kernel)
        process = self.start(self.words_as(uid, self.neighbour, str(number)), environment)
        line = process.stdout.readline()
        check(line == "ready\n", "user %d's program: %r" % (uid, line or process.stderr.read()))
        return process

    @staticmethod
    def end_neighbour(process):
        _, err = process.communicate("\n", timeout=PATIENCE_S)
        check((process.returncode, err) == (0, ""), "a program ended with %d: %s"
              % (process.returncode, err))

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_S)
            for stream in (process.stdin, process.stdout, process.stderr):
                if not stream.closed:
                    stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_for(condition, what):
    limit = time.monotonic() + PATIENCE_S
    while not condition():
        check(time.monotonic() < limit, "waited in vain for " + what)
        time.sleep(0.02)


def must_be_root():
    if os.geteuid() != 0:
        skip("only root can be several users")
    for uid in USERS:
        if subprocess.run(Place.words_as(uid, "true"), check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            skip("Linux forbids to become user %d" % uid)


# ---- the tests ---------------------------------------------------------------------------


def run_whole(place, before, environment):
    """A run of a server and its client, with nothing on stderr and nothing left behind."""
    left = set(os.listdir(environment["TMPDIR"]))
    words = [*before, place.berth, "run", "--leaks", "--", place.neighbour, "1"]
    code, out, err = place.run(words, environment)
    # what a server still holds when it ends is told: it is all that may be
    others = [line for line in err.splitlines() if not line.startswith("leak: ")]
    check((out, others) == ("ready\n", []) and code in (0, 1), "%d %s %s" % (code, out, err))
    check(set(os.listdir(environment["TMPDIR"])) == left, "something is left behind")


def test_namespaces(place):
    unshare = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*unshare, "true"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        skip("Linux forbids new user namespaces")
    run_whole(place, unshare, place.environment)


def test_nobody(place):
    must_be_root()
    uid = USERS[0]
    status = place.run(place.words_as(uid, "grep", "CapEff", "/proc/self/status"), None)[1]
    check(int(status.split()[1], 16) == 0, "capabilities are left: " + status)
    run_whole(place, place.words_as(uid), place.environment_of(uid))


def tasks_seen(place, uid, kernel):
    """The pids that `berth ps` shows to user @uid."""
    code, out, err = place.run(place.words_as(uid, place.berth, "ps", "--json"),
                               place.environment_of(uid, BERTH_KERNEL=kernel))
    check(code == 0, "berth ps: %d %s" % (code, err))
    return {row["pid"] for row in json.loads(out)}


def test_users(place):
    must_be_root()
    programs = [place.start_neighbour(uid, 7, "user") for uid in USERS]
    sockets = [os.path.join(place.home(uid), "berth", "kernel") for uid in USERS]
    for own, other in ((0, 1), (1, 0)):
        uid = USERS[own]
        seen = tasks_seen(place, uid, "user")
        check(programs[own].pid in seen, "%d does not see its own task" % uid)
        check(programs[other].pid not in seen, "%d sees another's task" % uid)
        ask = place.words_as(uid, place.neighbour, "8")
        use_other = place.environment_of(uid, BERTH_KERNEL=sockets[other])
        code, out, err = place.run(ask, use_other)
        check(code != 0 and out == "" and "kernel" in err, "another's kernel: %d %s" % (code, err))
    # even if its owner were so careless as to open its folders, a kernel is its owner's
    for uid, socket in zip(USERS, sockets):
        os.chmod(place.home(uid), 0o777)
        os.chmod(os.path.dirname(socket), 0o777)
        os.chmod(socket, 0o666)
    for own, other in ((0, 1), (1, 0)):
        uid = USERS[own]
        use_other = place.environment_of(uid, BERTH_KERNEL=sockets[other])
        code, out, err = place.run(place.words_as(uid, place.neighbour, "8"), use_other)
        check(code != 0 and out == "" and "refused" in err, "no refusal: %d %s" % (code, err))
        code, out, err = place.run(place.words_as(uid, place.berth, "ps"), use_other)
        check(code != 0 and str(programs[other].pid) not in out, "berth ps: %s" % out)
    for process in programs:
        place.end_neighbour(process)
    # a user's kernel ends by itself when nobody uses it
    wait_for(lambda: not any(map(os.path.exists, sockets)), "the kernels to end")


def one_round(process):
    """Lets a neighbour talk to its service once more."""
    process.stdin.write("\n")
    process.stdin.flush()
    check(process.stdout.readline() == "again\n", "a program has ended")


def check_trace(place, programs, own, other):
    """The trace of one user has a line for each of his messages, and none of the other's."""
    trace = place.start(place.words_as(USERS[own], place.berth, "trace"),
                        place.environment_of(USERS[own], BERTH_KERNEL="system"))
    limit = time.monotonic() + PATIENCE_S
    seen = b""
    # his own show that it has begun; only then is silence about the other worth something
    while str(programs[own].pid).encode() not in seen:
        check(time.monotonic() < limit, "the trace shows nothing")
        one_round(programs[own])
        if select.select([trace.stdout], [], [], 0.05)[0]:
            more = os.read(trace.stdout.fileno(), 65536)
            check(more != b"", "the trace ended")
            seen += more
    for program in (other, own):
        one_round(programs[program])
    trace.send_signal(signal.SIGINT)
    seen += trace.communicate(timeout=PATIENCE_S)[0].encode()
    check(str(programs[other].pid).encode() not in seen, "the trace shows another's task")


def test_system(place):
    """In a mount namespace of its own, with an empty /run."""
    os.mkdir("/run/berth", 0o755)
    daemon = place.start([place.path("berthd"), "--system"], place.environment)
    wait_for(lambda: os.path.exists("/run/berth/kernel") or daemon.poll() is not None,
             "the system's kernel")
    check(daemon.poll() is None, "berthd --system ended")
    wait_for(lambda: place.run([place.berth, "ps"], {**place.environment,
                                                     "BERTH_KERNEL": "system"})[0] == 0,
             "the system's kernel to answer")
    # each user has the same two names to himself, at the same time
    programs = [place.start_neighbour(uid, 1, "system") for uid in USERS]
    for own, other in ((0, 1), (1, 0)):
        uid = USERS[own]
        seen = tasks_seen(place, uid, "system")
        check(programs[own].pid in seen, "%d does not see its own task" % uid)
        check(programs[other].pid not in seen, "%d sees another's task" % uid)
        environment = place.environment_of(uid, BERTH_KERNEL="system")
        code, out, err = place.run(place.words_as(uid, place.berth, "ports"), environment)
        check(code == 0 and str(programs[own].pid) in out, "berth ports: %d %s" % (code, err))
        check(str(programs[other].pid) not in out, "berth ports shows another's task: " + out)
        code, out, _ = place.run(place.words_as(uid, place.berth, "dump"), environment)
        check(code != 0 and out == "", "dump shows all to anybody")
        code, out, _ = place.run(place.words_as(uid, place.berth, "kext", "log"), environment)
        check(code != 0 and out == "", "the log is shown to anybody")
        check_trace(place, programs, own, other)
    code = place.run([place.berth, "dump"], {**place.environment, "BERTH_KERNEL": "system"})[0]
    check(code == 0, "root cannot look at everything")
    seen = tasks_seen(place, 0, "system")
    check({process.pid for process in programs} <= seen, "root does not see all tasks")
    for process in programs:
        place.end_neighbour(process)
    daemon.send_signal(signal.SIGTERM)
    _, err = daemon.communicate(timeout=PATIENCE_S)
    check(daemon.returncode == 0, "berthd ended with %d: %s" % (daemon.returncode, err))
    check(os.listdir("/run/berth") == [], "left in /run/berth: %s" % os.listdir("/run/berth"))


def enter_mount_namespace():
    """Run this test again where /run is private and empty."""
    must_be_root()
    unshare = ["unshare", "--mount", "--propagation", "private"]
    mount = "mount -t tmpfs none /run"
    if subprocess.run([*unshare, "sh", "-c", mount], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        skip("Linux forbids a /run of our own")
    os.execvp(unshare[0], [*unshare, "sh", "-c", mount + ' && exec "$@"', "sh",
                           sys.executable, *sys.argv, "--inside"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--berth", required=True)
    parser.add_argument("--neighbour", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--inside", action="store_true", help="in a mount namespace")
    parser.add_argument("test", choices=("namespaces", "nobody", "users", "system"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # and cleans up

    if options.test == "system" and not options.inside:
        enter_mount_namespace()
    place = Place(options)
    try:
        globals()["test_" + options.test](place)
    except (Failure, OSError, subprocess.TimeoutExpired) as failure:
        sys.exit("%s: %s" % (options.test, failure))
    finally:
        place.close()


if __name__ == "__main__":
    main()
