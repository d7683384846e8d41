-- What a name's history is, as a function of the session that looks back; and what a past decision was made from.

-- What the source had done to a bar's prices already when it stated them: raw, splits, total_return.
ALTER TABLE prices_raw ADD COLUMN adjustment VARCHAR DEFAULT 'raw';

-- Which instrument a ticker names, by interval, both ends included; last_session NULL = still, and one before
-- first_session = never (withdrawn). A ticker without a row here names one instrument for ever.
-- Key (instrument, ticker, first_session, known_at): a restatement is a new row. Writer: listings.
CREATE TABLE listings (
    instrument VARCHAR NOT NULL,
    ticker VARCHAR NOT NULL,
    first_session DATE NOT NULL,
    last_session DATE,
    known_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (instrument, ticker, first_session, known_at)
);

-- What a plan was made from besides prices, models and limits, so that it can be made again; NULL for one by hand.
ALTER TABLE plans ADD COLUMN inputs JSON;
