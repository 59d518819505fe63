"""Lazy frames: polars gets what it would compute of everything, and no more is read than it takes."""

import os

import polars as pl
import pytest
import vecpack
from conftest import pack, vectors
from polars.testing import assert_frame_equal

EXPECTED = vectors(5000, 16)
ENGINES = pytest.mark.parametrize("engine", ["in-memory", "streaming"])


def records(start=0, rows=5000):
    return [{"id": start + n, "even": n % 2 == 0, "url": f"u{n}", "v": EXPECTED[n].tobytes()} for n in range(rows)]


@pytest.fixture
def source(write_file):
    return vecpack.scan([write_file("0.msgpack", records()), write_file("1.msgpack", records(5000))], vector="v")


QUERIES = {
    "everything": lambda frame: frame,
    "columns": lambda frame: frame.select("url", "id"),
    "vectors": lambda frame: frame.select(pl.col("v").arr.sum()),
    "head": lambda frame: frame.head(7),
    "long head": lambda frame: frame.head(9000),
    "none": lambda frame: frame.head(0),
    "more than there is": lambda frame: frame.head(20_000),
    "slice": lambda frame: frame.slice(4990, 20),
    "tail": lambda frame: frame.tail(3),
    "filter": lambda frame: frame.filter(pl.col("id") % 1000 == 7),
    "filter, other column": lambda frame: frame.filter(pl.col("even") & (pl.col("id") > 70)).select("url"),
    "filter then head": lambda frame: frame.filter(pl.col("id") > 4998).head(5),
    "head then filter": lambda frame: frame.head(50).filter(pl.col("id") > 44).select("url"),
    "nothing fits": lambda frame: frame.filter(pl.col("id") < 0),
    "count": lambda frame: frame.select(pl.len()),
    "count of some": lambda frame: frame.filter("even").select(pl.len()),
    "groups": lambda frame: frame.group_by("even").agg(pl.len(), pl.col("id").sum()).sort("even"),
    "join": lambda frame: frame.join(frame, on="id").filter(pl.col("id") < 20).select("id", "url_right").sort("id"),
    "row numbers": lambda frame: frame.with_row_index().filter(pl.col("index") == 6000),
}


@ENGINES
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_gives_what_it_gives_of_all_rows(source, query, engine):
    lazy = query(source.to_polars(lazy=True))
    expected = query(source.to_polars().lazy()).collect()
    for _ in range(2):
        assert_frame_equal(lazy.collect(engine=engine), expected)


def test_the_schema_is_known_without_a_scan(source, tmp_path):
    lazy = source.to_polars(lazy=True)
    (tmp_path / "0.msgpack").unlink()
    assert lazy.collect_schema() == {
        "id": pl.Int64,
        "even": pl.Boolean,
        "url": pl.String,
        "v": pl.Array(pl.Float32, 16),
    }


@ENGINES
def test_fields_that_no_query_needs_are_not_decoded(engine):
    broken = [*records(rows=4000), {"id": 4000, "even": True, "url": "", "v": b"?"}]
    lazy = vecpack.scan(pack(broken), vector="v").to_polars(lazy=True)
    assert lazy.select(pl.col("id").max()).collect(engine=engine).item() == 4000
    assert lazy.select(pl.len()).collect(engine=engine).item() == 4001
    with pytest.raises(vecpack.DecodeError, match="record 4000"):
        lazy.select("v").collect(engine=engine)


@ENGINES
def test_a_head_reads_the_start_of_the_first_file(tmp_path, write_file, engine):
    # Nobody writes to the second one: to open it is to wait for ever. The first one has its end missing.
    first = write_file("0.msgpack", pack(records()) + b"\xc1")
    os.mkfifo(tmp_path / "1.msgpack")
    source = vecpack.scan([first, tmp_path / "1.msgpack"], vector="v")
    assert source.to_polars(lazy=True).head(10).collect(engine=engine)["id"].to_list() == list(range(10))


def test_a_head_reads_no_more_than_a_step_of_a_stream():
    class Counting:
        def __init__(self, data):
            self.data, self.at, self.most = data, 0, 0

        def seekable(self):
            return True

        def tell(self):
            return self.at

        def seek(self, at):
            self.at = at

        def read(self, size):
            data = self.data[self.at : self.at + size]
            self.at += len(data)
            self.most = max(self.most, self.at)
            return data

    file = Counting(pack(records() * 4))
    source = vecpack.scan(file, vector="v")
    assert source.to_polars(lazy=True).head(10).collect().height == 10
    assert file.most <= 1 << 20 < len(file.data)


@pytest.mark.parametrize("policy", ["skip", "null"])
def test_policies_give_the_rows_and_rejects_of_a_whole_scan(policy):
    broken = [*records(rows=50), {"id": 50, "even": True, "url": "", "v": b"?"}]
    source = vecpack.scan(pack(broken), vector="v", on_error=policy)
    lazy = source.to_polars(lazy=True)
    assert lazy.select(pl.len()).collect().item() == source.count_rows() == (50 if policy == "skip" else 51)
    source.count_rows()
    lazy.select("id").collect()
    assert source.reject_count == 1
