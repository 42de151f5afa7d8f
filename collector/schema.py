"""The schema of collector.db: readings, and the books of what arrived.

Instants are whole microseconds since 1970 in UTC. `amounts` holds the registers' decimals as text, blank
between them, exactly as they came; `layout` says once which registers and units these are. They are text
because a decimal's text holds its exponent, and because few columns make a row quick: with an integer column
for each quantity SQLite took half as many rows a second. Readings lie by six-hour span, meter and time, so
that a slot's readings touch few pages and a meter's year is 1460 short looks. Nothing here names a customer.
"""

# ruff: noqa: S608  built from names of our own and nothing else

from __future__ import annotations

READING_COLUMNS = (
    "span",
    "meter",
    "read_at",
    "source",
    "layout",
    "quality",
    "asked_at",
    "meter_time",
    "info_code",
    "arrival",
    "amounts",
)

_READING = """
    span INTEGER NOT NULL,
    meter INTEGER NOT NULL,
    read_at INTEGER NOT NULL,
    source INTEGER NOT NULL,
    layout INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    asked_at INTEGER,
    meter_time TEXT,
    info_code TEXT,
    arrival INTEGER NOT NULL,
    amounts TEXT NOT NULL
"""

_STANDING = ", ".join(READING_COLUMNS)

_READINGS = f"""
CREATE TABLE meter (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
CREATE TABLE layout (number INTEGER PRIMARY KEY, registers TEXT NOT NULL UNIQUE);
CREATE TABLE arrival (number INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, origin TEXT NOT NULL);

CREATE TABLE reading ({_READING}, PRIMARY KEY (span, meter, read_at, source)) WITHOUT ROWID;
CREATE TABLE conflict (number INTEGER PRIMARY KEY AUTOINCREMENT, {_READING});
CREATE INDEX conflict_of ON conflict (span, meter, read_at);
CREATE TABLE correction (
    number INTEGER PRIMARY KEY AUTOINCREMENT, {_READING}, who TEXT NOT NULL, why TEXT NOT NULL
);
CREATE INDEX correction_of ON correction (span, meter, read_at);

CREATE VIEW standing AS
    SELECT {_STANDING} FROM reading WHERE NOT EXISTS (
        SELECT 1 FROM correction
        WHERE correction.span = reading.span AND correction.meter = reading.meter
            AND correction.read_at = reading.read_at
    )
    UNION ALL
    SELECT {_STANDING} FROM correction WHERE NOT EXISTS (
        SELECT 1 FROM correction AS newer
        WHERE newer.span = correction.span AND newer.meter = correction.meter
            AND newer.read_at = correction.read_at AND newer.number > correction.number
    );
"""

_APPEND_ONLY = "".join(
    f"""
CREATE TRIGGER {table}_never_changes BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'a {table} is never changed: correct it'); END;
"""
    for table in ("reading", "conflict", "correction", "arrival")
)

_BOOKS = """
CREATE TABLE epoch (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway TEXT NOT NULL,
    epoch TEXT NOT NULL,
    received TEXT NOT NULL,
    UNIQUE (gateway, epoch)
);
CREATE TABLE batch (
    epoch INTEGER NOT NULL REFERENCES epoch,
    seq INTEGER NOT NULL,
    digest BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;
CREATE TABLE missed (
    slot INTEGER NOT NULL,
    meter TEXT NOT NULL,
    gateway TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (slot, meter, gateway)
) WITHOUT ROWID;
CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    place TEXT NOT NULL,
    reason TEXT NOT NULL,
    octets INTEGER NOT NULL,
    digest BLOB NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (place, digest)
);
CREATE TABLE gateway (
    name TEXT PRIMARY KEY,
    online INTEGER NOT NULL,
    heard_at INTEGER NOT NULL,
    state TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE watched (
    meter TEXT NOT NULL,
    gateway TEXT NOT NULL,
    line TEXT,
    named_since INTEGER,
    first_slot INTEGER,
    last_slot INTEGER,
    PRIMARY KEY (meter, gateway)
) WITHOUT ROWID;
"""

MIGRATIONS = (_READINGS + _APPEND_ONLY + _BOOKS,)
