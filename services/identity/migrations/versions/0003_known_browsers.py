"""Browsers in which somebody has signed in: their wrong passwords are counted apart."""

from alembic import op

revision = "0003"
down_revision = "0002"

_BROWSERS = """
CREATE TABLE known_browser (
    hash       bytea       NOT NULL,
    account_id uuid        NOT NULL REFERENCES account ON DELETE CASCADE,
    count      integer     NOT NULL,
    since      timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    PRIMARY KEY (hash, account_id)
);
CREATE INDEX known_browser_account ON known_browser (account_id);
CREATE INDEX known_browser_age ON known_browser (seen_at);
COMMENT ON TABLE known_browser IS 'Browsers in which somebody signed in, by their cookie''s SHA-256, with the wrong passwords given there since.';
"""


def upgrade() -> None:
    """Make the table; whoever is signed in now is known after the next time."""
    op.execute(_BROWSERS)
