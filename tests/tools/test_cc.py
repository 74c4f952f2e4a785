"""berth cc hands on what it is given and adds what is needed, no more.

Most tests look at the command line that a false compiler gets; the last ones compile.
"""

import os
import subprocess
import unittest

from berth_command import BERTH, BerthTest

FALSE_COMPILER = """#!/bin/sh
printf '%s\\n' "${0##*/}" "$@"
"""


class Compiler(BerthTest):
    def setUp(self):
        super().setUp()
        for name in ["my-cc", "my-c++"]:
            self.write(name, FALSE_COMPILER, 0o755)
        self.real_compiler = os.environ["CC"]
        self.env.update(CC=self.path("my-cc"), CXX=self.path("my-c++"))

    def words(self, *given, command="cc"):
        """What the compiler was called with."""
        code, out, err = self.berth(command, *given)
        self.assertEqual((code, err), (0, ""), given)
        return out.splitlines()

    def assert_hands_on(self, given, words):
        """All of @given stands in @words, side by side."""
        starts = [i for i in range(len(words)) if words[i : i + len(given)] == given]
        self.assertEqual(len(starts), 1, words)
        return words[1 : starts[0]], words[starts[0] + len(given) :]

    def before_and_after(self, *given, command="cc"):
        return self.assert_hands_on(list(given), self.words(*given, command=command))

    def test_compiling_and_linking_needs_both(self):
        before, after = self.before_and_after("a.c", "-o", "a")
        self.assertIn("-isystem", before)
        self.assertIn("-D__BERTH__=1", before)
        self.assertIn("-D__MACH__=1", before)
        self.assertIn("-pthread", before)
        self.assertNotIn("-D__APPLE__=1", before)
        self.assertIn("-lberth", after)

    def test_nothing_is_linked_where_the_compiler_does_not(self):
        for option in ["-c", "-S", "-E", "-M", "-MM", "-fsyntax-only"]:
            before, after = self.before_and_after(option, "a.c")
            self.assertIn("-isystem", before)
            self.assertEqual(after, [], option)

    def test_nothing_is_compiled_where_there_are_only_objects(self):
        for given in [["a.o"], ["libx.a", "-o", "a.c"], ["-lfoo"], ["-x", "assembler", "a.c"],
                      ["a.so.1"]]:
            before, after = self.before_and_after(*given)
            self.assertEqual(before, [], given)
            self.assertIn("-lberth", after)

    def test_no_input_adds_nothing(self):
        for given in [["-v"], ["--version"], ["-dumpmachine"], ["-print-search-dirs"],
                      ["-o", "a.c"], ["-I", "a.c"]]:
            self.assertEqual(self.words(*given), ["my-cc", *given])

    def test_every_option_is_handed_on_in_order(self):
        given = ["-std=c11", "-include", "x.h", "-DX=a b", "-Wl,-z,now", "a.c", "-x", "none",
                 "b.o", "-Lfoo", "-lfoo", "-MF", "a.d", "", "-Xlinker", "--apple", "-o", "--help"]
        self.before_and_after(*given)

    def test_the_language_tells_the_compiler(self):
        for given, compiler in [
            (["a.c"], "my-cc"),
            (["a.S"], "my-cc"),
            (["a.m"], "my-cc"),
            (["a.cc"], "my-c++"),
            (["a.cpp", "b.C", "c.o"], "my-c++"),
            (["a.mm"], "my-c++"),
            (["-x", "c++", "a.c"], "my-c++"),
            (["-xc++", "-"], "my-c++"),
            (["-x", "c", "a.cc"], "my-cc"),
            (["a.cc", "b.c"], "my-cc"),
            (["a.o"], "my-cc"),
        ]:
            self.assertEqual(self.words(*given)[0], compiler, given)
            self.assertEqual(self.words(*given, command="c++")[0], "my-c++", given)

    def test_c_beside_cxx_stays_c_and_gets_the_library_of_cxx(self):
        _, after = self.before_and_after("a.c", "b.cc")
        self.assertIn("-lstdc++", after)
        _, after = self.before_and_after("b.cc")
        self.assertNotIn("-lstdc++", after)

    def test_objective_c_gets_its_library(self):
        before, after = self.before_and_after("a.m")
        self.assertIn("-fobjc-exceptions", before)
        self.assertIn("-lobjc", after)
        before, after = self.before_and_after("a.m", "b.c")
        self.assertNotIn("-fobjc-exceptions", before)
        self.assertIn("-lobjc", after)

    def test_static_needs_no_path_at_run_time(self):
        _, after = self.before_and_after("-static", "a.c")
        self.assertIn("-lberth", after)
        self.assertNotIn("-rpath", after)
        _, after = self.before_and_after("-shared", "a.c")
        self.assertIn("-rpath", after)

    def test_no_libraries_where_none_are_wanted(self):
        for option in ["-nostdlib", "-nodefaultlibs", "-r"]:
            self.assertEqual(self.before_and_after(option, "a.c")[1], [])

    def test_options_in_files_count(self):
        self.write("compile", "-c 'my file.c'\n")
        before, after = self.before_and_after("@compile")
        self.assertIn("-isystem", before)
        self.assertEqual(after, [])
        self.write("outer", '"@compile" -DX=\\"y\\"')
        self.assertEqual(self.before_and_after("@outer")[1], [])
        self.write("loop", "@loop a.c")
        self.assertIn("-lberth", self.before_and_after("@loop")[1])
        self.before_and_after("@missing", "@.")

    def test_apple_is_defined_only_when_asked_for(self):
        words = self.words("--apple", "-c", "a.c")
        self.assertIn("-D__APPLE__=1", words)
        self.assertNotIn("--apple", words)

    def test_the_compiler_may_have_options(self):
        self.env["CC"] = " %s  -m64\t-flto " % self.path("my-cc")
        self.assertEqual(self.words("a.c")[:3], ["my-cc", "-m64", "-flto"])

    def test_cc_may_lead_back_to_berth_cc(self):
        self.write("cc", FALSE_COMPILER, 0o755)
        self.env.update(CC=BERTH + " cc", PATH=self.folder + ":" + self.env["PATH"])
        words = self.words("a.c")
        self.assertEqual(words[0], "cc")
        self.assertEqual(words.count("-lberth"), 1)

    def test_a_missing_compiler_is_told(self):
        self.env["CC"] = "no-such-compiler"
        code, _, err = self.berth("cc", "a.c")
        self.assertEqual(code, 1)
        self.assertIn("no-such-compiler", err)

    def test_the_exit_code_is_the_compilers(self):
        self.write("my-cc", "#!/bin/sh\nexit 33\n", 0o755)
        self.assertEqual(self.berth("cc", "a.c")[0], 33)

    def test_flags_can_be_printed_for_a_makefile(self):
        code, out, err = self.berth("cc", "--print-flags", "cflags")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("-isystem ", out)
        self.assertIn("-D__APPLE__=1", self.berth("cc", "--apple", "--print-flags=cflags")[1])
        self.assertIn("-lberth", self.berth("cc", "--print-flags", "libs")[1])


