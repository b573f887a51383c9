"""Numbers of invoices and credit notes: consecutive within a series and a financial year (CGST Rules 2017, rule 46 b)."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

INDIA = timezone(timedelta(hours=5, minutes=30), "IST")
"""Where the financial year turns: at midnight of 1 April there."""
LONGEST_NUMBER = 16
"""Characters of an invoice number, at most (rule 46 b)."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is counted: the series' name and the financial year, such as `26-27`."""

    name: str
    year: str

    def number(self, count: int) -> str:
        """The number of the `count`th document, from 1: `SU/26-27/000042`."""
        if count < 1:
            raise ValueError("documents are counted from 1")
        return f"{self.name}/{self.year}/{count:06d}"


def series_at(name: str, at: datetime) -> Series:
    """The series that a document made `at` (aware) belongs to."""
    day = at.astimezone(INDIA)
    first = day.year if day.month >= 4 else day.year - 1
    return Series(name, f"{first % 100:02d}-{(first + 1) % 100:02d}")
