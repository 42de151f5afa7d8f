"""The schema of billing.db: runs, as they were made. Nothing in it ever changes.

Columns are text as it stands in the extract: decimals plain, instants ISO 8601 in UTC with Z. `as_of` is when
the run was made; it is in no extract, since the same inputs must give the same bytes.
"""

from __future__ import annotations

_RUNS = """
CREATE TABLE runs (
    month TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    as_of TEXT NOT NULL,
    PRIMARY KEY (month, number),
    UNIQUE (month, digest)
) WITHOUT ROWID;
"""

_OF_RUN = """
    month TEXT NOT NULL,
    number INTEGER NOT NULL,
    position INTEGER NOT NULL,
"""

_LINES = f"""
CREATE TABLE run_rows ({_OF_RUN}
    contract TEXT NOT NULL,
    customer_number TEXT NOT NULL,
    delivery_point TEXT NOT NULL,
    since TEXT NOT NULL,
    until TEXT NOT NULL,
    energy TEXT NOT NULL,
    PRIMARY KEY (month, number, position),
    FOREIGN KEY (month, number) REFERENCES runs
) WITHOUT ROWID;
CREATE TABLE run_legs ({_OF_RUN}
    leg INTEGER NOT NULL,
    meter TEXT NOT NULL,
    since TEXT NOT NULL,
    until TEXT NOT NULL,
    start TEXT NOT NULL,
    end TEXT NOT NULL,
    unit TEXT NOT NULL,
    energy TEXT NOT NULL,
    PRIMARY KEY (month, number, position, leg),
    FOREIGN KEY (month, number, position) REFERENCES run_rows
) WITHOUT ROWID;
CREATE TABLE run_refusals ({_OF_RUN}
    delivery_point TEXT NOT NULL,
    contract TEXT NOT NULL,
    meter TEXT,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (month, number, position),
    FOREIGN KEY (month, number) REFERENCES runs
) WITHOUT ROWID;
CREATE TABLE run_warnings ({_OF_RUN}
    text TEXT NOT NULL,
    PRIMARY KEY (month, number, position),
    FOREIGN KEY (month, number) REFERENCES runs
) WITHOUT ROWID;
"""

_NEVER_CHANGES = "".join(
    f"""
CREATE TRIGGER {table}_never_change BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'a run never changes: make the next'); END;
"""
    for table in ("runs", "run_rows", "run_legs", "run_refusals", "run_warnings")
)

MIGRATIONS = (_RUNS + _LINES + _NEVER_CHANGES,)
