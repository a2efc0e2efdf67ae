"""Both conversions with polars and with duckdb: frames.py LIBRARY CONVERSION INPUT OUTPUT."""

import os
import sys

FIELDS = ["mod", "no", "user", "group", "usrno", "date", "file"]
LINE = r"^(\S+) +(\d+) (\S+) +(\S+) +(\d+) (\S+ +\d+ +\S+) (.*)$"


def polars_text_to_csv(source, target):
    import polars as pl

    lines = pl.read_csv(
        source, has_header=False, separator="\n", quote_char=None, new_columns=["line"], infer_schema=False
    )
    fields = lines.select(pl.col("line").str.extract_groups(LINE).alias("fields"))
    fields.unnest("fields").write_csv(target, include_header=False)


def polars_csv_to_json(source, target):
    import polars as pl

    records = pl.read_csv(source, has_header=False, new_columns=FIELDS, infer_schema=False)
    records.write_ndjson(target)


def duckdb_text_to_csv(source, target):
    import duckdb

    names = ", ".join(f"'{name}'" for name in FIELDS)
    lines = (
        f"read_csv('{source}', delim='\x01', quote='', escape='', header=false, auto_detect=false, "
        "columns={'line': 'VARCHAR'})"
    )
    duckdb.sql(
        f"COPY (SELECT fields.* FROM (SELECT regexp_extract(line, '{LINE}', [{names}]) AS fields FROM {lines})) "
        f"TO '{target}' (FORMAT csv, HEADER false)"
    )


def duckdb_csv_to_json(source, target):
    import duckdb

    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in FIELDS)
    duckdb.sql(
        f"COPY (FROM read_csv('{source}', header=false, auto_detect=false, quote='\"', escape='\"', "
        f"columns={{{columns}}})) TO '{target}' (FORMAT json)"
    )


library, conversion, source, target = sys.argv[1:]
globals()[f"{library}_{conversion.replace('-', '_')}"](source, target)
with open(target, "rb") as output:
    os.fsync(output.fileno())
os.remove(source)
