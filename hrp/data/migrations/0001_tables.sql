-- Every fact of HRP. Each table says its key, its units and the one module of hrp/data that writes it.
-- Money and prices are USD; shares are whole or fractional shares; instants are UTC; a session is a trading day of XNYS.
-- There are no secondary indexes: they can go silently wrong after a crash. Primary keys stay right.

-- Daily bars as they were known, unadjusted. Key (symbol, session, known_at): a restatement is a new row.
-- open, high, low, close: USD a share, NULL where the source had none. volume: shares. Writer: market.
CREATE TABLE prices_raw (
    symbol VARCHAR NOT NULL,
    session DATE NOT NULL,
    known_at TIMESTAMPTZ NOT NULL,
    open DECIMAL(18, 6),
    high DECIMAL(18, 6),
    low DECIMAL(18, 6),
    close DECIMAL(18, 6),
    volume BIGINT,
    source VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    PRIMARY KEY (symbol, session, known_at)
);

-- Splits, dividends and the like. Key (symbol, ex_session, kind, known_at): a restatement is a new row.
-- value: split = new shares for one old; dividend = USD a share; NULL = withdrawn. Writer: market.
CREATE TABLE corporate_actions (
    symbol VARCHAR NOT NULL,
    ex_session DATE NOT NULL,
    kind VARCHAR NOT NULL,
    known_at TIMESTAMPTZ NOT NULL,
    value DECIMAL(18, 8),
    source VARCHAR NOT NULL,
    PRIMARY KEY (symbol, ex_session, kind, known_at)
);

-- Membership by interval, both ends included; end_session NULL = still a member. All rows of one (name, known_at)
-- together are the whole membership as it was known then. Key (name, symbol, start_session, known_at). Writer: market.
CREATE TABLE universe (
    name VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    start_session DATE NOT NULL,
    end_session DATE,
    known_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name, symbol, start_session, known_at)
);

-- What the broker knows a symbol as. Key (con_id, known_at): a new name or exchange is a new row. Writer: market.
CREATE TABLE instruments (
    con_id BIGINT NOT NULL,
    symbol VARCHAR NOT NULL,
    primary_exchange VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    known_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (con_id, known_at)
);

-- What the quality gate found; symbol '' = the whole market. Key (session, check_name, symbol);
-- replaced per session. Writer: market.
CREATE TABLE quality_findings (
    session DATE NOT NULL,
    check_name VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    effect VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    PRIMARY KEY (session, check_name, symbol)
);

-- Features, long. Unique by (feature_set, symbol, session, feature), without a primary key because an index over so
-- many rows costs more than the data; replaced per (feature_set, session). value NULL = not computable. Writer: features.
CREATE TABLE features (
    feature_set VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    session DATE NOT NULL,
    feature VARCHAR NOT NULL,
    value DOUBLE,
    known_at TIMESTAMPTZ NOT NULL
);

-- Strategies. Key (hypothesis_id), e.g. HYP-2026-001. allocation: fraction of net liquidation. Writer: models.
CREATE TABLE hypotheses (
    hypothesis_id VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    model_name VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    allocation DECIMAL(9, 6) NOT NULL CHECK (allocation > 0 AND allocation <= 1),
    universe VARCHAR NOT NULL
);

-- Which version trades, and why: append-only, each row carries the hash of the one before. Key (seq). Writer: models.
CREATE TABLE deployments (
    seq BIGINT PRIMARY KEY,
    model_name VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    from_version BIGINT,
    to_version BIGINT,
    artifact_sha256 VARCHAR NOT NULL,
    session DATE NOT NULL,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL,
    evidence JSON NOT NULL,
    previous_hash VARCHAR NOT NULL,
    hash VARCHAR NOT NULL
);

-- A model's number for a symbol. Key (session, strategy, symbol, model_name, model_version);
-- replaced per (session, strategy, model_name, model_version). Writer: models.
CREATE TABLE predictions (
    session DATE NOT NULL,
    strategy VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    model_name VARCHAR NOT NULL,
    model_version BIGINT NOT NULL,
    prediction DOUBLE NOT NULL,
    run_id VARCHAR NOT NULL,
    predicted_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session, strategy, symbol, model_name, model_version)
);

