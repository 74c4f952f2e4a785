"""The interfaces that Berth ships: every routine has its number, the messages their shape, and
the stubs of both sides compile without a warning, in C and C++.
"""

import json
import os
import shlex
import shutil
import subprocess
import unittest

from berth_command import BerthTest, SOURCE

MIG = os.environ["MIG"]
INTERFACES = os.path.join(SOURCE, "interfaces")
HEADERS = os.path.join(SOURCE, "headers")

# subsystem: base, what `~` stands for, "index name ..." (mig-language.md §9)
NUMBERS = {
    "notify": (64, "mach_notify_", """1 ~port_deleted 2 ~send_possible 5 ~port_destroyed
        6 ~no_senders 7 ~send_once 8 ~dead_name"""),
    "mach_port": (3200, "mach_port_", """0 ~names 1 ~type 2 ~rename 3 ~allocate_name 4 ~allocate
        5 ~destroy 6 ~deallocate 7 ~get_refs 8 ~mod_refs 9 ~peek 10 ~set_mscount
        11 ~get_set_status 12 ~move_member 13 ~request_notification 14 ~insert_right
        15 ~extract_right 16 ~set_seqno 17 ~get_attributes 18 ~set_attributes 19 ~allocate_qos
        20 ~allocate_full 21 task_set_port_space 22 ~get_srights 23 ~space_info
        24 ~dnrequest_info 25 ~kernel_object 26 ~insert_member 27 ~extract_member
        28 ~get_context 29 ~set_context 30 ~kobject 31 ~construct 32 ~destruct 33 ~guard
        34 ~unguard 35 ~space_basic_info 36 ~special_reply_port_reset_link
        37 ~guard_with_flags 38 ~swap_guard 39 ~kobject_description
        40 ~is_connection_for_service 41 ~get_service_port_info 42 ~assert_attributes"""),
    "task": (3400, "task_", """0 ~create 1 ~terminate 2 ~threads 3 mach_ports_register
        4 mach_ports_lookup 5 ~info 7 ~suspend 8 ~resume 9 ~get_special_port
        10 ~set_special_port 11 thread_create 12 thread_create_running 13 ~set_exception_ports
        14 ~get_exception_ports 15 ~swap_exception_ports 18 semaphore_create
        19 semaphore_destroy 20 ~policy_set 21 ~policy_get 29 ~assign 30 ~assign_default
        31 ~get_assignment 36 ~suspend2 37 ~resume2 39 ~get_mach_voucher 40 ~set_mach_voucher
        41 ~swap_mach_voucher 52 ~get_exc_guard_behavior 53 ~set_exc_guard_behavior 65 -"""),
    "thread_act": (3600, "thread_", """0 ~terminate 1 act_get_state 2 act_set_state 3 ~get_state
        4 ~set_state 5 ~suspend 6 ~resume 7 ~abort 8 ~abort_safely 9 ~depress_abort
        10 ~get_special_port 11 ~set_special_port 12 ~info 13 ~set_exception_ports
        14 ~get_exception_ports 15 ~swap_exception_ports 16 ~policy 17 ~policy_set
        18 ~policy_get 21 ~assign 22 ~assign_default 23 ~get_assignment 25 ~get_mach_voucher
        26 ~set_mach_voucher 31 -"""),
    "mach_host": (200, "host_", """0 ~info 1 ~kernel_version 2 _host_page_size 4 ~processor_info
        5 ~get_io_main 6 ~get_clock_service 13 processor_set_default 14 processor_set_create
        16 ~statistics 17 ~request_notification 19 ~statistics64 22 ~create_mach_voucher 34 -"""),
    "host_priv": (400, "host_", """0 ~get_boot_info 1 ~reboot 2 ~priv_statistics 4 vm_wire
        5 thread_wire 7 ~processors 8 ~get_clock_control 12 ~get_special_port
        13 ~set_special_port 14 ~set_exception_ports 15 ~get_exception_ports
        16 ~swap_exception_ports 18 mach_vm_wire 19 ~processor_sets 20 ~processor_set_priv
        23 ~set_UNDServer 24 ~get_UNDServer 25 -"""),
    "host_notify_reply": (950, "", "0 host_calendar_changed 1 host_calendar_set"),
    "host_security": (600, "", "1 -"),
    "exc": (2401, "exception_raise", "0 ~ 1 ~_state 2 ~_state_identity"),
    "mach_exc": (2405, "mach_exception_raise", "0 ~ 1 ~_state 2 ~_state_identity 5 -"),
    "clock": (1000, "clock_", "0 ~get_time 1 ~get_attributes 2 ~alarm"),
    "clock_priv": (1200, "clock_", "0 ~set_time 1 ~set_attributes"),
    "clock_reply": (3125107, "", "0 clock_alarm_reply"),
    "semaphore": (617200, "semaphore_", """0 ~signal 1 ~signal_all 2 ~wait 3 ~signal_thread
        4 ~timedwait 5 ~wait_signal 6 ~timedwait_signal"""),
    "mach_vm": (4800, "mach_vm_", """0 ~allocate 1 ~deallocate 2 ~protect 3 ~inherit 4 ~read
        5 ~read_list 6 ~write 7 ~copy 8 ~read_overwrite 9 ~msync 10 ~behavior_set 11 ~map
        12 ~machine_attribute 13 ~remap 14 ~page_query 15 ~region_recurse 16 ~region
        17 _mach_make_memory_entry 18 ~purgable_control 20 ~page_range_query 21 ~remap_new
        26 -"""),
    "vm_map": (3800, "vm_", """0 ~region 1 ~allocate 2 ~deallocate 3 ~protect 4 ~inherit 5 ~read
        6 ~read_list 7 ~write 8 ~copy 9 ~read_overwrite 10 ~msync 11 ~behavior_set 12 ~map
        13 ~machine_attribute 14 ~remap 15 task_wire 16 mach_make_memory_entry
        17 ~map_page_query 21 ~region_recurse 22 ~region_recurse_64 24 ~region_64
        25 mach_make_memory_entry_64 26 ~map_64 30 ~purgable_control 32 ~remap_new"""),
    "memory_entry": (4900, "", "0 mach_memory_entry_purgable_control 2 -"),
    "mach_voucher": (5400, "mach_voucher_", """0 ~extract_attr_content 1 ~extract_attr_recipe
        2 ~extract_all_attr_recipes 3 ~attr_command 4 ~debug_info"""),
    "mach_voucher_attr_control": (5600, "", "1 -"),
    "processor": (3000, "processor_", """0 ~start 1 ~exit 2 ~info 3 ~control 4 ~assign
        5 ~get_assignment"""),
    "processor_set": (4000, "processor_set_", """0 ~statistics 1 ~destroy 2 ~max_priority
        3 ~policy_enable 4 ~policy_disable 5 ~tasks 6 ~threads 7 ~policy_control 9 ~info 10 -"""),
    "task_access": (27000, "", "2 -"),
    "task_restartable": (8000, "", "1 task_restartable_ranges_synchronize"),
    "resource_notify": (827800, "", "4 -"),
    "mach_eventlink": (716200, "", "3 -"),
    "job": (400, "", """0 create_server 2 check_in2 3 register2 4 look_up2 6 parent 8 info
        9 subset 18 lookup_per_user_context 25 lookup_children 36 get_root_bootstrap 39 -"""),
    "job_forward": (400, "", "4 look_up2_forward"),
    "job_reply": (500, "", "4 look_up2_reply"),
    "launch": (52000, "launch_", """0 ~load 1 ~remove 2 ~list 3 ~print 4 ~kickstart 5 ~start
        6 ~stop 8 ~claim_port 9 ~create_service 10 ~status"""),
    "launch_reply": (52100, "launch_", "1 ~remove_reply 4 ~kickstart_reply"),
}

