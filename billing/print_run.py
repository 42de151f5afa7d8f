"""A run on the terminal: tables for people, the file door's JSON for programs, warnings beside both."""

from __future__ import annotations

import sys

from billing.documents import UNIT, run_document
from billing.extract import Extract
from billing.reasons import REMEDIES, Reason
from billing.rounding import plain
from billing.runs import Run
from kaukoluenta.periods import local_text
from kaukoluenta.runtime.command import print_json, print_table


def print_run(run: Run, *, as_json: bool) -> None:
    if as_json:
        print_json(run_document(str(run.name), run.extract))
    else:
        _print_rows(run.extract)
        _print_refused(run.extract)
        billed = f"{len(run.extract.rows)} rows, {plain(run.extract.energy)} {UNIT}"
        sys.stdout.write(f"{run.name}: {billed}, {len(run.extract.refused)} refused\n")
    for warning in run.extract.warnings:
        sys.stderr.write(f"warning: {warning}\n")


def _print_rows(extract: Extract) -> None:
    rows = [
        (
            row.delivery_point,
            row.contract,
            row.customer_number,
            local_text(row.since),
            local_text(row.until),
            plain(row.energy),
        )
        for row in extract.rows
    ]
    if rows:
        print_table(("delivery point", "contract", "customer", "from", "to", UNIT), rows)
        sys.stdout.write("\n")


def _print_refused(extract: Extract) -> None:
    refused = [
        (one.delivery_point, one.contract, one.meter or "", one.reason, one.detail) for one in extract.refused
    ]
    if not refused:
        return
    print_table(("refused at", "contract", "meter", "reason", "detail"), refused)
    sys.stdout.write("\n")
    for reason in Reason:
        if any(one.reason is reason for one in extract.refused):
            sys.stdout.write(f"{reason}: {REMEDIES[reason]}\n")
    sys.stdout.write("\n")
