"""What is for sale and at what price, carts, orders with their story, invoices, and who may study what."""

from alembic import op

from suuupra import schedule
from suuupra.migrations import kit_tables

revision = "0001"
down_revision = None

_CATALOGUE = """
CREATE TABLE course (
    id         uuid        PRIMARY KEY,
    slug       text        NOT NULL,
    title      text        NOT NULL,
    owner      text        NOT NULL,
    revision   integer     NOT NULL,
    published  boolean     NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE course IS 'What content said of its courses.';

CREATE TABLE product (
    id           uuid        PRIMARY KEY,
    owner        text        NOT NULL,
    course_id    uuid        REFERENCES course,
    title        text        NOT NULL,
    description  text        NOT NULL,
    tax_permille integer     NOT NULL CHECK (tax_permille BETWEEN 0 AND 1000),
    sac          text        NOT NULL,
    active       boolean     NOT NULL,
    version      integer     NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX product_course ON product (course_id);
CREATE INDEX product_newest ON product (created_at DESC, id DESC);
COMMENT ON COLUMN product.version IS 'Counts changes of the product and its variants: its ETag.';

CREATE TABLE variant (
    id            uuid    PRIMARY KEY,
    product_id    uuid    NOT NULL REFERENCES product,
    position      integer NOT NULL,
    title         text    NOT NULL,
    capacity      integer CHECK (capacity >= 0),
    seats         integer NOT NULL DEFAULT 0 CHECK (seats >= 0),
    max_per_order integer NOT NULL CHECK (max_per_order > 0),
    active        boolean NOT NULL,
    CONSTRAINT variant_not_oversold CHECK (seats <= capacity)
);
CREATE INDEX variant_product ON variant (product_id, position);
COMMENT ON COLUMN variant.seats IS 'Held by orders that wait for their payment, and sold.';

CREATE TABLE price_list (
    id         uuid        PRIMARY KEY,
    owner      text,
    code       text        NOT NULL,
    currency   text        NOT NULL,
    priority   integer     NOT NULL,
    starts_at  timestamptz,
    ends_at    timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT price_list_code UNIQUE (code),
    CHECK (ends_at > starts_at)
);
COMMENT ON COLUMN price_list.owner IS 'Null for the standard list of a currency, which takes everybody''s prices.';

CREATE TABLE price (
    price_list_id uuid   NOT NULL REFERENCES price_list,
    variant_id    uuid   NOT NULL REFERENCES variant,
    minor         bigint NOT NULL CHECK (minor >= 0),
    PRIMARY KEY (variant_id, price_list_id)
);
COMMENT ON COLUMN price.minor IS 'Minor units of the list''s currency, tax included.';

CREATE TABLE coupon (
    id          uuid        PRIMARY KEY,
    owner       text        NOT NULL,
    platform    boolean     NOT NULL,
    code        text        NOT NULL,
    permille    integer     CHECK (permille BETWEEN 1 AND 1000),
    minor       bigint      CHECK (minor > 0),
    currency    text,
    product_ids uuid[],
    starts_at   timestamptz,
    ends_at     timestamptz,
    max_uses    integer     CHECK (max_uses > 0),
    per_user    integer     CHECK (per_user > 0),
    used        integer     NOT NULL DEFAULT 0 CHECK (used >= 0),
    active      boolean     NOT NULL,
    version     integer     NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT coupon_code UNIQUE (code),
    CONSTRAINT coupon_not_overused CHECK (used <= max_uses),
    CHECK ((permille IS NULL) <> (minor IS NULL)),
    CHECK ((minor IS NULL) = (currency IS NULL)),
    CHECK (ends_at > starts_at)
);
CREATE INDEX coupon_owner ON coupon (owner, created_at DESC, id DESC);
"""

_CARTS = """
CREATE TABLE cart (
    id          uuid        PRIMARY KEY,
    user_id     uuid,
    currency    text        NOT NULL,
    coupon_id   uuid        REFERENCES coupon,
    status      text        NOT NULL CHECK (status IN ('open', 'ordered', 'merged')),
    order_id    uuid,
    merged_into uuid,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX cart_of_user ON cart (user_id) WHERE status = 'open';
COMMENT ON COLUMN cart.id IS 'Random: whoever knows an anonymous cart''s id may use it.';

CREATE TABLE cart_line (
    cart_id    uuid        NOT NULL REFERENCES cart ON DELETE CASCADE,
    variant_id uuid        NOT NULL REFERENCES variant,
    quantity   integer     NOT NULL CHECK (quantity > 0),
    minor      bigint      NOT NULL,
    added_at   timestamptz NOT NULL,
    PRIMARY KEY (cart_id, variant_id)
);
COMMENT ON COLUMN cart_line.minor IS 'The unit price that the buyer was shown.';
"""

