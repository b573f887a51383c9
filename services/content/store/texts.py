"""The texts of lessons that nothing refers to any more."""

from typing import Any, Final, cast

from sqlalchemy import CursorResult, text

from suuupra.db import Transaction

_BATCH: Final = 5000
_UNUSED: Final = text("""
DELETE FROM lesson_html WHERE (course_id, hash) IN (
    SELECT kept.course_id, kept.hash FROM lesson_html kept
    WHERE NOT EXISTS (SELECT FROM lesson WHERE lesson.course_id = kept.course_id AND lesson.html_hash = kept.hash)
      AND NOT EXISTS (
          SELECT FROM revision WHERE revision.course_id = kept.course_id AND kept.hash = ANY (revision.hashes))
      AND NOT EXISTS (SELECT FROM course WHERE course.id = kept.course_id AND course.updated_at > now() - interval '1 day')
    LIMIT :batch)
""")


async def delete_unused(tx: Transaction) -> int:
    """Delete texts of courses that rested for a day, a bounded number of them; returns how many."""
    result = cast("CursorResult[Any]", await tx.execute(_UNUSED, {"batch": _BATCH}))
    return result.rowcount
