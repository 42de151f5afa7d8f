"""The SQL of the embedded store. Built from column names of our own and nothing else."""

# ruff: noqa: S608  no word of these statements comes from outside

from __future__ import annotations

from collector.schema import READING_COLUMNS

_COLUMNS = ", ".join(READING_COLUMNS)
_PLACES = ", ".join("?" * len(READING_COLUMNS))

# Writing --------------------------------------------------------------------------------------------

INSERT_ARRIVAL = "INSERT INTO arrival (received_at, origin) VALUES (?, ?)"
INSERT = f"""
    INSERT INTO reading ({_COLUMNS}) VALUES ({_PLACES})
    ON CONFLICT (span, meter, read_at, source) DO NOTHING
"""
INSERT_CONFLICT = f"INSERT INTO conflict ({_COLUMNS}) VALUES ({_PLACES})"
INSERT_CORRECTION = f"INSERT INTO correction ({_COLUMNS}, who, why) VALUES ({_PLACES}, ?, ?)"

_KEY = "span = ? AND meter = ? AND read_at = ?"
FIRST = f"SELECT {_COLUMNS} FROM reading WHERE {_KEY} AND source = ?"
CONFLICTS = f"SELECT {_COLUMNS} FROM conflict WHERE {_KEY} AND source = ?"
NEWEST_CORRECTION = f"SELECT {_COLUMNS} FROM correction WHERE {_KEY} ORDER BY number DESC LIMIT 1"

# Reading --------------------------------------------------------------------------------------------
#
# An ORDER BY of what is not selected, or an aggregate, makes SQLite build the whole view first.

_AMONG = "meter IN (SELECT value FROM json_each(:meters))"
_AT = f"span = :span AND read_at = :read_at AND {_AMONG}"
_UNDECIDED = """
    NOT EXISTS (
        SELECT 1 FROM correction WHERE correction.span = {table}.span AND correction.meter = {table}.meter
            AND correction.read_at = {table}.read_at AND correction.arrival > {table}.arrival
    )
"""
CLAIMS = f"""
    SELECT {_COLUMNS}, who, why FROM correction WHERE {_AT} AND NOT EXISTS (
        SELECT 1 FROM correction AS newer WHERE newer.span = correction.span
            AND newer.meter = correction.meter AND newer.read_at = correction.read_at
            AND newer.number > correction.number
    )
    UNION ALL
    SELECT {_COLUMNS}, NULL, NULL FROM reading WHERE {_AT} AND {_UNDECIDED.format(table="reading")}
    UNION ALL
    SELECT {_COLUMNS}, NULL, NULL FROM conflict WHERE {_AT} AND {_UNDECIDED.format(table="conflict")}
"""
"""The newest correction of an instant, and what arrived after every correction of it."""
ARRIVAL = "SELECT received_at, origin FROM arrival WHERE number = :number"

SPANS = """
    WITH RECURSIVE taken (span) AS (
        SELECT min(span) FROM reading WHERE span >= :first
        UNION ALL
        SELECT (SELECT min(span) FROM reading WHERE span > taken.span) FROM taken WHERE taken.span < :last
    )
    SELECT span FROM taken WHERE span <= :last
    UNION
    SELECT span FROM correction WHERE span BETWEEN :first AND :last
    ORDER BY span
"""
"""The spans that hold anything: each is one look, however many readings lie in it."""

_WITHIN = "span IN (SELECT value FROM json_each(:spans)) AND read_at BETWEEN :start AND :end"
SERIES = f"SELECT {_COLUMNS} FROM standing WHERE {_WITHIN} AND meter = :meter ORDER BY read_at, source"
ENERGIES = f"""
    SELECT read_at, source, layout, amounts FROM standing WHERE {_WITHIN} AND meter = :meter
    ORDER BY read_at, source
"""
INSTANTS = f"""
    SELECT read_at FROM reading WHERE {_WITHIN} AND meter = :meter
    UNION SELECT read_at FROM correction WHERE {_WITHIN} AND meter = :meter
    ORDER BY read_at
"""
METERS = f"""
    SELECT id FROM meter
    WHERE EXISTS (SELECT 1 FROM standing WHERE {_WITHIN} AND standing.meter = meter.number)
    ORDER BY id
"""
COVERAGE = f"""
    SELECT id, sum(instants) FROM (
        SELECT meter, count(DISTINCT read_at) AS instants FROM reading WHERE {_WITHIN} GROUP BY span, meter
        UNION ALL
        SELECT meter, count(DISTINCT read_at) FROM correction WHERE {_WITHIN} AND NOT EXISTS (
            SELECT 1 FROM reading WHERE reading.span = correction.span
                AND reading.meter = correction.meter AND reading.read_at = correction.read_at
        ) GROUP BY meter
    ) AS counted JOIN meter ON meter.number = counted.meter GROUP BY counted.meter
"""
"""Grouped by the key of the table, so that nothing is sorted."""
_OF_SPAN = "span = :span AND read_at >= :start AND read_at < :end"
READINGS_OF_SPAN = f"""
    SELECT {_COLUMNS} FROM standing JOIN meter ON meter.number = standing.meter
    WHERE {_OF_SPAN}
    ORDER BY read_at, id, source
"""
DISPUTABLE_OF_SPAN = f"""
    SELECT disputable.meter, read_at FROM (
        SELECT meter, read_at FROM reading WHERE {_OF_SPAN} GROUP BY meter, read_at HAVING count(*) > 1
        UNION SELECT meter, read_at FROM conflict WHERE {_OF_SPAN}
        UNION SELECT meter, read_at FROM correction WHERE {_OF_SPAN}
    ) AS disputable JOIN meter ON meter.number = disputable.meter ORDER BY read_at, id
"""
"""Where there can be two opinions: several sources, a conflict, or a correction that something may follow."""
OLD_TO_NEW_OF_SPAN = f"""
    SELECT {_COLUMNS} FROM standing WHERE span = :span AND read_at <= :until AND {_AMONG}
    ORDER BY read_at, source DESC
"""
