"""Reading an object of a store, against other clients: `python benches/store.py [--rounds 5] [--latency 0 20 50 100]`.

A server in a process of its own answers ranges of one object of 410 MB after a latency, each connection at 100 MB/s, as object
stores do. Each client brings the object into memory; vecpack decodes it besides. The clients take turns. Wants boto3 and obstore.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROWS, DIM = 200_000, 512
RECORD = b"\xc5\x08\x00" + bytes(4 * DIM)
SIZE = ROWS * len(RECORD)
CONNECTION = 100e6
"""Bytes a second of one connection."""
STEP = 1 << 20


class Handler(BaseHTTPRequestHandler):
    """One object at any key. `latency` is how long the server waits before it answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    latency = 0.0
    content = b""

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        begun = time.perf_counter()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        end = min(int(wanted[2]) + 1 if wanted and wanted[2] else SIZE, SIZE)
        time.sleep(self.latency)
        self.send_response_only(206 if wanted else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Last-Modified", formatdate(0, usegmt=True))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{SIZE}")
        self.end_headers()
        if self.command == "HEAD":
            return
        begun = time.perf_counter()
        try:
            for at in range(start, end, STEP):
                self.wfile.write(memoryview(self.content)[at : min(at + STEP, end)])
                ahead = (at - start) / CONNECTION - (time.perf_counter() - begun)
                if ahead > 0:
                    time.sleep(ahead)
        except OSError:  # the client has gone
            self.close_connection = True

    do_HEAD = do_GET


def serve(latency: float) -> None:
    Handler.latency, Handler.content = latency, RECORD * ROWS
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


def clients(port: int) -> dict[str, Callable[[], int]]:
    """What brings the object into memory, and gives how many bytes that are."""
    import boto3
    import obstore
    import vecpack
    from obstore.store import S3Store
    from pyarrow.fs import S3FileSystem

    endpoint = f"http://127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "a", "AWS_REGION": "us-east-1"}
    os.environ.update(keys, AWS_ENDPOINT_URL=endpoint, AWS_ALLOW_HTTP="true", AWS_EC2_METADATA_DISABLED="true")
    boto = boto3.client("s3", endpoint_url=endpoint)
    arrow = S3FileSystem(endpoint_override=f"127.0.0.1:{port}", scheme="http", access_key="a", secret_key="a")
    store = S3Store(
        "bucket", endpoint=endpoint, client_options={"allow_http": True}, virtual_hosted_style_request=False
    )

    def by_boto3() -> int:
        out = io.BytesIO()
        boto.download_fileobj("bucket", "key", out)
        return out.getbuffer().nbytes

    def by_pyarrow() -> int:
        with arrow.open_input_stream("bucket/key", buffer_size=8 << 20) as stream:
            return sum(iter(lambda: len(stream.read(8 << 20)), 0))

    def by_obstore() -> int:
        return len(obstore.get(store, "key").bytes())

    def by_obstore_ranges() -> int:
        starts = list(range(0, SIZE, 8 << 20))
        ends = [min(start + (8 << 20), SIZE) for start in starts]
        return sum(map(len, obstore.get_ranges(store, "key", starts=starts, ends=ends, coalesce=0)))

    def by_vecpack(**options: int) -> int:
        rows = sum(batch.num_rows for batch in vecpack.scan("s3://bucket/key", **options))
        return rows * len(RECORD)

    return {
        "boto3 download_fileobj": by_boto3,
        "pyarrow S3FileSystem": by_pyarrow,
        "obstore get": by_obstore,
        "obstore get_ranges, 8 MiB each": by_obstore_ranges,
        "vecpack.scan": by_vecpack,
        "vecpack.scan, store_window=32 MiB": lambda: by_vecpack(store_window=32 << 20),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=int, nargs="+", default=[0, 20, 50, 100], help="in milliseconds")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        return serve(options.serve)
    for latency in options.latency:
        command = [sys.executable, __file__, "--serve", str(latency / 1e3)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            try:
                measure(clients(int(server.stdout.readline())), latency, options.rounds)
            finally:
                server.kill()


def measure(clients: dict[str, Callable[[], int]], latency: int, rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(rounds):
        for name, client in clients.items():
            begin = time.perf_counter()
            size = client()
            seconds[name].append(time.perf_counter() - begin)
            assert size == SIZE, (name, size)
    print(f"{latency} ms, {CONNECTION / 1e6:.0f} MB/s a connection, median of {rounds} rounds")
    for name, times in seconds.items():
        print(f"  {name:34} {SIZE / statistics.median(times) / 1e6:7.0f} MB/s")


if __name__ == "__main__":
    main()
