"""Checks that Polars, pandas, PyArrow and DuckDB read what reslab writes, unchanged.

    cargo run --release -p reslab-results --example sample_tables -- FOLDER
    python crates/results/tests/other_readers.py FOLDER
"""

import json
import math
import sys
from pathlib import Path

import duckdb
import pandas
import polars
import pyarrow.parquet

COLUMNS = ["run_id", "epoch", "loss", "residual", "nothing", "no_number"]
ROWS = [
    ("0123456789abcdef", 2**63 - 1, 0.1, True, None, None),
    ('naïve, "quoted"', None, math.nan, None, None, None),
    ("", -1, -math.inf, False, None, None),
    ("last", 0, None, True, None, None),
]


def same(found, expected):
    """Equal, with NaN equal to itself and null told apart from it."""
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(found, float) and math.isnan(found)
    return found == expected and type(found) is type(expected)


def check(reader, found, expected):
    assert len(found) == len(expected), (reader, found)
    for row, right in zip(found, expected):
        assert len(row) == len(right), (reader, row)
        assert all(map(same, row, right)), (reader, row, right)
    print(f"{reader}: {len(found)} rows as written")


def pandas_rows(path):
    # Arrow-backed columns; pandas' own float columns cannot tell null from NaN.
    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    assert list(frame.columns) == COLUMNS
    arrays = [frame[name].array.__arrow_array__().to_pylist() for name in COLUMNS]
    return list(zip(*arrays))


def main(folder):
    for name, rows in [("sample", ROWS), ("empty", [])]:
        path = str(folder / f"{name}.parquet")
        frame = polars.read_parquet(path)
        assert frame.columns == COLUMNS
        kinds = [polars.String, polars.Int64, polars.Float64, polars.Boolean, polars.String, polars.Float64]
        assert frame.dtypes == kinds, frame.dtypes
        check("Polars", frame.rows(), rows)
        check("pandas", pandas_rows(path), rows)
        plain = pandas.read_parquet(path)
        assert list(plain.columns) == COLUMNS and len(plain) == len(rows)
        table = pyarrow.parquet.read_table(path)
        check("PyArrow", list(zip(*(column.to_pylist() for column in table.columns))), rows)
        relation = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
        assert relation.columns == COLUMNS
        check("DuckDB", relation.fetchall(), rows)
        metadata = pyarrow.parquet.read_metadata(path).metadata
        described = json.loads(metadata[b"reslab.columns"])
        assert [column["name"] for column in described] == COLUMNS
        assert described[2]["unit"] == "nats" and metadata[b"reslab.schema"] == b"sample"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