# routine: (request, reply), each its largest size and where things lie (mig-codegen.md §2.1,
# bootstrap.md §4); a reply of None: there is none
LAYOUTS = {
    "mach_port_allocate": ((36, {"right": 32}), (40, {"name": 36})),
    "mach_port_insert_right": ((52, {"poly": 28, "name": 48}), (36, {})),
    "mach_port_extract_right": ((40, {}), (40, {"poly": 28})),
    "mach_port_request_notification": (
        (60, {"notify": 28, "name": 48, "msgid": 52, "sync": 56}), (40, {"previous": 28})),
    "mach_port_names": ((24, {}), (76, {"names": 28, "types": 44, "namesCnt": 68, "typesCnt": 72})),
    "task_info": ((40, {"flavor": 32, "task_info_outCnt": 36}),
                  (416, {"task_info_outCnt": 36, "task_info_out": 40})),
    "task_get_special_port": ((36, {}), (40, {"special_port": 28})),
    "mach_ports_register": ((56, {"init_port_set": 28, "init_port_setCnt": 52}), (36, {})),
    "exception_raise": ((76, {"thread": 28, "task": 40, "exception": 60, "codeCnt": 64,
                              "code": 68}), (36, {})),
    "mach_exception_raise": ((84, {"code": 68}), (36, {})),
    "exception_raise_state": (None, (5228, {"flavor": 36, "new_stateCnt": 40, "new_state": 44})),
    "mach_notify_port_deleted": ((36, {"name": 32}), None),
    "mach_notify_no_senders": ((36, {"mscount": 32}), None),
    "mach_notify_dead_name": ((36, {"name": 32}), None),
    "mach_notify_port_destroyed": ((40, {"rights": 28}), None),
    "mach_notify_send_once": ((24, {}), None),
    "check_in2": ((168, {"name": 32, "flags": 160}), (64, {"service_port": 28, "instance": 48})),
    "register2": ((184, {"service_port": 28, "name": 48, "flags": 176}), (36, {})),
    "look_up2": ((188, {"name": 32, "pid": 160, "instance": 164, "flags": 180}),
                 (40, {"service_port": 28})),
    "look_up2_forward": ((188, {"name": 32, "pid": 160, "instance": 164, "flags": 180}), None),
    "create_server": ((552, {"command": 32, "uid": 544, "on_demand": 548}), (40, {})),
    "parent": ((24, {}), (40, {})),
    "subset": ((40, {"requestor": 28}), (40, {})),
    "info": ((40, {"flags": 32}), (96, {"names": 28, "jobs": 44, "statuses": 60, "namesCnt": 84,
                                        "jobsCnt": 88, "statusesCnt": 92})),
}


