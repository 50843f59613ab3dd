-- name: write
-- Writes orders: $1 is an array of JSON objects, each a state with its id. Lines never change.
WITH input AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb)
    AS o (id bigint, "userId" bigint, status text, reason text, parcel text, lines jsonb)
), heads AS (
    INSERT INTO prm_order_head AS h (order_id, user_id, status, reason, parcel)
    SELECT id, "userId", status, reason, parcel FROM input
    ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, reason = excluded.reason, parcel = excluded.parcel
)
INSERT INTO prm_order_line (order_id, place, article, quantity, cents)
SELECT i.id, l.place, l.article, l.quantity, l.cents
FROM input i, ROWS FROM (jsonb_to_recordset(i.lines) AS (article text, quantity integer, cents bigint))
     WITH ORDINALITY AS l (article, quantity, cents, place)
WHERE i.status = 'placed'
ON CONFLICT DO NOTHING;

-- name: orders_of_user
SELECT order_id FROM prm_order_head WHERE user_id = $1 AND order_id > $2 ORDER BY order_id LIMIT 1000;

-- name: open_orders_of_user
SELECT order_id FROM prm_order_head
WHERE user_id = $1 AND status IN ('placed', 'paid') AND order_id > $2 ORDER BY order_id LIMIT 1000;
