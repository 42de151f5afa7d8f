"""The extract as a file for the invoicing system, and the control record that proves it arrived whole.

CSV with semicolons and a decimal comma, UTF-8 with BOM and CRLF, as spreadsheets in Finland expect it. The
columns are the names of the JSON rows; legs are evidence and stay in the run (`billing show RUN --json`). A
run's file is the same bytes every time, so its digest tells a repeat from another delivery.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from contextlib import suppress
from pathlib import Path

from billing.documents import UNIT, row_document
from billing.extract import Extract
from billing.rounding import plain
from billing.runs import Run
from kaukoluenta.errors import UsageError

COLUMNS = ("contract", "customer_number", "delivery_point", "from", "to", "energy", "unit")


def extract_file(extract: Extract) -> bytes:
    """The rows as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in extract.rows:
        document = row_document(row)
        document["energy"] = document["energy"].replace(".", ",")
        writer.writerow(document[column] for column in COLUMNS)
    return text.getvalue().encode("utf-8-sig")


def control_record(run: Run, octets: bytes) -> bytes:
    """Rows, sum and SHA-256 of the file's bytes."""
    record = {
        "run": str(run.name),
        "rows": len(run.extract.rows),
        "sum": plain(run.extract.energy),
        "unit": UNIT,
        "sha256": hashlib.sha256(octets).hexdigest(),
    }
    return (json.dumps(record, indent=2) + "\n").encode()


def export_run(run: Run, out: Path) -> Path:
    """Write the file, then its control record beside it; return the latter's path. Raises UsageError."""
    if not out.name or out.is_dir():
        raise UsageError(f"{out} is a folder.", remedy="Give a file with --out.")
    octets = extract_file(run.extract)
    control = out.with_name(f"{out.name}.control.json")
    _write_whole(out, octets)
    _write_whole(control, control_record(run, octets))
    return control


def _write_whole(path: Path, octets: bytes) -> None:
    """Whole or not at all, and for its owner only: customer numbers are in it."""
    part = path.with_name(f"{path.name}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", remedy="Give another file with --out."
        ) from None
