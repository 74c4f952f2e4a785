"""What a mean user does: no kernel, a dumb one, a stopped one, no descriptors, no streams,
a full disk, a gone reader.  Each ends, says why, and leaves nothing."""

import json
import os
import pty
import signal
import socket
import struct
import subprocess
import unittest

from berth_command import BERTH, ProgramTest, read

def lives(pid):
    """A process that nobody waits for stays as a zombie where init does not reap."""
    try:
        return read("/proc/%d/stat" % pid).rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Mean(ProgramTest):
    def program_says(self, told, **variables):
        """Without `berth run`: it fails, and says @told once."""
        done = subprocess.run([self.program("tidy")], env=dict(self.env, **variables),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        lines = [line for line in done.stderr.splitlines() if line.startswith("libberth: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        for word in told:
            self.assertIn(word, lines[0])

    @staticmethod
    def kernel_of(path):
        """The process of the user's kernel that listens at @path, or None."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            try:
                connection.connect(path)
            except OSError:
                return None
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.unpack("iii", credentials)[0]

    def end_kernel(self, path):
        pid = self.kernel_of(path)
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            self.wait_for(lambda: not lives(pid), "the end of the user's kernel")

    # ---- no kernel ----

    def test_a_kernel_that_is_not_there_is_named(self):
        nowhere = self.path("nowhere")
        self.program_says([nowhere, "No such file", "BERTH_KERNEL"], BERTH_KERNEL=nowhere)

    def test_a_plain_file_is_no_kernel(self):
        plain = self.write("plain", "hello")
        self.program_says([plain, "Connection refused"], BERTH_KERNEL=plain)

    def test_a_socket_of_another_type_is_no_kernel(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.bind(self.path("stream"))
            other.listen()
            self.program_says([self.path("stream")], BERTH_KERNEL=self.path("stream"))
            code, _, err = self.berth("ps", env=dict(self.env, BERTH_KERNEL=self.path("stream")))
            self.assertEqual(code, 1)
            self.assertIn(self.path("stream"), err)

    @unittest.skipIf(os.path.exists("/run/berth/kernel"), "this machine has a system kernel")
    def test_the_way_to_a_missing_system_kernel_is_told(self):
        self.program_says(["/run/berth/kernel", "BERTH_KERNEL=user"], BERTH_KERNEL="system")

    def test_a_users_folder_that_others_may_enter_is_refused(self):
        os.mkdir(self.path("runtime"), 0o700)
        os.mkdir(self.path("runtime/berth"))
        os.chmod(self.path("runtime/berth"), 0o755)
        self.program_says([self.path("runtime/berth"), "mode 755", "berth run"],
                          BERTH_KERNEL="user", XDG_RUNTIME_DIR=self.path("runtime"))

    def test_a_users_folder_that_is_a_link_is_refused(self):
        os.mkdir(self.path("runtime"), 0o700)
        os.mkdir(self.path("elsewhere"), 0o700)
        os.symlink(self.path("elsewhere"), self.path("runtime/berth"))
        self.program_says(["is not a folder", "berth run"], BERTH_KERNEL="user",
                          XDG_RUNTIME_DIR=self.path("runtime"))
        self.assertEqual(os.listdir(self.path("elsewhere")), [])

    def test_a_folder_where_nothing_can_be_made_is_told(self):
        if os.geteuid() == 0:
            self.skipTest("root may write everywhere")
        os.mkdir(self.path("runtime"), 0o700)
        os.mkdir(self.path("runtime/berth"), 0o700)
        os.chmod(self.path("runtime/berth"), 0o500)
        self.program_says([self.path("runtime/berth/kernel"), "Permission denied"],
                          BERTH_KERNEL="user", XDG_RUNTIME_DIR=self.path("runtime"))

    def test_a_full_disk_is_told_and_run_goes_elsewhere(self):
        os.mkdir(self.path("full"), 0o755)
        setup = ('mount -t tmpfs -o size=4k,nr_inodes=2,mode=700 none "$1" && : >"$1/x" || exit 77; '
                 'XDG_RUNTIME_DIR=$1 BERTH_KERNEL=user "$2"; echo "status $?"; '
                 'XDG_RUNTIME_DIR=$1 TMPDIR=$1 exec "$3" run "$2"')
        for way in (["--mount"], ["--user", "--map-root-user", "--mount"]):
            done = subprocess.run(
                ["unshare", *way, "sh", "-c", setup, "sh", self.path("full"),
                 self.program("tidy"), BERTH], env=self.env, capture_output=True, text=True,
                check=False, timeout=60)
            if done.returncode == 0 and "status" in done.stdout:
                break
        else:
            if "status" not in done.stdout:
                self.skipTest("no mount namespaces here: " + done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("status 0", done.stdout)
        self.assertIn("No space left on device", done.stderr)
        self.assertIn("berth run", done.stderr)

    # ---- little of everything ----

    def test_descriptors_may_be_few(self):
        """However few: it works, or fails with words.  Nothing hangs or crashes."""
        sanitized = os.environ.get("BERTH_PROGRAM_FLAGS")
        for limit in (8, 16) if sanitized else (3, 4, 5, 6, 8, 16):
            code, _, err = self.berth("run", "sh", "-c", 'ulimit -n "$1" && exec "$0"',
                                      self.program("tidy"), str(limit))
            self.assertIn(code, (0, 99, 127), (limit, err))
            if code:
                self.assertRegex(err, "Too many open files|Error 24", (limit, err))
            elif limit >= 8:
                self.assertEqual(err, "", limit)
        for limit in (6, 8):
            script = 'ulimit -n "$1" && exec "$2" run "$0"'
            done = subprocess.run(["sh", "-c", script, self.program("tidy"), str(limit), BERTH],
                                  env=self.env, capture_output=True, text=True, check=False,
                                  timeout=60)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("Too many open files", done.stderr)
        self.assertEqual(self.folders(), [])

    @unittest.skipIf(os.environ.get("BERTH_PROGRAM_FLAGS"), "a sanitizer wants much memory")
    def test_memory_may_be_little(self):
        for limit_kb in (20000, 8000, 5000, 3000):
            code, _, err = self.berth("run", "sh", "-c", 'ulimit -v "$1" && exec "$0"',
                                      self.program("tidy"), str(limit_kb))
            if limit_kb >= 20000:
                self.assertEqual((code, err), (0, ""))
            elif code:
                self.assertNotEqual(err, "", limit_kb)
                self.assertLess(code, 128, "(%d KB) %s" % (limit_kb, err))

    def test_a_programs_own_limits_are_not_the_kernels(self):
        """What a program allows itself does not end the kernel that it happens to start."""
        os.mkdir(self.path("runtime"), 0o700)
        env = dict(self.env, BERTH_KERNEL="user", XDG_RUNTIME_DIR=self.path("runtime"))
        self.addCleanup(self.end_kernel, self.path("runtime/berth/kernel"))
        done = subprocess.run(["sh", "-c", 'ulimit -S -t 1000 && ulimit -S -f 4 && exec "$0"',
                               self.program("tidy")], env=env, check=False, timeout=60)
        self.assertEqual(done.returncode, 0)
        rows = read("/proc/%d/limits" % self.kernel_of(self.path("runtime/berth/kernel")))
        for row in rows.splitlines():
            if row.startswith(("Max cpu time", "Max file size")):
                soft, hard = row.split()[3:5]
                self.assertEqual(soft, hard, row)

    def closed(self, *words):
        """Run berth with standard output closed."""
        done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', BERTH, *words], env=self.env,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        return done.returncode, done.stderr

    def test_closed_streams_take_nothing_and_are_told(self):
        holder = self.start("run", "sh", "-c", 'echo "$BERTH_KERNEL"; exec "$0"',
                            self.program("holds"))
        self.addCleanup(holder.communicate, timeout=60)
        self.addCleanup(holder.terminate)
        self.env["BERTH_KERNEL"] = holder.stdout.readline().strip()
        holder.stdout.readline()
        for words in (["ps"], ["ps", "--json"], ["ports"], ["trace"], ["dump"], ["launch", "list"]):
            code, err = self.closed(*words)
            self.assertEqual(code, 1, words)
            self.assertIn("Bad file descriptor", err, words)
        # a full disk and a gone reader, with something to write
        for words in (["ps"], ["ports", "--json"], ["dump"], ["launch", "list"]):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([BERTH, *words], env=self.env, stdout=full,
                                      stderr=subprocess.PIPE, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("No space left on device", done.stderr, words)
            read_end, write_end = os.pipe()
            os.close(read_end)
            done = subprocess.run([BERTH, *words], env=self.env, stdout=write_end,
                                  stderr=subprocess.PIPE, text=True, check=False, timeout=60)
            os.close(write_end)
            self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, ""), words)

    def test_a_trace_that_nobody_reads_ends(self):
        holder = self.start("run", "sh", "-c", 'echo "$BERTH_KERNEL"; exec "$0"',
                            self.program("waits"))
        self.addCleanup(holder.communicate, timeout=60)
        self.addCleanup(holder.terminate)
        self.env["BERTH_KERNEL"] = holder.stdout.readline().strip()
        holder.stdout.readline()
        tracer = self.start("trace")
        tracer.stdout.close() # and nothing happens any more that it could write
        self.assertIn(tracer.wait(60), (0, -signal.SIGPIPE))
        self.assertEqual(tracer.stderr.read(), "")
        tracer.stderr.close()

    def test_a_program_without_streams_works(self):
        done = subprocess.run(["sh", "-c", 'exec "$0" run --leaks "$1" 7 <&- >&- 2>&-', BERTH,
                               self.program("tidy")], env=self.env, check=False, timeout=60)
        self.assertEqual(done.returncode, 7)

    def test_a_users_kernel_starts_without_streams(self):
        os.mkdir(self.path("runtime"), 0o700)
        env = dict(self.env, BERTH_KERNEL="user", XDG_RUNTIME_DIR=self.path("runtime"))
        self.addCleanup(self.end_kernel, self.path("runtime/berth/kernel"))
        berthd = os.path.join(os.path.dirname(BERTH), "berthd")
        done = subprocess.run(["sh", "-c", 'exec "$0" --user --daemon <&- >&- 2>&-', berthd],
                              env=env, check=False, timeout=60)
        self.assertEqual(done.returncode, 0)
        done = subprocess.run(["sh", "-c", 'exec "$0" 7 <&- >&- 2>&-', self.program("tidy")],
                              env=env, check=False, timeout=60)
        self.assertEqual(done.returncode, 7)

    # ---- what cannot be run, and the end ----

    def test_what_cannot_be_run_is_told(self):
        script = self.write("script", "#!/no/such/interpreter\n", 0o755)
        for program, code, told in [
            ("./missing", 127, "No such file"),
            ("", 127, "No such file"),
            (self.folder, 126, "Permission denied"),
            (self.write("plain", ""), 126, "Permission denied"),
            (self.path("plain/below"), 126, "Not a directory"),
            (script, 127, "interpreter"),
        ]:
            status, _, err = self.berth("run", program)
            self.assertEqual(status, code, program)
            self.assertIn(told, err)

    def test_a_killed_run_leaves_nothing(self):
        process = self.start("run", self.program("waits"))
        process.stdout.readline()
        process.kill()
        process.communicate(timeout=60)
        self.wait_for(lambda: self.folders() == [], "the kernel to remove its folder")

    def test_control_c_on_the_terminal_ends_the_program(self):
        """The terminal tells the whole group: the kernel must not end before the program."""
        trap = 'trap "echo caught; exit 7" INT; "$0" & wait'
        for words, expected, told in [
            ([self.program("waits")], 130, b""),
            (["sh", "-c", trap, self.program("waits")], 7, b"caught"),
            ([BERTH, "run", self.program("waits")], 130, b""),
        ]:
            pid, terminal = pty.fork()
            if pid == 0:
                os.execve(BERTH, [BERTH, "run", *words], self.env)
            output = b""
            while b"ready" not in output:
                output += os.read(terminal, 4096)
            os.write(terminal, b"\x03")
            try:
                while more := os.read(terminal, 4096):
                    output += more
            except OSError: # the last who had the terminal open has ended
                pass
            os.close(terminal)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), expected, output)
            self.assertIn(told, output)
            self.assertNotIn(b"berth run: ", output)
        self.assertEqual(self.folders(), [])

    def test_odd_names_of_programs_are_json(self):
        for name in ('quo"te\\', "new\nline", b"not\xffutf8".decode(errors="surrogateescape")):
            link = self.path(name)
            os.symlink(self.program("holds"), link)
            process = self.start("run", "sh", "-c", 'echo "$BERTH_KERNEL"; exec "$0"', link)
            self.env["BERTH_KERNEL"] = process.stdout.readline().strip()
            process.stdout.readline()
            for words in (["ps", "--json"], ["ports", "--json"], ["ports", "--queued", "--json"]):
                code, out, err = self.berth(*words)
                self.assertEqual((code, err), (0, ""))
                self.assertGreater(len(json.loads(out)), 0)
            process.terminate()
            process.communicate(timeout=60)
            del self.env["BERTH_KERNEL"]


unittest.main()
