#!/usr/bin/python3
"""Reads results of `go test -json`.

results.py show FILE     prints the packages, what skipped, the figures that tests measured, and all output of what failed
results.py skips FILE…   fails if a test skipped in one run and passed in none
"""

import collections
import json
import re
import sys

FIGURES = re.compile(r"^ *(shipped|random)_test\.go:")  # tests that measure; people compare their lines between runs
FIRST, LAST = 300, 100  # lines of one failed test


def events(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def show(path):
    output = collections.defaultdict(list)
    running = collections.defaultdict(set)
    for event in events(path):
        package = event.get("Package") or event["ImportPath"]
        test = event.get("Test", "")
        match event["Action"]:
            case "run":
                running[package].add(test)
            case "output" | "build-output":
                output[package, test].append(event["Output"])
                if FIGURES.match(event["Output"]) or (not test and event["Output"].startswith(("ok ", "FAIL\t", "?"))):
                    print(event["Output"], end="")
            case "pass" | "skip" if test:
                running[package].discard(test)
                if event["Action"] == "skip":
                    print(f"--- SKIP: {package} {test}")
            case "fail" | "build-fail" if not test:
                # What ended without a result belongs to the failure, too: after a panic or a timeout no test gets one.
                for name in ["", *sorted(running[package])]:
                    print(f"=== FAIL: {package} {name}")
                    lines = output[package, name]
                    print("".join(lines if len(lines) <= FIRST + LAST else [*lines[:FIRST], "…\n", *lines[-LAST:]]), end="")


def skips(paths):
    passed, skipped = set(), {}
    for path in paths:
        for event in events(path):
            if event.get("Test"):
                test = event["Package"], event["Test"]
                if event["Action"] == "pass":
                    passed.add(test)
                elif event["Action"] == "skip":
                    skipped[test] = path
    never = sorted(skipped.keys() - passed)
    for package, test in never:
        print(f"passed in no run: {package} {test}")
    print(f"{len(passed)} tests passed; {len(skipped)} skipped in one run, {len(skipped) - len(never)} of them passed in another")
    return bool(never)


if __name__ == "__main__":
    command, *files = sys.argv[1:]
    sys.exit(show(files[0]) if command == "show" else skips(files))