def definitions():
    for folder, _, names in os.walk(INTERFACES):
        for name in sorted(names):
            if name.endswith(".defs"):
                yield os.path.join(folder, name)


def has_subsystem(path):
    with open(path, encoding="utf-8") as file:
        return any(line.startswith("subsystem") for line in file)


def interface(path, *options):
    done = subprocess.run([MIG, *options, "--json", path], capture_output=True, text=True,
                          check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), (path, options, done.stderr)
    return json.loads(done.stdout)


def routines(read):
    return {routine["name"]: routine for routine in read["routines"] if routine["name"]}


class Interfaces(BerthTest):
    @classmethod
    def setUpClass(cls):
        cls.paths = [path for path in definitions() if has_subsystem(path)]
        options = ["-DMACH_NOTIFY_SEND_POSSIBLE_EXPECTED=1"]
        cls.read = {}
        for path in cls.paths:
            read = interface(path, *options)
            cls.read[read["subsystem"]] = read

    def expected(self, subsystem):
        base, prefix, text = NUMBERS[subsystem]
        words = text.split()
        names = {int(words[i]): words[i + 1].replace("~", prefix)
                 for i in range(0, len(words), 2)}
        return base, names

    def test_every_routine_has_its_number(self):
        self.assertEqual(set(self.read), set(NUMBERS))
        for subsystem, read in self.read.items():
            base, names = self.expected(subsystem)
            self.assertEqual(read["base"], base, subsystem)
            self.assertEqual(len(read["routines"]), max(names) + 1, subsystem)
            found = {routine["ordinal"]: routine["name"] for routine in read["routines"]
                     if routine["name"]}
            wanted = {index: name for index, name in names.items() if name != "-"}
            self.assertEqual(found, wanted, subsystem)
            for routine in read["routines"]:
                self.assertEqual(routine["id"], base + routine["ordinal"])

    def test_the_kernel_has_the_same_numbers_for_what_it_serves(self):
        served = 0
        for path in self.paths:
            for option in ["-DKERNEL_SERVER=1", "-DKERNEL_USER=1"]:
                read = interface(path, option)
                base, names = self.expected(read["subsystem"])
                self.assertEqual(read["base"], base)
                self.assertEqual(len(read["routines"]), max(names) + 1, (path, option))
                for name, routine in routines(read).items():
                    self.assertEqual(names[routine["ordinal"]], name, (path, option))
                    served += option == "-DKERNEL_SERVER=1"
        self.assertGreater(served, 40)

    def test_messages_have_their_layouts(self):
        left = dict(LAYOUTS)
        for read in self.read.values():
            for name, routine in routines(read).items():
                for which, wanted in zip(["request", "reply"], left.pop(name, [])):
                    message = routine[which]
                    if wanted is None:
                        continue
                    places = {d["argument"]: d["offset"] for d in message["descriptors"]}
                    places.update((f["name"], f["offset_max"]) for f in message["fields"])
                    self.assertEqual(message["size_max"], wanted[0], (name, which))
                    self.assertEqual({key: places[key] for key in wanted[1]}, wanted[1], name)
        self.assertEqual(left, {})

    def test_one_way_messages_have_no_reply(self):
        for subsystem in ["notify", "clock_reply", "job_forward", "launch_reply"]:
            for routine in routines(self.read[subsystem]).values():
                self.assertIsNone(routine["reply"])

    def test_stubs_compile_without_a_warning(self):
        flags = ["-std=gnu11", "-D__BERTH__=1", "-D__MACH__=1", "-I", HEADERS, "-I", self.folder,
                 "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
        variants = [[], ["-DSEQNOS=1"], ["-D_MACH_VM_PUBLISH_AS_LOCAL_=1"],
                    ["-DEXC_SERVER_AUDITTOKEN=1", "-DMACH_EXC_SERVER_AUDITTOKEN=1"]]
        touched = {1: ["notify"], 2: ["mach_vm", "vm_map"], 3: ["exc", "mach_exc"]}
        headers = []
        for number, options in enumerate(variants):
            sources = []
            for path in self.paths:
                name = os.path.basename(path)[:-len(".defs")]
                if number in touched and name not in touched[number]:
                    continue
                files = [self.path(f"{name}{number}{suffix}")
                         for suffix in ["User.c", "Server.c", ".h", "Server.h"]]
                subprocess.run([MIG, *options, "-user", files[0], "-server", files[1], "-header",
                                files[2], "-sheader", files[3], path], check=True, timeout=60)
                sources += files[:2]
                headers += files[2:]
            done = subprocess.run([*shlex.split(os.environ["CC"]), *flags, *sources],
                                  capture_output=True, text=True, check=False, timeout=300)
            self.assertEqual((done.returncode, done.stderr), (0, ""), options)
        if not shutil.which("c++"):
            return
        for header in headers:
            done = subprocess.run(["c++", "-x", "c++", "-std=c++17", *flags[1:], header],
                                  capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""), header)


