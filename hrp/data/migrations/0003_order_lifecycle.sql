-- attempt: sends so far; lost: those of them that never reached the broker. Of the newest attempt: client_id that sent
-- it, and sending_at, the broker's clock before it. An event carries the attempt that it is about.
ALTER TABLE orders ADD COLUMN attempt INTEGER DEFAULT 0;
ALTER TABLE orders ADD COLUMN lost INTEGER DEFAULT 0;
ALTER TABLE orders ADD COLUMN client_id BIGINT;
ALTER TABLE orders ADD COLUMN sending_at TIMESTAMPTZ;
ALTER TABLE order_events ADD COLUMN attempt INTEGER DEFAULT 0;
UPDATE orders SET attempt = 1 WHERE broker_order_id IS NOT NULL;
UPDATE order_events SET attempt = 1 WHERE broker_order_id IS NOT NULL;

-- The life of an order gets names of its own for what the broker holds and what works at the exchange.
UPDATE orders SET status = 'planned' WHERE status = 'pending';
UPDATE orders SET status = 'acked' WHERE status = 'submitted';
UPDATE order_events SET from_status = 'planned' WHERE from_status = 'pending';
UPDATE order_events SET to_status = 'planned' WHERE to_status = 'pending';
UPDATE order_events SET from_status = 'acked' WHERE from_status = 'submitted';
UPDATE order_events SET to_status = 'acked' WHERE to_status = 'submitted';
