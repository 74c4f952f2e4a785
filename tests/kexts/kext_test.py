"""What the tests of kernel extensions share: a kernel of the test's own, kexts made on the spot."""

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.environ["BERTH_TOOLS_TESTS"])
from berth_command import BERTH, CLEAN, BerthTest  # pylint: disable=wrong-import-position

HERE = os.path.dirname(os.path.abspath(__file__))
SANITIZED = os.environ.get("BERTH_PROGRAM_FLAGS", "") != ""
PATIENCE_S = 60

PLIST = """<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict>
<key>CFBundleIdentifier</key><string>%s</string>
<key>CFBundleVersion</key><string>%s</string>
<key>CFBundleExecutable</key><string>%s</string>
<key>OSBundleLibraries</key><dict>%s</dict>
%s</dict></plist>
"""


def pairs(libraries):
    return "".join("<key>%s</key><string>%s</string>" % pair for pair in sorted(libraries.items()))


def alive(pid):
    """Is it a process, and no zombie?"""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class KextTest(BerthTest):
    """With a kernel that ends with the test."""

    made = None  # folder of what was compiled, by all tests of a file

    @classmethod
    def setUpClass(cls):
        if KextTest.made is None:
            KextTest.made = tempfile.mkdtemp(prefix="bk.", dir="/tmp")
            os.chmod(KextTest.made, 0o755)
            unittest.addModuleCleanup(shutil.rmtree, KextTest.made, ignore_errors=True)

    def setUp(self):
        super().setUp()
        os.umask(0o022)
        self.kernel = subprocess.Popen(
            [BERTH, "run", "--", "sh", "-c", "echo $BERTH_KERNEL; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env, cwd=self.folder, text=True)
        self.addCleanup(self.end_kernel)
        self.socket = self.kernel.stdout.readline().strip()
        self.assertTrue(os.path.exists(self.socket))
        self.env["BERTH_KERNEL"] = self.socket

    def end_kernel(self):
        """The kernel ends, and every kexthost with it."""
        pids = self.kexthosts()
        if self.kernel.stdin and not self.kernel.stdin.closed:
            self.kernel.stdin.close()
        self.kernel.wait(timeout=PATIENCE_S)
        self.kernel.stdout.close()
        self.wait_for(lambda: not any(alive(pid) for pid in pids), "the kexthosts to end")

    def kexthosts(self):
        """The pids of all kexthosts and supervisors of this test's kernel."""
        pids = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open("/proc/%s/cmdline" % name, "rb") as file:
                    is_host = b"berth-kexthost" in file.read().split(b"\0")[0]
                with open("/proc/%s/environ" % name, "rb") as file:
                    is_ours = b"BERTH_KERNEL=" + self.socket.encode() in file.read().split(b"\0")
            except OSError:
                continue
            if is_host and is_ours and alive(int(name)):
                pids.append(int(name))
        return pids

    # ---- making kexts

    def compile(self, output, *flags, source="subject.c"):
        """Compile by `berth cc --kext`: once for each list of flags."""
        key = hashlib.sha256(repr((source, flags)).encode()).hexdigest()[:16]
        made = os.path.join(KextTest.made, key + ".so")
        if not os.path.exists(made):
            subprocess.run([BERTH, "cc", "--kext", "-g", *flags, os.path.join(HERE, source), "-o", made],
                           env=dict(CLEAN, CC=os.environ["CC"]), check=True, timeout=120)
        os.makedirs(os.path.dirname(output), exist_ok=True)
        shutil.copy(made, output)
        return output

    def shared_object(self, name, *flags):
        return self.compile(self.path(name), *flags)

    def bundle(self, name, identifier="com.example.subject", version="1.0", libraries=None, more="",
               flags=(), compatible=None):
        """A bundle in the test's folder; its path."""
        path = self.path(name + ".kext")
        libraries = dict(libraries or {}, **{"com.apple.kpi.libkern": "9.0.0"})
        if compatible:
            more += "<key>OSBundleCompatibleVersion</key><string>%s</string>" % compatible
        base = os.path.basename(name)
        self.compile(os.path.join(path, "Contents", "MacOS", base), "-DIDENTIFIER=" + identifier,
                     '-DVERSION="%s"' % version, *flags)
        self.write(os.path.join(path, "Contents", "Info.plist"),
                   PLIST % (identifier, version, base, pairs(libraries), more))
        return path

    # ---- looking

    def kexts(self):
        code, out, err = self.berth("kext", "list", "--json")
        self.assertEqual((code, err), (0, ""))
        return {kext["identifier"]: kext for kext in json.loads(out)}

    def log(self, *words):
        code, out, err = self.berth("kext", "log", *words)
        self.assertEqual((code, err), (0, ""))
        return out

    def wait_log(self, text):
        self.wait_for(lambda: text in self.log(), "'%s' in the log" % text)
        return self.log()

    def load(self, *words):
        code, out, err = self.berth("kext", "load", *words)
        self.assertEqual((code, err), (0, ""))
        return out

    def familiar(self, name, *words):
        """Run berth by one of the names of macOS."""
        if not os.path.lexists(self.path(name)):
            os.symlink(BERTH, self.path(name))
        done = subprocess.run([self.path(name), *words], env=self.env, cwd=self.folder, check=False,
                              capture_output=True, text=True, timeout=PATIENCE_S)
        return done.returncode, done.stdout, done.stderr


def shell(text):
    return shlex.split(text)


__all__ = ["BERTH", "HERE", "KextTest", "PATIENCE_S", "PLIST", "SANITIZED", "alive", "pairs", "shell",
           "signal", "time", "unittest"]
