"""`berth run --strict`: a program stops at the call that misuses a right."""

import re
import signal
import unittest

from berth_command import BERTH, ProgramTest

SELF = r"mach_task_self\(\)"
NAME = "0x[0-9a-f]+"
NEVER = "not held, and it does not look as if it ever was"
RECEIVE = "a receive right, without a send right"
MAY = "newer versions kill the task, if its guard exceptions are fatal"
DOES = "newer versions always kill the task"

# way of misuse: code, call, flavor, what the name was, what macOS does
WAYS = {
    "never": (0xf, rf"mach_port_deallocate\({SELF}, 0x77703\)", "INVALID_NAME", NEVER, MAY),
    "twice": (0xf, rf"mach_port_deallocate\({SELF}, {NAME}\)", "INVALID_NAME",
              "not held any more: it was, and its last right is gone", MAY),
    "receive": (0x11, rf"mach_port_deallocate\({SELF}, {NAME}\)", "INVALID_RIGHT", RECEIVE, MAY),
    "below": (0x12, rf"mach_port_mod_refs\({SELF}, {NAME}, MACH_PORT_RIGHT_SEND, -2\)",
              "INVALID_VALUE", "a receive right and a send right with 1 user reference", MAY),
    "dead": (0x11, rf"mach_port_mod_refs\({SELF}, {NAME}, MACH_PORT_RIGHT_SEND, -1\)",
             "INVALID_RIGHT", "a dead name with 1 user reference: its port has died", MAY),
    "copy": (0x11, rf"mach_port_insert_right\({SELF}, {NAME}, {NAME}, MACH_MSG_TYPE_COPY_SEND\)",
             "INVALID_RIGHT", RECEIVE, MAY),
    "destroy": (0x11, rf"mach_port_destroy\({SELF}, {NAME}\)", "DESTROY", RECEIVE, DOES),
    "mod_refs": (0x11, rf"mach_port_mod_refs\({SELF}, {NAME}, MACH_PORT_RIGHT_RECEIVE, -1\)",
                 "MOD_REFS", RECEIVE, DOES),
    "wrong_guard": (0x4, rf"mach_port_destruct\({SELF}, {NAME}, 0, 0x8\)", "INCORRECT_GUARD",
                    RECEIVE, DOES),
    "no_guard": (0x4, rf"mach_port_unguard\({SELF}, {NAME}, 0x7\)", "UNGUARDED", RECEIVE, DOES),
    "context": (0x4, rf"mach_port_set_context\({SELF}, {NAME}, 0x8\)", "SET_CONTEXT", RECEIVE,
                DOES),
    "descriptor": (0x1000000a, f"mach_msg, sending message 77 to {NAME}", "SEND_INVALID_RIGHT",
                   RECEIVE, MAY),
    "immovable": (0x1000000a, f"mach_msg, sending message 77 to {NAME}", "IMMOVABLE", RECEIVE,
                  DOES),
    "reply": (0x10000009, f"mach_msg, sending message 77 to {NAME}", "SEND_INVALID_REPLY", NEVER,
              MAY),
    "receive_from": (0x10004002, "mach_msg, receiving", "RCV_INVALID_NAME", NEVER, MAY),
    "stubborn": (0xf, rf"mach_port_deallocate\({SELF}, 0x77703\)", "INVALID_NAME", NEVER, MAY),
}
# what is refused, or not, without being misuse
OTHERS = {"question": 0xf, "send_to_the_dead": 0x10000003, "thread": 0}


class Strict(ProgramTest):
    def misuse(self, *words, options=()):
        return self.berth("run", *options, self.program("misuse"), *words)

    def test_without_it_misuse_gives_its_code_and_the_program_goes_on(self):
        expected = {name: way[0] for name, way in WAYS.items()} | OTHERS
        code, out, err = self.misuse()
        self.assertEqual((code, err), (0, ""))
        lines = out.splitlines()
        self.assertEqual(lines[-1], "went on")
        given = {line.split()[0]: int(line.split()[1], 16) for line in lines[:-1]}
        self.assertEqual(given, expected)

    def test_with_it_misuse_stops_the_program_and_is_told(self):
        for way, (number, call, flavor, name, macos) in WAYS.items():
            with self.subTest(way):
                code, out, err = self.misuse(way, options=["--strict"])
                self.assertEqual((code, out), (128 + signal.SIGTRAP, ""), err)
                self.assertRegex(
                    err,
                    r"libberth: strict: misuse \(pid (\d+), thread \1\) is stopped in %s\n"
                    r"  misuse     .+\n"
                    r"  name       %s: %s\n"
                    r"  exception  EXC_GUARD, kGUARD_EXC_%s: code %s, subcode %s\n"
                    r"  macOS      %s; older ones only give 0x%x, .+\n"
                    r"  called by\n"
                    r"(.*\n)*.*misuse\("
                    % (call, NAME, re.escape(name), flavor, NAME, NAME, re.escape(macos), number))
                self.assertIn("killed by signal 5", err)
                callers = err[err.index("called by"):]
                self.assertNotIn("libberth", callers, "the library is not among its callers")

    def test_what_is_no_misuse_is_not_stopped(self):
        for way, number in OTHERS.items():
            self.assertEqual(self.misuse(way, options=["--strict"]),
                             (0, "%s 0x%x\nwent on\n" % (way, number), ""))

    def test_children_and_what_they_execute_are_strict_too(self):
        code, out, err = self.misuse("child", options=["--strict"])
        self.assertEqual((code, out), (133, "child signal 5\n"))
        self.assertEqual(err.count("is stopped in mach_port_deallocate"), 2, err)
        code, out, err = self.misuse("child")
        self.assertEqual((code, out, err), (0, "child status 15\nnever 0xf\nwent on\n", ""))

    def test_an_inner_run_decides_for_itself(self):
        code, _, err = self.berth("run", "--strict", BERTH, "run",
                                  self.program("misuse"), "never")
        self.assertEqual((code, err), (0, ""))

    def test_leaks_go_with_it(self):
        code, _, err = self.misuse("receive", options=["--leaks", "--strict"])
        self.assertEqual(code, 133)
        self.assertRegex(err, r"leak: \d+\(misuse\) ended with")


unittest.main()
