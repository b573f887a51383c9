"""Accounts, how they come to be, who is signed in, and what was granted to which client."""

from alembic import op

from suuupra import schedule
from suuupra.migrations import kit_tables

revision = "0001"
down_revision = None

_ACCOUNTS = """
CREATE TABLE account (
    id            uuid        PRIMARY KEY,
    email         text        NOT NULL,
    email_key     text        NOT NULL UNIQUE,
    name          text        NOT NULL,
    locale        text        NOT NULL,
    roles         text[]      NOT NULL,
    password_hash text        NOT NULL,
    version       integer     NOT NULL,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    disabled_at   timestamptz
);
COMMENT ON TABLE account IS 'People whose address is verified; whoever has not confirmed it yet is in signup.';
COMMENT ON COLUMN account.email_key IS 'The address without its case: what makes two the same.';

CREATE TABLE organisation (
    id         uuid        PRIMARY KEY,
    slug       text        NOT NULL UNIQUE,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE membership (
    account_id      uuid        NOT NULL REFERENCES account ON DELETE CASCADE,
    organisation_id uuid        NOT NULL REFERENCES organisation ON DELETE CASCADE,
    role            text        NOT NULL CHECK (role IN ('member', 'manager')),
    joined_at       timestamptz NOT NULL,
    PRIMARY KEY (account_id, organisation_id)
);
CREATE INDEX membership_organisation ON membership (organisation_id);

CREATE TABLE signup (
    id            uuid        PRIMARY KEY,
    email         text        NOT NULL,
    email_key     text        NOT NULL,
    name          text        NOT NULL,
    locale        text        NOT NULL,
    password_hash text        NOT NULL,
    browser_hash  bytea       NOT NULL,
    return_to     text,
    tries         integer     NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX signup_expiry ON signup (expires_at);
COMMENT ON COLUMN signup.browser_hash IS 'Of the cookie of the browser in which somebody signed up: it need not ask for the password again.';
COMMENT ON COLUMN signup.tries IS 'Wrong passwords given to confirm it from another browser.';

CREATE TABLE letter (
    id         uuid        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('confirm', 'known', 'recover', 'changed')),
    email      text        NOT NULL,
    email_key  text        NOT NULL,
    name       text        NOT NULL,
    locale     text        NOT NULL,
    signup_id  uuid        REFERENCES signup ON DELETE CASCADE,
    account_id uuid        REFERENCES account ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    sent_at    timestamptz
);
CREATE INDEX letter_address ON letter (email_key, created_at);
CREATE INDEX letter_signup ON letter (signup_id) WHERE signup_id IS NOT NULL;
CREATE INDEX letter_account ON letter (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX letter_age ON letter (created_at);

CREATE TABLE link (
    hash       bytea       PRIMARY KEY,
    letter_id  uuid        NOT NULL REFERENCES letter ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX link_letter ON link (letter_id);
COMMENT ON TABLE link IS 'Tokens that letters hold, by their SHA-256; a token is written out in the letter only.';

CREATE TABLE login_failure (
    email_key text        PRIMARY KEY,
    count     integer     NOT NULL,
    since     timestamptz NOT NULL
);
CREATE INDEX login_failure_since ON login_failure (since);
COMMENT ON TABLE login_failure IS 'Wrong passwords by address, whether or not it has an account.';
"""

_SESSIONS = """
CREATE TABLE sso_session (
    id         uuid        PRIMARY KEY,
    hash       bytea       NOT NULL UNIQUE,
    account_id uuid        NOT NULL REFERENCES account ON DELETE CASCADE,
    auth_time  timestamptz NOT NULL,
    amr        text[]      NOT NULL,
    fresh_for  bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX sso_session_account ON sso_session (account_id);
CREATE INDEX sso_session_expiry ON sso_session (expires_at);
COMMENT ON COLUMN sso_session.fresh_for IS 'The authorization request for which somebody signed in just now.';
"""

_CLIENTS = """
CREATE TABLE client (
    id                        text        PRIMARY KEY,
    name                      text        NOT NULL,
    kind                      text        NOT NULL CHECK (kind IN ('public', 'confidential')),
    secret_hash               bytea,
    grant_types               text[]      NOT NULL,
    redirect_uris             text[]      NOT NULL,
    post_logout_redirect_uris text[]      NOT NULL,
    scopes                    text[]      NOT NULL,
    introspects               boolean     NOT NULL,
    created_at                timestamptz NOT NULL,
    CHECK ((kind = 'confidential') = (secret_hash IS NOT NULL))
);

CREATE TABLE token_grant (
    id              uuid        PRIMARY KEY,
    client_id       text        NOT NULL REFERENCES client ON DELETE CASCADE,
    account_id      uuid        NOT NULL REFERENCES account ON DELETE CASCADE,
    session_id      uuid        NOT NULL,
    scope           text        NOT NULL,
    auth_time       timestamptz NOT NULL,
    amr             text[]      NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    revoked_because text
);
CREATE INDEX token_grant_account ON token_grant (account_id);
CREATE INDEX token_grant_client ON token_grant (client_id);
CREATE INDEX token_grant_session ON token_grant (session_id);
CREATE INDEX token_grant_expiry ON token_grant (expires_at);
COMMENT ON TABLE token_grant IS 'What a user granted to a client once: every code and token that comes of it dies with it.';

CREATE TABLE authorization_code (
    hash           bytea       PRIMARY KEY,
    grant_id       uuid        NOT NULL UNIQUE REFERENCES token_grant ON DELETE CASCADE,
    redirect_uri   text        NOT NULL,
    nonce          text,
    code_challenge text        NOT NULL,
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz
);

CREATE TABLE refresh_token (
    hash       bytea       PRIMARY KEY,
    grant_id   uuid        NOT NULL REFERENCES token_grant ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_token_grant ON refresh_token (grant_id);

CREATE TABLE revoked_token (
    jti        text        PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_token_expiry ON revoked_token (expires_at);
COMMENT ON TABLE revoked_token IS 'Access tokens revoked one by one before their time.';
"""

_SWEEP = "INSERT INTO scheduled (kind, key, due_at, next_at) VALUES ('sweep', 'all', now(), now())"


def upgrade() -> None:
    """Make every table, and ask for the first sweep."""
    kit_tables.create(op)
    schedule.create_table(op)
    for statements in (_ACCOUNTS, _SESSIONS, _CLIENTS):
        op.execute(statements)
    op.execute(_SWEEP)