-- One row a check, in the order they were made. value NULL = could not be computed.
-- Key (session, strategy, model_name, model_version, seq); replaced per the key without seq. Writer: models.
CREATE TABLE drift_checks (
    session DATE NOT NULL,
    strategy VARCHAR NOT NULL,
    model_name VARCHAR NOT NULL,
    model_version BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    family VARCHAR NOT NULL,
    column_name VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    value DOUBLE,
    threshold DOUBLE NOT NULL,
    verdict VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session, strategy, model_name, model_version, seq)
);

-- The decision of a night. Key (plan_hash); one plan per (session, account). record: the hashed text itself, so that
-- sha256(record) = plan_hash. Writer: orders.
CREATE TABLE plans (
    plan_hash VARCHAR PRIMARY KEY,
    session DATE NOT NULL,
    for_session DATE NOT NULL,
    account VARCHAR NOT NULL,
    equity_usd DECIMAL(18, 2) NOT NULL,
    cash_usd DECIMAL(18, 2) NOT NULL,
    record JSON NOT NULL,
    run_id VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- One name of a plan. weight: fraction of equity; price: USD; desired, target, held, working: shares.
-- Key (plan_hash, symbol). Writer: orders.
CREATE TABLE plan_lines (
    plan_hash VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    prediction DOUBLE,
    weight DECIMAL(18, 12) NOT NULL,
    price DECIMAL(18, 6),
    desired BIGINT NOT NULL,
    target BIGINT NOT NULL,
    held DECIMAL(18, 6) NOT NULL,
    working DECIMAL(18, 6) NOT NULL,
    order_ref VARCHAR,
    PRIMARY KEY (plan_hash, symbol)
);

-- The limits that changed a target, in the order they were applied, in shares.
-- Key (plan_hash, symbol, seq). Writer: orders.
CREATE TABLE plan_clips (
    plan_hash VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    seq INTEGER NOT NULL,
    limit_code VARCHAR NOT NULL,
    shares_before BIGINT NOT NULL,
    shares_after BIGINT NOT NULL,
    detail VARCHAR NOT NULL,
    PRIMARY KEY (plan_hash, symbol, seq)
);

-- Every order HRP decided on, denied ones too, as it stands now. Key (order_ref). quantity: shares; limit_price: USD.
-- Writer: orders.
CREATE TABLE orders (
    order_ref VARCHAR PRIMARY KEY,
    symbol VARCHAR NOT NULL,
    side VARCHAR NOT NULL,
    quantity BIGINT NOT NULL,
    order_type VARCHAR NOT NULL,
    limit_price DECIMAL(18, 6),
    tif VARCHAR NOT NULL,
    session DATE NOT NULL,
    for_session DATE NOT NULL,
    account VARCHAR NOT NULL,
    strategy VARCHAR NOT NULL,
    plan_hash VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    denial VARCHAR,
    broker_order_id BIGINT,
    perm_id BIGINT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- The life of each order, append-only. from_status NULL = the first entry; equal statuses = new ids of the broker.
-- Key (order_ref, seq). Writer: orders.
CREATE TABLE order_events (
    order_ref VARCHAR NOT NULL,
    seq INTEGER NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    from_status VARCHAR,
    to_status VARCHAR NOT NULL,
    evidence VARCHAR NOT NULL,
    broker_order_id BIGINT,
    perm_id BIGINT,
    PRIMARY KEY (order_ref, seq)
);

-- Executions as the broker reported them. Key (account, fill_id): the execution without its correction suffix; a
-- higher suffix supersedes. commission_usd NULL = not reported yet. order_ref '' = not placed by HRP. Writer: trading.
CREATE TABLE fills (
    fill_id VARCHAR NOT NULL,
    exec_id VARCHAR NOT NULL,
    order_ref VARCHAR NOT NULL,
    perm_id BIGINT NOT NULL,
    account VARCHAR NOT NULL,
    con_id BIGINT NOT NULL,
    symbol VARCHAR NOT NULL,
    side VARCHAR NOT NULL,
    quantity DECIMAL(18, 6) NOT NULL,
    price DECIMAL(18, 6) NOT NULL,
    executed_at TIMESTAMPTZ NOT NULL,
    commission_usd DECIMAL(18, 6),
    recorded_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account, fill_id)
);

-- That a complete snapshot of positions was taken: without this row an account is unknown, not flat.
-- Key (session, account). Writer: trading.
CREATE TABLE position_syncs (
    session DATE NOT NULL,
    account VARCHAR NOT NULL,
    synced_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session, account)
);

