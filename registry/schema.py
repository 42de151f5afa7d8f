"""The schema of registry.db: who pays for which delivery point, and which meter hung there when.

Instants are ISO 8601 in UTC with six decimals, so that text order is time order. Registers of the exchange
form are kept as written. Identity codes lie in a table of their own: nothing that bills or lists touches it.
No reading lies here.
"""

from __future__ import annotations

_PEOPLE = """
CREATE TABLE customers (
    customer_number TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('person', 'organisation')),
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT NOT NULL,
    address TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE identity_codes (
    customer_number TEXT PRIMARY KEY REFERENCES customers,
    code TEXT NOT NULL
) WITHOUT ROWID;
"""

_SUPPLY = """
CREATE TABLE delivery_points (
    delivery_point TEXT PRIMARY KEY,
    pipe_line TEXT NOT NULL,
    address TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE contracts (
    contract TEXT PRIMARY KEY,
    customer_number TEXT NOT NULL REFERENCES customers,
    delivery_point TEXT NOT NULL REFERENCES delivery_points,
    valid_from TEXT NOT NULL,
    valid_to TEXT
) WITHOUT ROWID;
CREATE TABLE installations (
    delivery_point TEXT NOT NULL REFERENCES delivery_points,
    meter TEXT NOT NULL,
    installed_at TEXT NOT NULL,
    start_energy TEXT,
    removed_at TEXT,
    end_energy TEXT,
    energy_unit TEXT NOT NULL,
    PRIMARY KEY (delivery_point, meter, installed_at)
) WITHOUT ROWID;
"""

MIGRATIONS = (_PEOPLE + _SUPPLY,)
