"""A scan's outcome as a TOML file: a list of meters to edit and commit, and where the scan stands.

What people wrote stays as they wrote it: a scan only adds meters that are not listed yet, and rewrites its
own `[scan]` table. The file is replaced as a whole after every step, so a scan may be cut at any moment.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.commissioning.scan import ScanRow
from gateway.meters_file import ScanTable, load_meters_file
from gateway.settings import MeterSettings, plate_of
from kaukoluenta.errors import ConfigurationInvalid

_HEAD = "# Meters of a line, found by `kaukoluenta gateway scan`. Edit and commit it: a scan only adds.\n"
_SCAN_TABLE = re.compile(
    r'^\[scan\][^\n]*\n(?:\s*\w+\s*=\s*(?:\[[^\]]*\]|"[^"\n]*")[^\n]*\n?)*', re.MULTILINE
)
_SCAN_NOTE = (
    "# The scan's own note: what it has still to ask, what collided, what answered without a telegram."
)


class ScanFile:
    """One file under way. Nothing is written before `save`. `known` are meters that the config lists already.

    Raises:
        ConfigurationInvalid: there is a file, but not of this form.
    """

    def __init__(self, path: Path, known: Iterable[MeterSettings] = ()) -> None:
        self._path = path
        self._text, self._scan, self._listed = _HEAD, ScanTable(), list(known)
        if path.exists():
            content = load_meters_file(path)
            self._text = _SCAN_TABLE.sub("", path.read_text(encoding="utf-8")).replace(_SCAN_NOTE + "\n", "")
            self._scan = content.scan or ScanTable()
            self._listed += content.meter

    def left_of(self, asked: str) -> tuple[str, ...]:
        """What an earlier scan of the same left to be asked; nothing when it came to its end."""
        return self._scan.pending if self._scan.asked == asked else ()

    @property
    def listed(self) -> tuple[MeterSettings, ...]:
        """The meters that the config or this file lists."""
        return tuple(self._listed)

    @property
    def is_clear(self) -> bool:
        """Meters are listed, and the scan met nobody who cannot be read."""
        return bool(self._listed) and not self._scan.collision + self._scan.answered

    def begin(self, asked: str) -> None:
        """Begin a scan anew, its meters kept."""
        self._scan = ScanTable(asked=asked)

    def add(self, row: ScanRow, left: tuple[str, ...]) -> str:
        """Take in what was found, and what is `left` to be asked; a remark about it, if one is due."""
        self._scan = _noted(self._scan, row, left)
        if row.state != "decoded":
            return ""
        # 0 is no address of its own on M-Bus: such a meter is selected by its id
        address = row.address if row.has_to_be_told else row.address or None
        if same := [meter for meter in self._listed if _is_same(meter, row, address)]:
            return _otherwise(same[0], address)
        if there := [meter for meter in self._listed if address is not None and meter.address == address]:
            return f"not listed: the config has {there[0].id} at this address"
        if row.meter is None:
            self._append(_unnamed(row, address))
            return ""
        self._listed.append(MeterSettings(id=row.meter, address=address))
        self._append(_meter(row, address))
        return ""

    def save(self) -> None:
        """Replace the file. Raises ConfigurationInvalid."""
        half = self._path.with_name(self._path.name + ".new")
        try:
            half.write_text(f"{self._text.rstrip()}\n\n{_scan_table(self._scan)}", encoding="utf-8")
            os.replace(half, self._path)
        except OSError as error:
            raise ConfigurationInvalid(
                f"{self._path} cannot be written: {error.strerror}.", remedy="Give another --out FILE."
            ) from None

    def _append(self, block: str) -> None:
        if block not in self._text:
            self._text = f"{self._text.rstrip()}\n\n{block}"


def _noted(scan: ScanTable, row: ScanRow, left: tuple[str, ...]) -> ScanTable:
    """The scan's own note after this row."""
    collision, answered = (
        (*asked, row.asked) if row.final and row.state == state else asked
        for state, asked in (("collision", scan.collision), ("answered", scan.answered))
    )
    return scan.model_copy(update={"pending": left, "collision": collision, "answered": answered})


def _otherwise(meter: MeterSettings, address: int | None) -> str:
    """A remark where the file says otherwise than the bus; the file is right until a person decides."""
    if address in (None, meter.address):
        return ""
    return "listed " + ("without address" if meter.address is None else f"with address {meter.address}")


def _is_same(meter: MeterSettings, row: ScanRow, address: int | None) -> bool:
    """Whether a listed meter is the one of this row; one that could not be named, by address and number."""
    if row.meter or address is None:
        return row.meter is not None and plate_of(meter.id) == plate_of(row.meter)
    return meter.address == address and meter.id.partition("-")[2] == row.number


def _meter(row: ScanRow, address: int | None) -> str:
    return f'[[meter]] # {_about(row)}\nid = "{row.meter}"\n' + "".join(_keys(row, address))


def _unnamed(row: ScanRow, address: int | None) -> str:
    """A meter that does not say all that its id needs, or that several profiles fit: the person has to."""
    lacking = "three letters" if row.number else "id"
    what = f"{_about(row)}: write its {lacking} from the plate"
    keys = "".join(f"# {key}" for key in _keys(row, address))
    return f'# [[meter]] # {what}\n# id = "...-{row.number or "..."}"\n{keys}'


def _keys(row: ScanRow, address: int | None) -> Iterator[str]:
    """What the list says of a meter besides its id, a line each."""
    if address is not None:
        yield f"address = {address}\n"
    if row.has_to_be_told:
        yield f"profile = {json.dumps(row.profile or '...', ensure_ascii=False)}\n"


def _about(row: ScanRow) -> str:
    """What it is, for whoever reads the file."""
    model = row.model or ("" if row.has_to_be_told else "no profile of its own")
    version = "" if row.version is None else f"version {row.version:02X}h"
    return ", ".join(part for part in (row.medium_text, version, model, row.note) if part)


def _scan_table(scan: ScanTable) -> str:
    lists = (("pending", scan.pending), ("collision", scan.collision), ("answered", scan.answered))
    texts = "".join(f"{name} = [{_quoted(texts)}]\n" for name, texts in lists if texts or name == "pending")
    return f'{_SCAN_NOTE}\n[scan]\nasked = "{scan.asked}"\n{texts}'


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)
