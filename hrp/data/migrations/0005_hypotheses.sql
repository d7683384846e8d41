-- The life of a hypothesis from the test that may refute it to its retirement.

-- A retired model's strategy was called validated; that word now means that the evidence is in.
UPDATE hypotheses SET status = 'retired' WHERE status = 'validated';

-- What happened to each hypothesis: append-only, each row carries the hash of the one before. action: new, test, look,
-- validate, reject, deploy, retire; status: of the hypothesis after it. Key (seq). Writer: hypotheses.
CREATE TABLE hypothesis_events (
    seq BIGINT PRIMARY KEY,
    hypothesis_id VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    happened_at TIMESTAMPTZ NOT NULL,
    evidence JSON NOT NULL,
    previous_hash VARCHAR NOT NULL,
    hash VARCHAR NOT NULL
);
