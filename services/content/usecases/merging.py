"""A visitor signs up, or signs in: what they read before is theirs."""

from services.content import contract
from services.content.domain.progress import further
from services.content.store import learners
from suuupra.db import Transaction


async def merge(tx: Transaction, visitor: contract.Learner, user: contract.Learner) -> contract.Merged:
    """Move the visitor's progress to the user. Done again it finds nothing to move.

    No event tells it: each completion was told when it happened, and counted, and is not a second one now.
    """
    taken = await learners.take(tx, visitor)
    if taken:
        already = await learners.give(tx, user, taken)
        await learners.save_all(tx, user, [further(it, taken[it.lesson_id]) for it in already])
    return contract.Merged(lessons=len(taken))
