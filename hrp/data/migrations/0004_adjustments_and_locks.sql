-- What explains a difference becomes part of the book; what nothing explains locks until a person has resolved it.

-- The client of the broker that placed the order of an execution; 0 = TWS itself.
ALTER TABLE fills ADD COLUMN client_id INTEGER DEFAULT 0;

-- What explains a break ('' = nothing), and the instrument it is about ('' = the account).
ALTER TABLE breaks ADD COLUMN cause VARCHAR DEFAULT '';
ALTER TABLE breaks ADD COLUMN symbol VARCHAR DEFAULT '';

-- What a plan is: the decision of a night, or holdings closed by hand.
ALTER TABLE plans ADD COLUMN kind VARCHAR DEFAULT 'night';

-- Changes of an account that no order of HRP made, append-only: its book is the baseline, the executions of HRP's orders
-- and these. kind: split, dividend, manual, other_client, transfer, resolved. about: what is accounted for; rows with the
-- same one add up, numbered by part. shares: added; cash_usd: brought in; price: USD a share, NULL for a split.
-- Key (account, adjustment_id). Writer: adjustments.
CREATE TABLE adjustments (
    account VARCHAR NOT NULL,
    adjustment_id VARCHAR NOT NULL,
    session DATE NOT NULL,
    happened_at TIMESTAMPTZ NOT NULL,
    kind VARCHAR NOT NULL,
    about VARCHAR NOT NULL,
    part INTEGER NOT NULL,
    symbol VARCHAR NOT NULL,
    con_id BIGINT NOT NULL,
    shares DECIMAL(18, 6) NOT NULL,
    cash_usd DECIMAL(18, 6) NOT NULL,
    price DECIMAL(18, 6),
    evidence VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account, adjustment_id)
);

-- What must not be traded: an instrument (subject: its symbol), or purchases of the whole account (subject: cash, or an
-- order). session: since when; lifted_at NULL = in force. Key (account, scope, subject, seq). Writer: adjustments.
CREATE TABLE locks (
    account VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    seq INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    session DATE NOT NULL,
    opened_at TIMESTAMPTZ NOT NULL,
    lifted_at TIMESTAMPTZ,
    lifted_by VARCHAR,
    lift_reason VARCHAR,
    PRIMARY KEY (account, scope, subject, seq)
);
