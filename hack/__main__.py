"""`python3 hack VERB`: what every line of the Makefile calls. Kept to words that any Python 3 can read."""

import sys

OLDEST, TOO_NEW = (3, 11), (3, 14)
"""Of pyproject.toml, which a Python this old could not read."""


def supported(version):  # type: ignore[no-untyped-def] # older Pythons read this file
    """Whether bring-up runs on a Python of this version."""
    return OLDEST <= tuple(version[:2]) < TOO_NEW


if __name__ == "__main__":
    if not supported(sys.version_info):
        seen = ".".join(str(part) for part in sys.version_info[:3])
        sys.exit(
            "\nRefused, nothing was changed:\n  This is Python " + seen + "; 3.11, 3.12 or 3.13 is needed.\n"
            "    -> install one, and name it: make up PYTHON=python3.12"
        )
    from bringup.main import main

    sys.exit(main())
