"""Runs a program under callgrind and reads what it wrote. Standard library only."""

import collections
import glob
import os
import subprocess
import sys
import tempfile


class Profile:
    """Instructions of one run: of the first thread and of all others; for each by function and source file, and what
    calls from one function to another cost with all that they called."""

    def __init__(self):
        self.host = 0
        self.background = 0
        self.functions = {"host": collections.Counter(), "background": collections.Counter()}
        self.edges = {"host": collections.Counter(), "background": collections.Counter()}

    def minus(self, other):
        """What this run spent beyond the other."""
        left = Profile()
        left.host = self.host - other.host
        left.background = self.background - other.background
        for costs in ("functions", "edges"):
            for side, mine in getattr(self, costs).items():
                getattr(left, costs)[side].update(mine)
                getattr(left, costs)[side].subtract(getattr(other, costs)[side])
        return left


def profile(command, env, begin=None):
    """Runs `command`; gives its `Profile`, from the call of the function `begin` on, and what it printed."""
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "out")
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
        if begin:
            valgrind.append(f"--zero-before={begin}*")
        done = subprocess.run([*valgrind, *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stderr[-2000:]}")
        result = Profile()
        for path in glob.glob(out + "*"):
            read(path, result)
        return result, done.stdout


def read(path, result):
    """Adds the self cost of every function and source file in one thread's file."""
    names, side, function, callee, file, called = {}, "host", "", "", "", False

    def name(kind, text):
        number, _, rest = text.partition(" ")
        if rest:
            names[kind, number] = rest
        return names.get((kind, number), text)

    with open(path) as lines:
        for line in lines:
            key, _, value = line.rstrip("\n").partition("=")
            if line.startswith("thread:"):
                side = "host" if line.split()[1] == "1" else "background"
            elif key in ("fl", "fi", "fe"):
                file = name("file", value)
            elif key == "fn":
                function = name("function", value)
            elif key == "ob" or key == "cob":
                name("object", value)
            elif key == "cfn":
                callee = name("function", value)
            elif key in ("cfi", "cfl"):
                name("file", value)
            elif key == "calls":
                called = True
            elif line[:1] in "+-*0123456789" and line.strip():
                cost = int(line.split()[-1])
                if called:
                    # This line is what the callee spent.
                    called = False
                    result.edges[side][function, callee] += cost
                    continue
                result.functions[side][function, file] += cost
                if side == "host":
                    result.host += cost
                else:
                    result.background += cost
