"""The store (DuckDB) and where prices come from.

`db` opens the store; `market`, `features`, `models`, `trading` and `journal` are plain functions of an open
connection, each the only writer of its tables; `sources` fetches daily bars.
"""