class Json(BerthTest):
    TEXT = """#include <mach/std_types.defs>
subsystem sums 500;
serverprefix do_;
type words_t = array[*:4] of int;
skip;
routine add(port : mach_port_t; words : words_t; s : s_t = c_string[*:9], const;
            out sum : int; out text : pointer_t, dealloc);
simpleroutine note(requestport port : mach_port_t; right : mach_port_move_send_t);
"""

    def test_all_that_is_known_is_told(self):
        read = interface(self.write("sums.defs", self.TEXT))
        self.assertEqual((read["subsystem"], read["base"], read["demux"]),
                         ("sums", 500, "sums_server"))
        self.assertEqual((read["user_prefix"], read["server_prefix"]), ("", "do_"))
        self.assertIn({"kind": "import", "file": "<mach/mig.h>"}, read["imports"])
        words = [type for type in read["types"] if type["name"] == "words_t"]
        self.assertEqual([(words[0][key]) for key in ("carriage", "extent", "form", "capacity",
                                                      "element", "size_max", "line")],
                         ["inline", "bounded", "array", 4, "int", 16, 4])
        skip, add, note = read["routines"]
        self.assertEqual((skip["name"], skip["id"]), (None, 500))
        self.assertEqual((add["id"], add["simple"], add["server_function"], add["line"]),
                         (501, False, "do_add", 6))
        arguments = {argument["name"]: argument for argument in add["arguments"]}
        self.assertEqual(arguments["port"]["role"], "request_port")
        self.assertTrue(arguments["words"]["has_count"])
        self.assertEqual(arguments["words"]["type"], "words_t")
        self.assertTrue(arguments["s"]["const"])
        self.assertTrue(arguments["text"]["dealloc"])
        request = add["request"]
        self.assertEqual([(f["name"], f["kind"], f["offset_max"], f["cut_before"])
                          for f in request["fields"]],
                         [("wordsCnt", "count", 32, 0), ("words", "value", 36, 0),
                          ("sOffset", "offset", 52, 1), ("sCnt", "count", 56, 1),
                          ("s", "value", 60, 1)])
        self.assertEqual((request["size_min"], request["size_max"]), (44, 72))
        self.assertEqual(add["reply"]["descriptors"],
                         [{"argument": "text", "offset": 28, "size": 16, "count": 1}])
        self.assertEqual((note["simple"], note["reply"], note["request"]["complex"]),
                         (True, None, True))

    def test_the_same_input_gives_the_same_text(self):
        path = self.write("sums.defs", self.TEXT)
        texts = {subprocess.run([MIG, "--json", path], check=True, capture_output=True,
                                timeout=60).stdout for _ in range(3)}
        self.assertEqual(len(texts), 1)

    def test_a_wrong_file_gives_no_text(self):
        path = self.write("sums.defs", self.TEXT + "routine x(a : nothing);\n")
        done = subprocess.run([MIG, "--json", path], capture_output=True, text=True, check=False,
                              timeout=60)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("sums.defs:9:", done.stderr)


unittest.main()
