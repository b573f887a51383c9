"""Which passwords are taken (OWASP ASVS 5, 6.2): long enough, not among those that everybody tries, any characters."""

import unicodedata
from typing import Final

SHORTEST: Final = 10
LONGEST: Final = 256
"""Characters. The upper bound keeps a form from becoming work; nobody types more."""
_LISTED: Final = """
1234567890 12345678910 123456789a 1234567891 0123456789 0987654321 9876543210 1111111111 0000000000 1q2w3e4r5t
    1q2w3e4r5t6y qwertyuiop qwerty12345 qwerty123456 qwerty1234 asdfghjkl1 asdfghjkl; zxcvbnm123 1qaz2wsx3edc
    password12 password123 password1234 passw0rd123 p@ssw0rd123 password!1 password123! mypassword iloveyou12
    iloveyou123 administrator administrator1 welcome123 welcome1234 letmein123 letmein1234 changeme123 changeme1234
    football123 baseball123 basketball sunshine12 sunshine123 princess123 superman123 michelle123 jordan12345
    liverpool123 chelsea123 manchester abcdefghij abcdefgh12 abc1234567 abcd123456 a123456789 aa12345678 q1w2e3r4t5
    india12345 india123456 bharat1234 krishna123 hariom1234 jaishreeram mumbai1234 computer12 computer123 internet12
    trustno1trustno1 correcthorse starwars12 starwars123 whatever12 whatever123 charlie123 dragon12345 monkey12345
    master12345 shadow12345 michael123 jennifer12 jessica123 ashley12345 secret12345 secretsecret passwordpassword
"""
_COMMON: Final = frozenset(_LISTED.split())
"""Of the lists of leaked passwords, the most frequent that are long enough to pass the first rule."""


def prepared(password: str) -> str:
    """The password as it is hashed: one form for what looks the same on any keyboard (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def fault(password: str, *, email: str = "", name: str = "") -> str | None:
    """Why the password is not taken, as a sentence for its owner; None when it is."""
    text = prepared(password)
    if len(text) < SHORTEST:
        return f"Use at least {SHORTEST} characters; a few words in a row are fine."
    if len(text) > LONGEST:
        return f"Use at most {LONGEST} characters."
    folded = text.casefold()
    if folded in _COMMON or len(set(folded)) < 4:
        return "This password is among the first that others would try. Choose another."
    known = {email.casefold(), email.casefold().partition("@")[0] * 2, name.casefold(), "suuuprasuuupra"}
    if folded in known - {""}:
        return "This is your own name or address. Choose something that others do not know."
    return None
