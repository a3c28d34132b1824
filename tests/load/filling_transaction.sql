INSERT INTO transaction.payments (id, client_id, idempotency_key, kind, debtor, creditor, amount_minor, currency,
    reference, metadata, capture, created_at, hash)
SELECT id, 'demo', key, 'transfer', debtor_name, creditor_name, 1, 'EUR', key, '{{}}', 'immediate', created_at,
    hash
FROM bench.filling ORDER BY n;

INSERT INTO transaction.payment_events (payment_id, sequence, status, occurred_at, previous_hash, hash)
SELECT f.id, e.* FROM bench.filling f, LATERAL (VALUES
    (1, 'PENDING', created_at, f.hash, hash_1),
    (2, 'APPROVED', settled_at, hash_1, hash_2),
    (3, 'SETTLED', settled_at, hash_2, hash_3)) AS e
ORDER BY f.n;

INSERT INTO transaction.payment_states (payment_id, client_id, amount_minor, status, sequence, last_hash,
    updated_at)
SELECT id, 'demo', 1, 'SETTLED', 3, hash_3, settled_at FROM bench.filling ORDER BY n;

INSERT INTO transaction.inbox (event_id, received_at)
SELECT e.* FROM bench.filling f, LATERAL (VALUES (other_id, created_at), (third_id, settled_at)) AS e
ORDER BY f.n;
