-- additive: yes
-- An order and its lines, beside what every aggregate has (prm_order, prm_order_event, ...).
CREATE TABLE prm_order_head (
    order_id bigint PRIMARY KEY,
    user_id  bigint NOT NULL,
    status   text NOT NULL,
    reason   text,
    parcel   text
);
CREATE INDEX prm_order_head_user ON prm_order_head (user_id, order_id);

CREATE TABLE prm_order_line (
    order_id bigint NOT NULL,
    place    smallint NOT NULL,
    article  text NOT NULL,
    quantity integer NOT NULL,
    cents    bigint NOT NULL,
    PRIMARY KEY (order_id, place)
);

-- The state of each order, as its rows have it.
CREATE VIEW prm_order_state AS
SELECT order_id AS id, json_build_object(
    'userId', user_id, 'status', status, 'reason', reason, 'parcel', parcel,
    'lines', (
        SELECT json_agg(json_build_object('article', article, 'quantity', quantity, 'cents', cents) ORDER BY place)
        FROM prm_order_line l WHERE l.order_id = h.order_id)
) AS state
FROM prm_order_head h;
