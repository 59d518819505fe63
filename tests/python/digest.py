"""What is in the column `vector` of Parquet files, bit for bit, as one line a file.

Also a program, for an environment with another pyarrow: it reads names of files from standard input. So this needs
pyarrow alone, and no newer one than 15.
"""

import hashlib
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def digest(column):
    """Which rows and elements are valid, and the bits of those that are."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    elements = column.filter(column.is_valid()).flatten()
    valid = elements.drop_null()
    bits = valid.view(pa.uint32() if valid.type == pa.float32() else pa.uint64())
    parts = [column.is_valid(), elements.is_valid(), bits]
    return " ".join(
        f"{len(part)}:{hashlib.sha256(np.ascontiguousarray(part.to_numpy(zero_copy_only=False))).hexdigest()[:16]}"
        for part in parts
    )


if __name__ == "__main__":
    for line in sys.stdin:
        path = line.rstrip("\n")
        try:
            print(digest(pq.read_table(path, columns=["vector"])["vector"]), flush=True)
        except Exception as error:  # is told, and makes the comparison fail
            print(type(error).__name__, str(error).replace("\n", " "), flush=True)