-- Holdings, a full snapshot per sync. quantity: shares, negative = short; prices: USD a share, NULL = unknown.
-- Key (session, account, con_id, symbol); replaced per (session, account). Writer: trading.
CREATE TABLE positions (
    session DATE NOT NULL,
    account VARCHAR NOT NULL,
    con_id BIGINT NOT NULL,
    symbol VARCHAR NOT NULL,
    quantity DECIMAL(18, 6) NOT NULL,
    entry_price DECIMAL(18, 6) NOT NULL,
    current_price DECIMAL(18, 6),
    PRIMARY KEY (session, account, con_id, symbol)
);

-- Money at a sync, as the broker states it; profit and loss from the fills, NULL = not known.
-- Key (session, account). Writer: trading.
CREATE TABLE equity (
    session DATE NOT NULL,
    account VARCHAR NOT NULL,
    net_liquidation_usd DECIMAL(18, 2) NOT NULL,
    cash_usd DECIMAL(18, 2) NOT NULL,
    realized_pnl_usd DECIMAL(18, 2),
    unrealized_pnl_usd DECIMAL(18, 2),
    commissions_usd DECIMAL(18, 2),
    synced_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session, account)
);

-- What the ledger's own book of an account starts from: its first sync, or the broker's word accepted by a person.
-- cash_usd: USD. Key (account, accepted_at); the newest counts. Writer: trading.
CREATE TABLE baselines (
    account VARCHAR NOT NULL,
    accepted_at TIMESTAMPTZ NOT NULL,
    session DATE NOT NULL,
    cash_usd DECIMAL(18, 2) NOT NULL,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    PRIMARY KEY (account, accepted_at)
);

-- The holdings of a baseline. quantity: shares; entry_price: USD a share.
-- Key (account, accepted_at, con_id, symbol). Writer: trading.
CREATE TABLE baseline_positions (
    account VARCHAR NOT NULL,
    accepted_at TIMESTAMPTZ NOT NULL,
    con_id BIGINT NOT NULL,
    symbol VARCHAR NOT NULL,
    quantity DECIMAL(18, 6) NOT NULL,
    entry_price DECIMAL(18, 6) NOT NULL,
    PRIMARY KEY (account, accepted_at, con_id, symbol)
);

-- Differences between the ledger and the broker. Key (session, account, kind, subject);
-- replaced per (session, account). Writer: trading.
CREATE TABLE breaks (
    session DATE NOT NULL,
    account VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    ledger VARCHAR NOT NULL,
    broker VARCHAR NOT NULL,
    explanation VARCHAR NOT NULL,
    PRIMARY KEY (session, account, kind, subject)
);

-- The paper account against the backtest of the same models. Key (session, account). Writer: trading.
CREATE TABLE tracking (
    session DATE NOT NULL,
    account VARCHAR NOT NULL,
    paper_equity_usd DECIMAL(18, 2) NOT NULL,
    backtest_equity_usd DECIMAL(18, 2),
    index_level DOUBLE,
    PRIMARY KEY (session, account)
);

-- One execution of a job; status 'running' until it ends. Key (run_id). rows: rows written. Writer: journal.
CREATE TABLE job_runs (
    run_id VARCHAR PRIMARY KEY,
    job VARCHAR NOT NULL,
    session DATE,
    status VARCHAR NOT NULL,
    dry_run BOOLEAN NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    seconds DOUBLE,
    rows BIGINT,
    detail JSON,
    error VARCHAR
);

-- What happened, append-only, each row carries the hash of the one before. Key (seq). Writer: journal.
CREATE TABLE lineage (
    seq BIGINT PRIMARY KEY,
    happened_at TIMESTAMPTZ NOT NULL,
    event_type VARCHAR NOT NULL,
    session DATE,
    run_id VARCHAR,
    actor VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    details JSON NOT NULL,
    previous_hash VARCHAR NOT NULL,
    hash VARCHAR NOT NULL
);
