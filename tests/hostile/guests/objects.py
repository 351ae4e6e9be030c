"""
Makes one kernel object after the other, until the kernel refuses or time is up.

    objects.py WAY [SECONDS]   prints the number from time to time, and the error at the end
    objects.py                 lists the ways

docs/internals/kernel_memory.md has the result of each way in a small sandbox.
"""

import errno
import os
import sys
import time
import objects_files
import objects_net
import objects_processes
from objects_common import WAYS, many_files


def main():
    if len(sys.argv) < 2:
        print("\n".join(WAYS))
        return
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    many_files()
    one = WAYS[sys.argv[1]]()
    end = time.monotonic() + seconds
    made, shown, how = 0, 0, "time"
    try:
        while True:
            one(made)
            made += 1
            now = time.monotonic()
            if now > shown + 0.25:
                os.write(1, b"made %d\n" % made)
                shown = now
            if now > end:
                break
    except OSError as e:
        how = errno.errorcode.get(e.errno, str(e))
    except (MemoryError, RuntimeError) as e:
        how = type(e).__name__
    os.write(1, b"made %d\nended %s\n" % (made, how.encode()))
    time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    main()