_ORDERS = """
CREATE SEQUENCE order_number START 100001;

CREATE TABLE orders (
    id             uuid        PRIMARY KEY,
    number         text        NOT NULL UNIQUE,
    user_id        uuid        NOT NULL,
    cart_id        uuid        NOT NULL,
    currency       text        NOT NULL,
    subtotal       bigint      NOT NULL CHECK (subtotal >= 0),
    discount       bigint      NOT NULL CHECK (discount BETWEEN 0 AND subtotal),
    tax            bigint      NOT NULL CHECK (tax BETWEEN 0 AND total),
    total          bigint      NOT NULL,
    coupon_code    text,
    status         text        NOT NULL CHECK (status IN ('draft', 'pending_payment', 'paid', 'fulfilled', 'canceled',
                                                          'expired', 'partially_refunded', 'refunded')),
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz,
    ended_at       timestamptz,
    payment_id     uuid,
    paid_at        timestamptz,
    invoice_number text        CONSTRAINT orders_invoice_number UNIQUE,
    CHECK (total = subtotal - discount),
    CHECK ((status IN ('paid', 'fulfilled', 'partially_refunded', 'refunded')) = (invoice_number IS NOT NULL)),
    CHECK ((payment_id IS NULL) = (invoice_number IS NULL)),
    CHECK ((paid_at IS NULL) = (invoice_number IS NULL)),
    CHECK ((status IN ('canceled', 'expired')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX orders_cart ON orders (cart_id);
CREATE INDEX orders_user ON orders (user_id, created_at DESC, id DESC);
COMMENT ON COLUMN orders.ended_at IS 'When it was canceled or expired.';

CREATE TABLE order_line (
    order_id     uuid    NOT NULL REFERENCES orders,
    position     integer NOT NULL,
    product_id   uuid    NOT NULL,
    variant_id   uuid    NOT NULL,
    course_id    uuid,
    title        text    NOT NULL,
    quantity     integer NOT NULL CHECK (quantity > 0),
    unit         bigint  NOT NULL,
    discount     bigint  NOT NULL,
    tax          bigint  NOT NULL,
    tax_permille integer NOT NULL,
    total        bigint  NOT NULL CHECK (total = unit * quantity - discount),
    sac          text    NOT NULL,
    seats        integer NOT NULL,
    PRIMARY KEY (order_id, position)
);
COMMENT ON TABLE order_line IS 'What was bought as it was priced; never changed but for seats.';
COMMENT ON COLUMN order_line.seats IS 'Limited seats that the line holds or has; 0 when they were given back.';

CREATE TABLE coupon_use (
    order_id  uuid        PRIMARY KEY REFERENCES orders,
    coupon_id uuid        NOT NULL REFERENCES coupon,
    user_id   uuid        NOT NULL,
    used_at   timestamptz NOT NULL
);
CREATE INDEX coupon_use_user ON coupon_use (coupon_id, user_id);
COMMENT ON TABLE coupon_use IS 'Of orders that stand: one that expires or is canceled gives its use back.';

CREATE TABLE order_payment (
    payment_id uuid        PRIMARY KEY,
    order_id   uuid        NOT NULL REFERENCES orders,
    status     text        NOT NULL CHECK (status IN ('failed', 'succeeded', 'returned')),
    minor      bigint,
    code       text,
    reason     text,
    at         timestamptz NOT NULL
);
CREATE INDEX order_payment_order ON order_payment (order_id);

CREATE TABLE refund (
    id           uuid        PRIMARY KEY,
    order_id     uuid        NOT NULL REFERENCES orders,
    payment_id   uuid        NOT NULL,
    minor        bigint      NOT NULL CHECK (minor > 0),
    reason       text        NOT NULL,
    requested_by text        NOT NULL,
    requested_at timestamptz NOT NULL,
    refunded_at  timestamptz,
    credit_note  text        CONSTRAINT refund_credit_note UNIQUE
);
CREATE INDEX refund_order ON refund (order_id);
CREATE UNIQUE INDEX refund_by_itself ON refund (payment_id) WHERE reason <> 'requested';
COMMENT ON INDEX refund_by_itself IS 'A payment that an order could not take goes back once.';

CREATE TABLE order_entry (
    order_id uuid        NOT NULL REFERENCES orders,
    sequence integer     NOT NULL,
    at       timestamptz NOT NULL,
    what     text        NOT NULL,
    text     text        NOT NULL,
    ids      jsonb       NOT NULL,
    PRIMARY KEY (order_id, sequence)
);
COMMENT ON TABLE order_entry IS 'The order''s timeline.';

CREATE TABLE document_series (
    series text    NOT NULL,
    year   text    NOT NULL,
    last   integer NOT NULL,
    PRIMARY KEY (series, year)
);
COMMENT ON TABLE document_series IS 'Last number of each series and financial year; its lock keeps them gapless.';

CREATE TABLE entitlement (
    user_id    uuid        NOT NULL,
    course_id  uuid        NOT NULL,
    order_id   uuid        NOT NULL REFERENCES orders,
    granted_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (user_id, course_id, order_id)
);
COMMENT ON TABLE entitlement IS 'Grants. A user may study a course while one of them stands.';
"""


def upgrade() -> None:
    """Make everything."""
    kit_tables.create(op)
    schedule.create_table(op)
    op.execute(_CATALOGUE)
    op.execute(_CARTS)
    op.execute(_ORDERS)
