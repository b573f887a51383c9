"""The HTTP process of the ledger."""

from fastapi import FastAPI

from services.ledger.api import accounts, journals, proofs, reports
from services.ledger.clients.keys import CheckpointKeys
from services.ledger.settings import Settings
from services.ledger.usecases.checkpoints import Checkpointer, Signer
from suuupra import app
from suuupra.clock import Clock, SystemClock
from suuupra.db import Database
from suuupra.objects import ObjectStore
from suuupra.secrets_store import SecretsStore

_DESCRIPTION = "The books: accounts, immutable journals, and the chain that shows when one was changed."


def create_app(
    settings: Settings, clock: Clock | None = None, secrets: SecretsStore | None = None
) -> FastAPI:
    """Everything wired, nothing connected."""
    time_source = clock or SystemClock()
    database, objects = Database.of(settings), ObjectStore.of(settings, "checkpoints")
    store = secrets or SecretsStore.of(settings)
    keys = CheckpointKeys(store, settings.name)
    signer = Signer(database, objects, keys, time_source, settings.public_url)
    made = app.create(
        settings,
        accounts.router,
        journals.router,
        journals.orders,
        reports.router,
        proofs.router,
        resources=[database],
        # The books go on while checkpoints cannot be signed or put away; an alert tells when that lasts.
        optional=[objects, store],
        runnables=[Checkpointer(signer, time_source, settings.checkpoint_seconds)],
        clock=time_source,
        description=_DESCRIPTION,
    )
    made.state.signer = signer
    made.state.keys = keys
    return made