class CompilingTest(BerthTest):
    def setUp(self):
        super().setUp()
        self.env["CC"] = os.environ["CC"]

    def compile(self, *words):
        """With what this build of Berth needs in a program: its sanitizers."""
        return self.berth("cc", *os.environ.get("BERTH_PROGRAM_FLAGS", "").split(), *words)


class RealCompiler(CompilingTest):
    def test_a_program_compiles_and_links_without_further_flags(self):
        self.write("prog.c", "#include <mach/mach.h>\n"
                   "#include <string.h>\n"
                   "int main(void) { return MACH_PORT_NULL != 0; }\n")
        for flags in [[], ["-O2", "-Wall", "-Wextra", "-Werror"], ["-std=c11"], ["-static"]]:
            if "-static" in flags and os.environ.get("BERTH_PROGRAM_FLAGS"):
                continue  # sanitizers are not to be linked so
            code, out, err = self.compile(*flags, "prog.c", "-o", "prog")
            self.assertEqual((code, out, err), (0, "", ""), flags)
            subprocess.run([self.path("prog")], env=self.env, check=True, timeout=60)

    def test_objects_link_and_shared_objects_load(self):
        self.write("a.c", "int from_a(void) { return 0; }\n")
        self.write("b.c", "int from_a(void); int main(void) { return from_a(); }\n")
        for words in [["-c", "-fPIC", "a.c"], ["-shared", "a.o", "-o", "liba.so"],
                      ["b.c", "-L.", "-la", "-Wl,-rpath,.", "-o", "b"]]:
            self.assertEqual(self.compile(*words), (0, "", ""), words)
        subprocess.run([self.path("b")], cwd=self.folder, env=self.env, check=True, timeout=60)

    def test_text_from_standard_input_is_preprocessed(self):
        done = subprocess.run([BERTH, "cc", "-E", "-P", "-x", "c", "-"], input="__BERTH__ __MACH__",
                              env=self.env, capture_output=True, text=True, check=True, timeout=60)
        self.assertEqual(done.stdout.split()[-2:], ["1", "1"])
        done = subprocess.run([BERTH, "cc", "-U__MACH__", "-E", "-P", "-xc", "-"], input="__MACH__",
                              env=self.env, capture_output=True, text=True, check=True, timeout=60)
        self.assertEqual(done.stdout.split()[-1], "__MACH__")


