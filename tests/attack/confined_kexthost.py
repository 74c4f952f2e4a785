#!/usr/bin/env python3
"""A kext gains no privileges by running programs.

usage: berth run -- with_kext BERTH KEXT confined_kexthost.py BERTH
"""

import json
import subprocess
import sys


def main():
    listed = subprocess.run([sys.argv[1], "kext", "list", "--json"], check=True,
                            capture_output=True, text=True).stdout
    pids = {row["pid"] for row in json.loads(listed)}
    if not pids:
        sys.exit("confined_kexthost.py: no kext is loaded")
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            if "NoNewPrivs:\t1\n" not in file.read():
                sys.exit(f"confined_kexthost.py: kexthost {pid} could gain privileges")


main()
