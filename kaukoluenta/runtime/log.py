"""One line per event on stderr, key=value. Meters by number, never a customer."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime


class _KeyValueFormatter(logging.Formatter):
    """`2026-11-24T03:00:04Z WARNING gateway.poll slot missed meter=KAM-69183621 reason="no answer"`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        text = f"{at:%Y-%m-%dT%H:%M:%SZ} {record.levelname} {record.name} {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def start_log(level: int = logging.INFO) -> None:
    """Send our log to stderr. Libraries speak from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_KeyValueFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for room in ("kaukoluenta", "gateway", "collector", "registry", "billing", "dashboards", "simulator"):
        logging.getLogger(room).setLevel(level)


def fields(**values: object) -> str:
    """`meter=KAM-69183621 reason="no answer"`: quoted where a value has blanks, one line always."""
    return " ".join(f"{key}={_one_word(str(value))}" for key, value in values.items())


def _one_word(text: str) -> str:
    text = " ".join(text.split()).replace('"', "'")
    return f'"{text}"' if not text or " " in text or "=" in text else text
