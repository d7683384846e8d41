-- Names that people query. A view repeats facts and owns none.

-- The latest known bar of each (symbol, session).
CREATE VIEW prices AS
SELECT symbol, session, open, high, low, close, volume, source, known_at
FROM prices_raw
QUALIFY row_number() OVER (PARTITION BY symbol, session ORDER BY known_at DESC) = 1;

-- One row per execution, with the order it belongs to; an execution that HRP did not order has no order columns.
CREATE VIEW executed_trades AS
SELECT
    f.fill_id AS trade_id,
    o.order_ref AS order_id,
    o.broker_order_id,
    o.strategy AS hypothesis_id,
    f.symbol,
    f.side,
    o.quantity,
    o.order_type,
    o.limit_price,
    f.price AS filled_price,
    f.quantity AS filled_quantity,
    f.commission_usd AS commission,
    o.status,
    sent.submitted_at,
    f.executed_at AS filled_at,
    f.recorded_at AS created_at
FROM fills AS f
LEFT JOIN orders AS o ON o.order_ref = f.order_ref AND o.account = f.account
LEFT JOIN (
    SELECT order_ref, min(recorded_at) AS submitted_at
    FROM order_events
    WHERE to_status IN ('sending', 'submitted')
    GROUP BY order_ref
) AS sent ON sent.order_ref = o.order_ref;

-- The newest snapshot of each account. One factor of each product is widened: two DECIMAL(18, 6) overflow at a million.
CREATE VIEW live_positions AS
WITH newest AS (
    SELECT account, session, synced_at
    FROM position_syncs
    QUALIFY row_number() OVER (PARTITION BY account ORDER BY session DESC) = 1
),
valued AS (
    SELECT
        p.*,
        n.synced_at,
        p.quantity::DECIMAL(38, 6) * p.current_price AS exact_value,
        p.quantity::DECIMAL(38, 6) * p.entry_price AS exact_cost
    FROM positions AS p
    JOIN newest AS n ON n.account = p.account AND n.session = p.session
),
last_order AS (
    SELECT account, symbol, strategy
    FROM orders
    WHERE status <> 'denied'
    QUALIFY row_number() OVER (PARTITION BY account, symbol ORDER BY session DESC, created_at DESC) = 1
)
SELECT
    v.symbol,
    v.quantity,
    v.entry_price,
    v.current_price,
    v.exact_value::DECIMAL(18, 2) AS market_value,
    v.exact_cost::DECIMAL(18, 2) AS cost_basis,
    (v.exact_value - v.exact_cost)::DECIMAL(18, 2) AS unrealized_pnl,
    (v.exact_value - v.exact_cost)::DOUBLE / nullif(abs(v.exact_cost), 0)::DOUBLE AS unrealized_pnl_pct,
    l.strategy AS hypothesis_id,
    v.session AS as_of_date,
    v.synced_at AS updated_at,
    v.account
FROM valued AS v
LEFT JOIN last_order AS l ON l.account = v.account AND l.symbol = v.symbol;

-- Every drift check; could_not_check counts as detected, because a check that did not run has found nothing out.
CREATE VIEW model_drift_checks AS
SELECT
    session,
    strategy AS hypothesis_id,
    model_name,
    model_version,
    family AS drift_type,
    column_name,
    method,
    value AS metric_value,
    threshold,
    verdict <> 'ok' AS is_drift_detected,
    verdict,
    detail,
    run_id,
    checked_at
FROM drift_checks;

-- How predictions did against what came, session by session.
CREATE VIEW model_performance_history AS
SELECT
    session,
    strategy AS hypothesis_id,
    model_name,
    model_version,
    method AS metric_name,
    value AS metric_value,
    threshold,
    verdict,
    checked_at AS recorded_at
FROM drift_checks
WHERE family = 'concept';
