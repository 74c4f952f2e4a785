"""Other people's projects, built with CMake, Meson and plain make against an installed Berth:
a program and the stubs of its interface.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
import unittest

from berth_command import BerthTest, CLEAN

BUILD = os.environ["BERTH_BUILD"]
MESON = os.environ["MESON"]
PREFIX = os.environ["BERTH_PREFIX"]

SUMS = """#include <mach/std_types.defs>
subsystem sums 7100;
#ifdef WITH_PREFIX
serverprefix do_;
#endif
#include "more.defs"
routine sums_add(port : mach_port_t; a : int; b : int; out sum : sum_t);
"""
MORE = "type sum_t = int;\nimport \"sum.h\";\n"
SUM = "typedef int sum_t;\n"
# both sides in one program: the message goes by hand
PROGRAM = """#include <mach/mach.h>
#include "sums.h"
#include "sumsServer.h"

kern_return_t
do_sums_add(mach_port_t port, int a, int b, sum_t *sum)
{
    *sum = a + b;
    return KERN_SUCCESS;
}

int
main(void)
{
    __Request__sums_add_t in = { .Head.msgh_size = 40, .Head.msgh_id = 7100, .a = 20, .b = 22 };
    union __ReplyUnion__do_sums_subsystem out;
    int sum;

    if (sums_add(MACH_PORT_NULL, 1, 2, &sum) != MACH_SEND_INVALID_DEST)
        return 2;
    if (!sums_server(&in.Head, (mach_msg_header_t *)&out))
        return 1;
    return out.Reply_sums_add.RetCode || out.Reply_sums_add.sum != 42;
}
"""
USER_ONLY = """#include <mach/mach.h>
#include "sums.h"
int main(void) { int sum; return sums_add(MACH_PORT_NULL, 1, 2, &sum) != MACH_SEND_INVALID_DEST; }
"""

CMAKE = """cmake_minimum_required(VERSION 3.18)
project(other C)
find_package(Berth REQUIRED)
add_executable(program program.c)
target_include_directories(program PRIVATE .)
berth_add_mig(program sums.defs OPTIONS -DWITH_PREFIX=1 DEPENDS more.defs)
target_link_libraries(program PRIVATE Berth::Berth)
add_executable(user user.c)
target_include_directories(user PRIVATE .)
berth_add_mig(user sums.defs USER)
target_link_libraries(user PRIVATE Berth::BerthStatic)
"""

MESON_BUILD = """project('other', 'c')
subdir('berth-mig')
executable('program', 'program.c',
  berth_mig_user.process('sums.defs', extra_args: ['-DWITH_PREFIX=1']),
  berth_mig_server.process('sums.defs', extra_args: ['-DWITH_PREFIX=1']),
  dependencies: berth_dep)
executable('user', 'user.c', berth_mig_user.process('sums.defs'), dependencies: berth_dep)
"""


class Projects(BerthTest):
    @classmethod
    def setUpClass(cls):
        cls.destination = tempfile.mkdtemp(prefix="bi.", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.destination, ignore_errors=True)
        subprocess.run([*shlex.split(MESON), "install", "-C", BUILD, "--no-rebuild", "--quiet",
                        "--destdir", cls.destination], check=True, stdout=subprocess.DEVNULL,
                       env=dict(CLEAN, SKIP_SANITIZER="1"), timeout=120)
        cls.prefix = cls.destination + PREFIX
        cls.pkgconfig = next(folder for folder, _, names in os.walk(cls.prefix)
                             if "berth.pc" in names)

    def setUp(self):
        super().setUp()
        for name, text in [("sums.defs", SUMS), ("more.defs", MORE), ("sum.h", SUM),
                           ("program.c", PROGRAM), ("user.c", USER_ONLY)]:
            self.write(name, text)
        flags = os.environ.get("BERTH_PROGRAM_FLAGS", "")
        self.env.update(CC=os.environ["CC"], CFLAGS=flags, LDFLAGS=flags,
                        PKG_CONFIG_PATH=self.pkgconfig, PKG_CONFIG_SYSROOT_DIR=self.destination)
        libraries = os.path.dirname(self.pkgconfig)
        self.run_env = dict(self.env, LD_LIBRARY_PATH=libraries, BERTH_KERNEL="/no")

    def do(self, *words):
        done = subprocess.run(words, cwd=self.folder, env=self.env, capture_output=True, text=True,
                              check=False, timeout=300)
        self.assertEqual(done.returncode, 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def run_program(self, path):
        subprocess.run([self.path(path)], env=self.run_env, check=True, timeout=60)

    def cmake(self, generator):
        self.write("CMakeLists.txt", CMAKE)
        said = self.do("cmake", "-G", generator, "-S", ".", "-B", "out",
                       "-DCMAKE_PREFIX_PATH=" + self.prefix)
        self.assertNotIn("Warning", said)
        self.do("cmake", "--build", "out")
        self.run_program("out/program")
        if not self.env["CFLAGS"]:
            self.run_program("out/user")
        # what an interface includes is a reason to compile it again
        self.write("more.defs", MORE + "import <inttypes.h>;\n")
        self.do("cmake", "--build", "out", "--target", "program")
        with open(self.path("out/program.mig/sums.h"), encoding="utf-8") as file:
            self.assertIn("<inttypes.h>", file.read())
        self.run_program("out/program")
        self.assertNotIn("interface", self.do("cmake", "--build", "out", "--target", "program"))

    @unittest.skipUnless(shutil.which("cmake"), "no cmake")
    def test_cmake_with_make(self):
        self.cmake("Unix Makefiles")

    @unittest.skipUnless(shutil.which("cmake") and shutil.which("ninja"), "no cmake, no ninja")
    def test_cmake_with_ninja(self):
        self.cmake("Ninja")

    @unittest.skipUnless(shutil.which("cmake"), "no cmake")
    def test_cmake_says_what_is_wrong(self):
        self.write("CMakeLists.txt", CMAKE + "berth_add_mig(program sums.defs CLIENT)\n")
        done = subprocess.run(["cmake", "-S", ".", "-B", "out",
                               "-DCMAKE_PREFIX_PATH=" + self.prefix], cwd=self.folder,
                              env=self.env, capture_output=True, text=True, check=False,
                              timeout=300)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("what is CLIENT?", done.stderr)

    def test_meson(self):
        self.write("meson.build", MESON_BUILD)
        folder = self.destination + self.do(
            "pkg-config", "--variable=mesondir", "berth").strip().removeprefix(self.destination)
        shutil.copytree(folder, self.path("berth-mig"))
        self.do(*shlex.split(MESON), "setup", "out")
        self.do(*shlex.split(MESON), "compile", "-C", "out")
        self.run_program("out/program")
        self.run_program("out/user")

    def test_a_makefile(self):
        self.write("Makefile", """program: program.c sums.h
\tberth cc -DWITH_PREFIX=1 $(CFLAGS) sums.defs program.c -o $@
sums.h: sums.defs
\tmig -header $@ -user /dev/null -server /dev/null $<
""")
        self.env["PATH"] = os.path.join(self.prefix, "bin") + ":" + self.env["PATH"]
        self.do("make")
        self.run_program("program")


unittest.main()
