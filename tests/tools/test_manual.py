"""The manual is well-formed, tells of every option, and its examples compile."""

import glob
import os
import re
import subprocess
import unittest

from berth_command import BERTH, SOURCE, BerthTest, read

PAGES = sorted(glob.glob(os.path.join(SOURCE, "docs", "man", "*.[1-9]")))
PAGE_OF = {"run": "berth-run.1", "cc": "berth-cc.1", "ps": "berth-ps.1", "ports": "berth-ports.1",
           "trace": "berth-trace.1", "kctl": "berth-kctl.1", "events": "berth-events.1"}
KEXT_COMMANDS = ("load", "unload", "list", "log")


def page(name):
    return read(os.path.join(SOURCE, "docs", "man", name))


class Manual(BerthTest):
    @unittest.skipUnless(os.environ.get("MANDOC"), "mandoc is not installed")
    def test_every_page_is_well_formed(self):
        self.assertGreaterEqual(len(PAGES), 8)
        done = subprocess.run([os.environ["MANDOC"], "-T", "lint", "-W", "warning", *PAGES],
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_every_reference_within_berth_leads_to_a_page(self):
        for path in PAGES:
            for name, section in re.findall(r"^\.Xr ((?:berth|mig)\S*) (\d)", read(path), re.MULTILINE):
                target = os.path.join(SOURCE, "docs", "man", "%s.%s" % (name, section))
                self.assertTrue(os.path.exists(target), (path, name))

    def test_every_option_of_the_help_is_in_the_manual_and_the_other_way_round(self):
        for command, name in PAGE_OF.items():
            _, out, _ = self.berth(command, "--help")
            helped = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", out)) - {"help"}
            described = set(re.findall(r"^\.It Fl -([a-z][a-z-]+)", page(name), re.MULTILINE))
            self.assertEqual(helped, described - {"help"}, command)

    def test_every_option_of_berth_kext_is_in_its_manual(self):
        helped = set()
        for command in KEXT_COMMANDS:
            _, out, _ = self.berth("kext", command, "--help")
            self.assertIn("Usage: berth kext " + command, out)
            helped |= set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", out))
        described = set(re.findall(r"^\.It (?:Fl \w , )?Fl -([a-z][a-z-]+)", page("berth-kext.1"),
                                   re.MULTILINE))
        self.assertEqual(helped - {"help"}, described)

    def test_every_option_of_the_familiar_names_is_in_the_manual(self):
        for name in ("kextload", "kextunload", "kextstat"):
            os.symlink(BERTH, self.path(name))
            done = subprocess.run([self.path(name), "-h"], env=self.env, capture_output=True,
                                  text=True, check=True, timeout=60)
            helped = set(re.findall(r"^  -(\w)", done.stdout, re.MULTILINE))
            described = set(re.findall(r"^\.It Fl (\w)", page(name + ".8"), re.MULTILINE))
            self.assertEqual(helped, described, name)

    def test_every_option_of_mig_is_in_its_manual(self):
        done = subprocess.run([os.environ["MIG"], "--help"], capture_output=True, text=True,
                              check=True, timeout=60)
        helped = set(re.findall(r"(?:^  |, )(--?[A-Za-z]+)", done.stdout, re.MULTILINE))
        self.assertGreater(len(helped), 20)
        text = page("mig.1")
        described = {"-" + option for option in re.findall(r"\bFl (\S+)", text)}
        self.assertEqual(helped - described, set())

    def test_every_command_is_in_the_first_page(self):
        _, out, _ = self.berth("--help")
        commands = re.findall(r"^  (\S+) +\w", out.split("Commands:")[1].split("Environment")[0],
                              re.MULTILINE)
        self.assertGreater(len(commands), 5)
        for command in commands:
            item = r"^\.It Cm (?:.* )?%s(?: |$)" % re.escape(command)
            self.assertTrue(re.search(item, page("berth.1"), re.MULTILINE), command)

    def test_the_examples_of_berth_port_fd_compile(self):
        text = page("berth_port_fd.3")
        examples = re.findall(r"^\.Bd -literal$\n(.*?)^\.Ed$", text, re.MULTILINE | re.DOTALL)
        self.assertEqual(len(examples), 2)
        self.env["CC"] = os.environ["CC"]
        for number, example in enumerate(examples):
            source = self.write("example%d.c" % number, example.replace("\\e", "\\"))
            if "<uv.h>" in example and not os.path.exists("/usr/include/uv.h"):
                continue
            code, _, err = self.berth("cc", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
                                      "-fsyntax-only", source)
            self.assertEqual((code, err), (0, ""))


unittest.main()
