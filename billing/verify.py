"""Is a run what its inputs come to? Derives it again and says where it differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from billing.documents import UNIT
from billing.extract import Extract
from billing.rounding import plain
from billing.runs import Run, digest_of
from kaukoluenta.periods import instant_text


@dataclass(frozen=True, slots=True)
class Verdict:
    """`intact`: its lines are as they were made. `differences`: against the inputs as they are now."""

    intact: bool
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return self.intact and not self.differences


def verify(run: Run, again: Extract) -> Verdict:
    """Compare a stored run with the extract that the inputs come to now."""
    intact = digest_of(run.extract) == run.digest
    if digest_of(again) == run.digest:
        return Verdict(intact, ())
    then, now = _figures(run.extract), _figures(again)
    differences = [
        f"{what}: {then.get(what, 'nothing')} in the run, {now.get(what, 'nothing')} now."
        for what in sorted({*then, *now})
        if then.get(what) != now.get(what)
    ]
    return Verdict(intact, tuple(differences or ["The evidence of its figures."]))


def _figures(extract: Extract) -> Mapping[str, str]:
    billed = {
        f"{row.delivery_point}, contract {row.contract}, from {instant_text(row.since)}": (
            f"{plain(row.energy)} {UNIT}"
        )
        for row in extract.rows
    }
    refused = {
        f"{one.delivery_point}, contract {one.contract}, {one.reason}": "refused" for one in extract.refused
    }
    return {**billed, **refused}
