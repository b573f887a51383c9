"""Response codes of the rail, and what they mean in words."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Response codes (NPCI, UPI error and response codes). `MEANINGS` says them in words."""

    SUCCESS = "00"
    DUPLICATE = "U01"
    AMOUNT_CAP = "U02"
    NET_DEBIT_CAP = "U03"
    SYSTEM = "U08"
    AUTH_TIMEOUT = "U09"
    MISMATCH = "U12"
    RISK = "U16"
    PSP_UNKNOWN = "U17"
    AUTH_DECLINED = "U19"
    PSP_UNAVAILABLE = "U28"
    DEBIT_FAILED = "U30"
    CREDIT_FAILED = "U31"
    NOT_FOUND = "U48"
    CREDENTIAL_MISMATCH = "U54"
    DEBIT_TIMEOUT = "U67"
    EXPIRED = "U69"
    PIN_TRIES = "Z6"
    FREQUENCY = "Z7"
    BANK_LIMIT = "Z8"
    INSUFFICIENT = "Z9"
    DECLINED = "ZA"
    VPA_UNKNOWN = "ZH"
    WRONG_PIN = "ZM"
    PAYER_ACCOUNT = "XH"
    PAYEE_ACCOUNT = "XI"
    PAYER_BANK_DOWN = "XY"
    PAYEE_BANK_DOWN = "Y1"
    DEEMED = "RB"
    REVERSAL_PENDING = "RR"


MEANINGS: Final[Mapping[Code, str]] = {
    Code.SUCCESS: "Paid.",
    Code.DUPLICATE: "This request was already made with other content.",
    Code.AMOUNT_CAP: "The amount is above the limit for this kind of payment, or above today's.",
    Code.NET_DEBIT_CAP: "The payer's bank has reached its net debit cap.",
    Code.SYSTEM: "The payment system could not do this.",
    Code.AUTH_TIMEOUT: "The merchant did not answer in time.",
    Code.MISMATCH: "The amount or the currency is not the one that is to be paid.",
    Code.RISK: "The payment was declined because it looks risky.",
    Code.PSP_UNKNOWN: "The payment address belongs to nobody on this rail.",
    Code.AUTH_DECLINED: "The merchant no longer takes this payment.",
    Code.PSP_UNAVAILABLE: "The app or bank behind the payment address cannot be reached.",
    Code.DEBIT_FAILED: "The payer's account could not be debited.",
    Code.CREDIT_FAILED: "The payee's account could not be credited; the money goes back.",
    Code.NOT_FOUND: "There is no such transaction.",
    Code.CREDENTIAL_MISMATCH: "The PIN was entered for another transaction or amount.",
    Code.DEBIT_TIMEOUT: "The payer's bank did not answer in time; if money was taken it goes back.",
    Code.EXPIRED: "The request expired before it was approved.",
    Code.PIN_TRIES: "The PIN was wrong too often; it is blocked for now.",
    Code.FREQUENCY: "Too many payments in a day from this account.",
    Code.BANK_LIMIT: "The amount is above what the payer's bank allows.",
    Code.INSUFFICIENT: "There is not enough money in the account.",
    Code.DECLINED: "The payer declined.",
    Code.VPA_UNKNOWN: "There is no such payment address.",
    Code.WRONG_PIN: "The PIN was wrong.",
    Code.PAYER_ACCOUNT: "The payer's account does not exist.",
    Code.PAYEE_ACCOUNT: "The payee's account does not exist.",
    Code.PAYER_BANK_DOWN: "The payer's bank is not available.",
    Code.PAYEE_BANK_DOWN: "The payee's bank is not available.",
    Code.DEEMED: "The payee's bank has not confirmed yet; the payment counts as made and is being checked.",
    Code.REVERSAL_PENDING: "The payment failed and the money is on its way back.",
}
