"""The values of a meter's page: last registers, panels with their text summaries, table; and its CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from dashboards.csv_file import Cell, CsvFile
from dashboards.figures import local_iso
from dashboards.history import RANGES, Column, History, RangeName, ordered
from dashboards.languages import UNKNOWN, Language, unit_sign
from dashboards.network import MeterStatus
from dashboards.panels import ENERGY_USE, Panel, panels
from dashboards.reasons import is_spared
from dashboards.timeline import Moment, moment_state
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Quality

MOST_ROWS = 500

_HOUR = timedelta(hours=1)
_AN_HOUR_S = 3600


def meter_values(
    status: MeterStatus, history: History, range_name: RangeName, words: Language
) -> dict[str, Any]:
    """What `_meter.html` needs."""
    reading = status.reading
    registers = reading.registers if reading else {}
    shown = list(zip(range(len(history.moments)), history.moments, strict=True))[-MOST_ROWS:]
    return {
        "meter": history.meter,
        "status": status,
        "registers": [
            (register_label(name, words), in_hours(registers[name])) for name in ordered(registers)
        ],
        "doubts": doubts(reading.quality, words) if reading else [],
        "range": range_name,
        "ranges": list(RANGES),
        "digest": history.digest,
        "panels": list(_panels(history, words)),
        "nothing_read": not any(moment.reading for moment in history.moments),
        "gaps": history.missing[::-1],
        "missing_slots": sum(gap.slots for gap in history.missing),
        "spared_slots": sum(gap.slots for gap in history.gaps if is_spared(gap.reason)),
        "columns": [
            (register_label(column.name, words), unit_sign(column.unit)) for column in history.columns
        ],
        "rows": [_row(place, moment, history, words) for place, moment in reversed(shown)],
        "all_rows": len(history.moments),
        "most_rows": MOST_ROWS,
    }


def meter_csv(history: History, words: Language) -> CsvFile:
    """Every moment of the history, oldest first, with its state, source, doubts and the reason of a gap."""
    heading = [words.text("meter.at")]
    heading += [f"{register_label(c.name, words)} {unit_sign(c.unit)}" for c in history.columns]
    heading += [words.text(key) for key in ("column.state", "meter.source", "meter.doubts", "meter.reason")]
    return CsvFile(f"{history.meter}.csv", heading, _csv_rows(history, words))


def register_label(name: str, words: Language) -> str:
    """A register as people call it, with its tariff if it has one."""
    total, _, tariff = name.partition("_tariff_")
    label = words.text(f"register.{total}")
    return words.text("meter.tariff", register=label, tariff=tariff) if tariff else label


def in_hours(amount: Amount) -> Amount:
    """A time of whole hours in hours, as a meter's display shows it; anything else as it is."""
    whole = amount.unit == "s" and amount.value % _AN_HOUR_S == 0
    return Amount(amount.value // _AN_HOUR_S, "h") if whole else amount


def doubts(quality: Quality, words: Language) -> list[str]:
    """The doubts about a reading in words; none for a good one."""
    return [words.text(f"doubt.{(doubt.name or '').lower()}") for doubt in quality]


def _panels(history: History, words: Language) -> Iterator[dict[str, Any]]:
    for panel in panels():
        found = [history.column(series.column) for series in panel.series]
        known = [column for column in found if column]
        if known:
            yield {
                "key": panel.key,
                "title": _title(panel, history, words),
                "unit": _unit_note(panel, known[0], history, words),
                "summary": _summary(known, history, words),
                "drawing": _drawing(panel, words),
            }


def _title(panel: Panel, history: History, words: Language) -> str:
    said = (panel.title_hourly if history.step == _HOUR else None) or panel.title
    return said.in_language(words.code).format(step=words.step(history.step))


def _unit_note(panel: Panel, column: Column, history: History, words: Language) -> str:
    note = (panel.note_hourly if history.step == _HOUR else None) or panel.note
    unit = unit_sign(column.unit)
    return f"{unit}, {note.in_language(words.code)}" if note else unit


def _summary(columns: list[Column], history: History, words: Language) -> str:
    said = [_said(column, history, words) for column in columns if column.known]
    if not said:
        return words.text("summary.nothing")
    return " ".join(said + ([words.text("summary.shaded")] if history.missing else []))


def _said(column: Column, history: History, words: Language) -> str:
    known = column.known
    if column.name != ENERGY_USE:
        least, most, last = (
            words.amount(Amount(v, column.unit)) for v in (min(known), max(known), known[-1])
        )
        return words.text(
            "summary.line", label=register_label(column.name, words), least=least, most=most, last=last
        )
    whole = [
        moment for moment in history.moments if moment.on_slot and moment.at + history.step <= history.end
    ]
    largest = history.moments[column.values.index(max(known))]
    return words.text(
        "summary.use",
        known=words.number(len(known)),
        all=words.number(len(whole)),
        sum=words.amount(Amount(sum(known[1:], known[0]), column.unit)),
        largest=words.amount(Amount(max(known), column.unit)),
        at=words.instant(largest.at),
    )


def _drawing(panel: Panel, words: Language) -> dict[str, Any]:
    """What charts.js needs to know of a panel."""
    return {
        "style": panel.style,
        "time_label": words.text("meter.at"),
        "series": [
            {**series.model_dump(), "label": register_label(series.column, words)} for series in panel.series
        ],
    }


def _row(place: int, moment: Moment, history: History, words: Language) -> dict[str, Any]:
    values = (column.values[place] for column in history.columns)
    state = [words.text(f"reading.{moment_state(moment)}")]
    return {
        "at": words.instant(moment.at),
        "cells": [UNKNOWN if value is None else words.number(value) for value in values],
        "missing": moment.reading is None,
        "words": ", ".join(state + (doubts(moment.reading.quality, words) if moment.reading else [])),
    }


def _csv_rows(history: History, words: Language) -> Iterator[list[Cell]]:
    reasons = {gap.first: gap for gap in history.gaps}
    gap = None
    for place, moment in enumerate(history.moments):
        gap = reasons.get(moment.at, gap)
        reading = moment.reading
        yield [
            local_iso(moment.at),
            *(column.values[place] for column in history.columns),
            words.text(f"reading.{moment_state(moment)}"),
            words.text(f"source.{reading.source}") if reading else None,
            ", ".join(doubts(reading.quality, words)) if reading else None,
            words.reason(gap.reason) if gap and not reading else None,
        ]
