"""Sessions, and sign-ins under way."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables. Web publishes and consumes nothing, so it has none of the kit's."""
    op.execute(
        """
        CREATE TABLE session (
            id           bytea       PRIMARY KEY CHECK (length(id) = 32),
            user_id      uuid        NOT NULL,
            name         text        NOT NULL,
            email        text        NOT NULL,
            roles        text[]      NOT NULL,
            sealed       text        NOT NULL,
            created_at   timestamptz NOT NULL,
            expires_at   timestamptz NOT NULL
        );
        CREATE INDEX session_expiry ON session (expires_at);
        COMMENT ON COLUMN session.id IS 'SHA-256 of what the cookie says.';
        COMMENT ON COLUMN session.sealed IS 'Tokens, encrypted (JWE) under a key made from what the cookie says.';

        CREATE TABLE login (
            state      bytea       PRIMARY KEY CHECK (length(state) = 32),
            browser    bytea       NOT NULL CHECK (length(browser) = 32),
            nonce      text        NOT NULL,
            verifier   text        NOT NULL,
            return_to  text        NOT NULL,
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX login_expiry ON login (expires_at);
        COMMENT ON TABLE login IS 'Sign-ins under way (code, PKCE, state and nonce); each is used once.';
        """
    )