SUMS = """#include <mach/std_types.defs>
subsystem sums 7100;
#ifdef WITH_PREFIX
serverprefix do_;
#endif
routine sums_add(port : mach_port_t; a : int; b : int; out sum : int);
routine sums_end(port : mach_port_t);
"""
CLIENT = """#include <mach/mach.h>
#include "sums.h"
int main(void) { int sum; return sums_add(MACH_PORT_NULL, 1, 2, &sum) != MACH_SEND_INVALID_DEST; }
"""
SERVER = """#include <mach/mach.h>
#include "sumsServer.h"
kern_return_t sums_add(mach_port_t port, int a, int b, int *sum) { *sum = a + b; return 0; }
kern_return_t sums_end(mach_port_t port) { return 0; }
int main(void)
{
    __Request__sums_add_t in = { .Head.msgh_size = 40, .Head.msgh_id = 7100, .a = 20, .b = 22 };
    union __ReplyUnion__sums_subsystem out;

    if (!sums_server(&in.Head, (mach_msg_header_t *)&out))
        return 1;
    return out.Reply_sums_add.RetCode || out.Reply_sums_add.sum != 42;
}
"""


class RealInterfaces(CompilingTest):
    """.defs on the command line."""

    def setUp(self):
        super().setUp()
        self.write("sums.defs", SUMS)
        self.write("client.c", CLIENT)
        self.write("server.c", SERVER)

    def run_program(self, name):
        subprocess.run([self.path(name)], cwd=self.folder, env=dict(self.env, BERTH_KERNEL="/no"),
                       check=True, timeout=60)

    def assert_clean(self):
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("berth-cc")],
                         [])

    def test_a_client_needs_no_server_functions(self):
        self.assertEqual(self.compile("-Wall", "-Werror", "sums.defs", "client.c", "-o", "client"),
                         (0, "", ""))
        self.assert_clean()

    def test_a_server_may_name_its_functions_as_the_user_does(self):
        self.assertEqual(self.compile("sums.defs", "server.c", "-o", "server"), (0, "", ""))
        self.run_program("server")
        self.assert_clean()

    def test_definitions_of_macros_are_meant_for_the_interface_too(self):
        self.write("server.c", SERVER.replace("t sums_", "t do_sums_")
                   .replace("ReplyUnion__sums", "ReplyUnion__do_sums"))
        self.assertEqual(self.compile("-DWITH_PREFIX", "-O2", "server.c", "sums.defs", "-o",
                                      "server"), (0, "", ""))
        self.run_program("server")

    def test_strict_and_odd_options_are_not_the_stubs_business(self):
        for options in [["-std=c99", "-pedantic-errors", "-Wall", "-Wextra", "-Werror",
                         "-Wconversion"],
                        ["-fPIC", "-pie"], ["-MMD", "-MF", "client.d"], ["-v"],
                        ["-Wl,-z,now", "-s"]]:
            code, _, err = self.compile(*options, "sums.defs", "client.c", "-o", "client")
            self.assertEqual(code, 0, (options, err))
        self.assertTrue(os.path.exists(self.path("client.d")))

    def test_imports_are_found_beside_the_interface(self):
        os.mkdir(self.path("there"))
        self.write("there/own.h", "typedef int own_t;\n")
        self.write("there/sums.defs", SUMS.replace("a : int", "a : own_t") .replace(
            "routine sums_add", 'import "own.h";\ntype own_t = int;\nroutine sums_add'))
        self.assertEqual(self.compile("there/sums.defs", "client.c", "-o", "client"), (0, "", ""))

    def test_c_gives_objects_of_both_sides(self):
        self.assertEqual(self.compile("-c", "sums.defs", "client.c"), (0, "", ""))
        for name in ["sumsUser.o", "sumsServer.o", "client.o"]:
            self.assertTrue(os.path.exists(self.path(name)), name)
        self.assertEqual(self.compile("client.o", "sumsUser.o", "-o", "client"), (0, "", ""))
        self.assertEqual(self.compile("-c", "sums.defs", "-o", "x.o")[0], 2)
        self.assertEqual(self.compile("-E", "sums.defs")[0], 2)
        self.assertEqual(self.compile("-fsyntax-only", "sums.defs", "client.c"), (0, "", ""))
        self.assert_clean()

    def test_what_mig_says_ends_it(self):
        self.write("bad.defs", SUMS + "routine x(a : nothing);\n")
        code, out, err = self.compile("bad.defs", "client.c", "-o", "client")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("bad.defs:8:", err)
        self.assertFalse(os.path.exists(self.path("client")))
        self.assertNotEqual(self.compile("missing.defs", "client.c")[0], 0)
        self.write("client.c", "nonsense\n")
        self.assertNotEqual(self.compile("sums.defs", "client.c")[0], 0)
        self.assert_clean()

    def test_two_interfaces_of_one_name_are_refused(self):
        os.mkdir(self.path("there"))
        self.write("there/sums.defs", SUMS)
        code, _, err = self.compile("sums.defs", "there/sums.defs", "client.c")
        self.assertEqual(code, 1)
        self.assertIn("same name", err)

    def test_cxx_programs_get_stubs_in_c(self):
        self.write("client.cc", CLIENT)
        self.assertEqual(self.compile("-std=c++17", "sums.defs", "client.cc", "-o", "client"),
                         (0, "", ""))

    def test_x_says_what_a_file_is(self):
        self.write("prog.defs", "int main(void) { return 0; }\n")
        self.assertEqual(self.compile("-x", "c", "prog.defs", "-o", "prog"), (0, "", ""))


unittest.main()
