"""What identity refuses, as problems with a name; and what pages say beside a field."""

from collections.abc import Mapping

from services.identity.domain.authorization import Untrusted
from suuupra.errors import BadRequest, FieldError, Gone, TooManyRequests


class UntrustedRequest(BadRequest):
    """An authorization request that must not be answered to anybody but the person who sees it."""

    slug, title = "untrusted-request", "This sign-in request cannot be trusted"


class TooManyTries(TooManyRequests):
    """Too many wrong passwords for one address, whether it has an account or not."""

    slug, title = "too-many-tries", "Too many wrong passwords"


class LinkUseless(Gone):
    """A link that was used, is too old, or never was."""

    slug, title = "link-useless", "This link does not work any more"


class FormFault(Exception):
    """Something to correct in a form: each field with a sentence. The empty name is the form as a whole."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(", ".join(faults))
        self.faults = dict(faults)


def untrusted(error: Untrusted) -> UntrustedRequest:
    """Told to the person in front of the browser."""
    text = f"The application that sent you here made a mistake: {error.field.removeprefix('query.')} {error.rule}."
    return UntrustedRequest(text, errors=[FieldError(error.field, error.rule, error.fix)])


def link_useless(fix: str) -> LinkUseless:
    """The same for a link that was used, is too old, or was made up."""
    error = FieldError("query.token", "must be that of a link we sent, not used yet", fix)
    return LinkUseless("It was used already, or it is too old.", errors=[error])


def too_many_tries(seconds: int) -> TooManyTries:
    """Come back in `seconds`."""
    minutes = max(1, round(seconds / 60))
    error = FieldError(
        "body.email",
        "must not be tried this often",
        "wait, or choose a new password by «Forgot your password?»",
    )
    return TooManyTries(
        f"Wait {minutes} minutes, or choose a new password by mail.",
        errors=[error],
        headers={"Retry-After": str(max(1, seconds))},
    )
