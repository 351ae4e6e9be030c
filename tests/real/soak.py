"""Runs programs, three at a time, as often as standard input says, in one sandbox. See
soak_test.ts.

    python3 soak.py SEED SCRIPT...

A line "run N" on standard input makes it run N of the scripts, in random order, each as often as
the others; after their end it prints the processes, descriptors and open files that are left.
"fill" fills the kernel's cache of missing names, which is no leak. A script must print the same
text each time, and end with the same status.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

WIDTH = 3
# LIMIT: seconds for one script.
PATIENCE_S = 300
ORPHANS_S = 10
NAMES = 70000


class Soak:
    def __init__(self, seed, scripts):
        self.rng = random.Random(seed)
        self.scripts = scripts
        self.deck = []
        self.first = {}
        self.running = {}

    def draw(self):
        if not self.deck:
            self.deck = self.scripts[:]
            self.rng.shuffle(self.deck)
        return self.deck.pop()

    def start(self, slot):
        script, work = self.draw(), "/tmp/soak/%d" % slot
        os.makedirs(work)
        env = {"PATH": os.environ["PATH"], "WORK": work, "HOME": work, "LANG": "C.UTF-8", "TERM": "dumb",
               "USER_HOME": work, "SOURCES": os.path.dirname(os.path.dirname(script)), "FULL": ""}
        output = tempfile.TemporaryFile()
        child = subprocess.Popen(["bash", script], env=env, stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=subprocess.DEVNULL)
        self.running[slot] = (child, script, work, output, time.monotonic())

    def ended(self, slot, code):
        _, script, work, output, _ = self.running.pop(slot)
        output.seek(0)
        result = (code, output.read())
        output.close()
        before = self.first.setdefault((script, slot), result)
        shutil.rmtree(work)
        if before != result:
            say("differs: %s: status %d, at first %d" % (script, code, before[0]))
            for now, then in zip(result[1].splitlines(), before[1].splitlines()):
                if now != then:
                    say("  now %r, at first %r" % (now[:300], then[:300]))
                    break

    def look(self):
        for slot, (child, script, _, _, since) in list(self.running.items()):
            code = child.poll()
            if code is not None:
                self.ended(slot, code)
            elif time.monotonic() - since > PATIENCE_S:
                say("stuck: %s" % script)
                subprocess.run(["ps", "-eo", "pid,ppid,stat,wchan,args"])
                child.kill()
                child.wait()
                self.ended(slot, -99)

    def run(self, count):
        while count > 0 or self.running:
            for slot in range(WIDTH):
                if count > 0 and slot not in self.running:
                    self.start(slot)
                    count -= 1
            time.sleep(0.02)
            self.look()
        end = time.monotonic() + ORPHANS_S
        while processes() > 1 and time.monotonic() < end:
            reap()
            time.sleep(0.05)
        say("rest: processes %d, descriptors %d, files %s" %
            (processes(), len(os.listdir("/proc/self/fd")) - 1, open("/proc/sys/fs/file-nr").read().split()[0]))


def reap():
    """Reaps orphans, which the first process of the sandbox inherits."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def processes():
    return sum(name.isdigit() for name in os.listdir("/proc"))


def say(text):
    print(text, flush=True)


def main():
    soak = Soak(int(sys.argv[1]), sys.argv[2:])
    say("ready")
    for line in sys.stdin:
        word, *count = line.split()
        if word == "fill":
            sum(os.path.exists("/tmp/none%d" % number) for number in range(NAMES))
        else:
            soak.run(int(count[0]))


main()
