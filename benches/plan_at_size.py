"""What it costs to plan a large run: `python benches/plan_at_size.py 600000`.

The inputs are sparse files of 102.55 MB, of which nothing is read but the start of the first one. Printed are seconds and peak memory
of a scan of the directory and of its tasks, and how many bytes a task takes to send.
"""

import pickle
import resource
import sys
import tempfile
import time
from pathlib import Path

import vecpack

SIZE = 102_550_000


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main(inputs):
    with tempfile.TemporaryDirectory() as directory:
        for number in range(inputs):
            with open(Path(directory) / f"{number:07}.msgpack", "wb") as file:
                if number == 0:
                    file.write((b"\xc5\x08\x00" + bytes(2048)) * 2000)
                file.truncate(SIZE)
        before = peak()
        begin = time.perf_counter()
        source = vecpack.scan(directory)
        print(f"scan of {inputs:,} inputs: {time.perf_counter() - begin:.1f} s, {peak() - before:.0f} MB more")
        for size in (128 << 20, 1 << 30):
            begin, before = time.perf_counter(), peak()
            tasks = source._tasks(size)
            seconds, memory = time.perf_counter() - begin, peak() - before
            length = len(pickle.dumps(tasks[-1][0]))
            print(
                f"{len(tasks):,} tasks of {size >> 20} MiB: {seconds:.1f} s, {memory:.0f} MB more, {length:,} bytes to send one"
            )
            del tasks


if __name__ == "__main__":
    main(int(sys.argv[1]))
