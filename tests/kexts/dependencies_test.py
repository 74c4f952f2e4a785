"""What a kext is linked against is found, checked, loaded first, and shares its process.

Source: kext.md sections 2 and 3.
"""

import os
import shutil

from kext_test import KextTest, unittest

BASE, USER = "com.example.base", "com.example.user"
BASE_FLAGS = ["-DMORE=int base_number(void); int base_number(void) { return 42; }",
              '-DSTART=printf("base starts\\n"); return 0']
USER_FLAGS = ["-DMORE=int base_number(void);",
              '-DSTART=printf("base says %d, mine is %d\\n", base_number(), same_name()); return 0']


class Dependencies(KextTest):
    def base(self, name="base", version="1.5", compatible="1.2", **options):
        options.setdefault("flags", BASE_FLAGS)
        return self.bundle(name, identifier=BASE, version=version, compatible=compatible, **options)

    def user(self, name="user", wants="1.3", **options):
        options.setdefault("flags", USER_FLAGS)
        return self.bundle(name, identifier=USER, version="1.0.0", libraries={BASE: wants}, **options)

    def refused(self, path, *says, code=71):
        got, out, err = self.berth("kext", "load", path)
        self.assertEqual((got, out), (code, ""), err)
        for text in says:
            self.assertIn(text, err)

    def check_both(self, kexts):
        self.assertEqual(set(kexts), {BASE, USER})
        base, user = kexts[BASE], kexts[USER]
        self.assertEqual(base["pid"], user["pid"])
        self.assertLess(base["tag"], user["tag"])
        self.assertEqual((base["refs"], user["refs"]), (1, 0))
        self.assertEqual(user["dependencies"], [base["tag"]])

    def test_it_is_loaded_first_into_the_same_process(self):
        self.base()
        self.load(self.user())
        self.check_both(self.kexts())
        # "1.0.0" and "1.5" are texts of different sizes: each kext's own function is called
        log = self.wait_log("base says 42, mine is 6")
        self.assertLess(log.index("base starts"), log.index("base says"))

    def test_it_stays_while_others_are_linked_against_it(self):
        self.base()
        self.load(self.user())
        code, _, err = self.berth("kext", "unload", BASE)
        self.assertEqual(code, 3)
        self.assertIn("in use", err)
        self.assertIn("linked against it", err)
        self.assertEqual(self.berth("kext", "unload", USER)[0], 0)
        self.assertEqual(self.kexts()[BASE]["refs"], 0)
        self.assertEqual(self.berth("kext", "unload", BASE)[0], 0)
        self.wait_for(lambda: self.kexthosts() == [], "the kexthost to end")

    def test_what_is_loaded_already_is_joined(self):
        self.load(self.base())
        self.load(self.user())
        self.check_both(self.kexts())
        self.wait_log("base says 42")

    def test_it_is_found_in_plugins_and_in_folders_given(self):
        path = self.user()
        self.base("user.kext/Contents/PlugIns/base")
        self.load(path)
        self.assertEqual(self.berth("kext", "unload", USER, BASE)[0], 0)
        shutil.move(os.path.join(path, "Contents", "PlugIns"), self.path("elsewhere"))
        self.refused(path, "no kext com.example.base for version 1.3", "dependencies cannot")
        self.load("-d", self.path("elsewhere"), path)
        self.assertEqual(self.berth("kext", "unload", USER, BASE)[0], 0)
        self.load("--dependency=" + self.path("elsewhere/base.kext"), path)
        self.assertEqual(len(self.kexts()), 2)

    def test_the_first_version_that_serves_is_taken(self):
        self.base("a", version="1.2", compatible="1.0")
        self.base("b", version="2.0", compatible="2.0")
        third = self.base("c", version="1.3", compatible="1.3")
        self.load(self.user())
        self.assertEqual(self.kexts()[BASE]["path"], third)

    def test_versions_that_do_not_serve_are_told_of(self):
        path = self.user(wants="1.3")
        self.base(version="1.2", compatible="1.0")
        self.refused(path, "base.kext is version 1.2, too old for 1.3")
        self.base(version="2.0", compatible="1.4")
        self.refused(path, "base.kext is version 2.0, which no longer serves those who want 1.3")
        self.base(version="2.0", compatible=None)
        self.refused(path, "has no OSBundleCompatibleVersion")
        self.assertEqual(self.kexts(), {})

    def test_one_that_is_broken_is_told_of(self):
        path = self.user()
        broken = self.base(more="<key>OSBundleRequired</key><string>Never</string>")
        self.refused(path, broken, "OSBundleRequired")

    def test_one_whose_start_fails_is_named(self):
        self.base(flags=[BASE_FLAGS[0], "-DSTART=return 9"])
        self.refused(self.user(), "a dependency failed to load", BASE, "returned 9")
        self.assertEqual(self.kexts(), {})

    def test_one_that_others_may_write_is_refused(self):
        os.chmod(self.base(), 0o777)
        self.refused(self.user(), "authentication failed", "base.kext", code=77)

    def test_a_circle_is_refused(self):
        path = self.user()
        self.base(libraries={USER: "1.0"}, more="")
        self.user(compatible="1.0")
        self.refused(path, "linked against itself")

    def test_those_in_two_processes_cannot_be_joined(self):
        self.load(self.base())
        self.load(self.bundle("other", identifier="com.example.other", compatible="1.0"))
        self.assertEqual(len({kext["pid"] for kext in self.kexts().values()}), 2)
        path = self.bundle("user", identifier=USER,
                           libraries={BASE: "1.3", "com.example.other": "1.0"}, flags=USER_FLAGS)
        self.refused(path, "run in two processes", "unload")
        self.assertEqual(self.berth("kext", "unload", BASE, "com.example.other")[0], 0)
        self.load(path)
        self.assertEqual(len({kext["pid"] for kext in self.kexts().values()}), 1)

    def test_kextstat_shows_who_is_linked_against_whom(self):
        self.base()
        self.load(self.user())
        tag = self.kexts()[BASE]["tag"]
        code, out, _ = self.familiar("kextstat", "-l", "-b", USER)
        self.assertEqual(code, 0)
        self.assertTrue(out.endswith("%s (1.0.0) no UUID <%d>\n" % (USER, tag)), out)


if __name__ == "__main__":
    unittest.main()
