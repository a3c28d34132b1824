-- Payments with these numbers as the services would have stored them, hashes and chains included, spread
-- over the thirty days before today. Sent messages are left out: their rows are removed after days.
-- OFFSET 0: each step is worked out once, not again wherever a later one names it.
CREATE SCHEMA IF NOT EXISTS bench;
CREATE UNLOGGED TABLE bench.filling AS
WITH numbered AS (
    SELECT n, md5('payment' || n) AS chance, md5('key' || n) AS key,
           -- Each debtor pays each creditor in turn; never itself.
           1 + n % 999 AS debtor, 1 + (n + 1 + (n / 999) % 998) % 999 AS creditor,
           date_trunc('day', now()) - interval '30 days' + n * interval '2.5 seconds' AS created_at
    FROM generate_series({first}, {last}) AS n OFFSET 0
), identified AS (
    SELECT *, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_text,
           created_at + interval '15 milliseconds' AS settled_at,
           to_char((created_at + interval '15 milliseconds') AT TIME ZONE 'UTC',
                   'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS settled_text,
           lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0') AS time_hex,
           'BENCH-' || lpad(debtor::text, 4, '0') AS debtor_name,
           'BENCH-' || lpad(creditor::text, 4, '0') AS creditor_name
    FROM numbered OFFSET 0
), recorded AS (
    SELECT *, (time_hex || '7' || substr(chance, 1, 3) || '8' || substr(chance, 4, 15))::uuid AS id,
           (time_hex || '7' || substr(chance, 4, 3) || '9' || substr(chance, 7, 15))::uuid AS other_id,
           (time_hex || '7' || substr(chance, 7, 3) || 'a' || substr(chance, 10, 15))::uuid AS third_id
    FROM identified OFFSET 0
), hashed AS (
    SELECT *, sha256(convert_to(E'florin-payment-v1\n' || format(
        '{{"amount_minor":1,"capture":"immediate","client_id":"demo","created_at":"%s","creditor":"%s",'
        '"currency":"EUR","debtor":"%s","description":null,"id":"%s","idempotency_key":"%s","kind":"transfer",'
        '"metadata":{{}},"reference":"%s","reverses":null}}',
        created_text, creditor_name, debtor_name, id, key, key), 'UTF8')) AS hash
    FROM recorded OFFSET 0
), pending AS (
    SELECT *, sha256(convert_to(E'florin-payment-event-v1\n' || format(
        '{{"occurred_at":"%s","payment_id":"%s","previous_hash":"%s","reason":null,"sequence":1,'
        '"status":"PENDING"}}', created_text, id, encode(hash, 'hex')), 'UTF8')) AS hash_1
    FROM hashed OFFSET 0
), approved AS (
    SELECT *, sha256(convert_to(E'florin-payment-event-v1\n' || format(
        '{{"occurred_at":"%s","payment_id":"%s","previous_hash":"%s","reason":null,"sequence":2,'
        '"status":"APPROVED"}}', settled_text, id, encode(hash_1, 'hex')), 'UTF8')) AS hash_2
    FROM pending OFFSET 0
)
SELECT n, id, other_id, third_id, key, debtor_name, creditor_name, created_at, settled_at, hash, hash_1, hash_2,
       sha256(convert_to(E'florin-payment-event-v1\n' || format(
        '{{"occurred_at":"%s","payment_id":"%s","previous_hash":"%s","reason":null,"sequence":3,'
        '"status":"SETTLED"}}', settled_text, id, encode(hash_2, 'hex')), 'UTF8')) AS hash_3
FROM approved ORDER BY n;
ANALYZE bench.filling;
