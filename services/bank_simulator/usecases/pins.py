"""PINs: looked at while the account is locked, so that many guesses at once are still counted one by one."""

from datetime import timedelta

from services.bank_simulator.store import accounts
from services.bank_simulator.store.accounts import Account
from services.bank_simulator.usecases.bank import Bank
from services.upi_core.contract import Code, ReqPay, UnreadablePin, open_pin
from suuupra.db import Transaction


async def forbids(tx: Transaction, bank: Bank, account: Account, request: ReqPay) -> Code | None:
    """Why the debit of this (locked) account is not allowed, or None.

    A merchant's account pays refunds without a PIN: they are signed by the switch, which knows the payment.
    """
    if account.kind == "merchant" and request.txn.org_txn_id is not None:
        return None
    if account.pin_hash is None or request.payer.credential is None:
        return Code.CREDENTIAL_MISMATCH
    now = bank.clock.now()
    if account.pin_blocked_until is not None and account.pin_blocked_until > now:
        return Code.PIN_TRIES
    try:
        entered = open_pin(await bank.keyring.encryption(), request.payer.credential.data)
    except UnreadablePin:
        return Code.CREDENTIAL_MISMATCH
    if (entered.txn_id, entered.minor) != (request.txn.id, request.payer.amount.minor):
        return Code.CREDENTIAL_MISMATCH
    if await bank.is_pin(account.pin_hash, entered.pin):
        if account.pin_failures or account.pin_blocked_until:
            await accounts.note_pin(tx, account.number, 0, None)
        return None
    # A block that is over begins to count anew.
    failures = 1 if account.pin_blocked_until else account.pin_failures + 1
    blocked = failures >= bank.profile.pin_tries
    until = now + timedelta(seconds=bank.profile.pin_block) if blocked else None
    await accounts.note_pin(tx, account.number, failures, until)
    return Code.WRONG_PIN
