"""What identity forgets, and when."""

from datetime import timedelta
from typing import Final

from services.identity.domain.accounts import KNOWN_FOR
from suuupra.sweeping import Swept

_AFTER: Final = timedelta(days=1)
"""How long what is over is kept: a code or token that comes a second time must still be recognised."""
_LETTERS_AFTER: Final = timedelta(days=7)
"""More than a letter may wait to be sent, and its link to be opened."""

AGES: Final = {
    Swept("token_grant", "expires_at"): _AFTER,  # with its codes and refresh tokens
    Swept("sso_session", "expires_at"): _AFTER,
    Swept("signup", "expires_at"): _AFTER,
    Swept("login_failure", "since"): _AFTER,
    Swept("revoked_token", "expires_at"): _AFTER,
    Swept("letter", "created_at"): _LETTERS_AFTER,
    Swept("known_browser", "seen_at"): KNOWN_FOR,
}
