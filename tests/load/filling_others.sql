INSERT INTO account.postings (id, client_id, kind, payment_id, posted_at)
SELECT other_id, 'demo', 'transfer', id, settled_at FROM bench.filling ORDER BY n;

CREATE UNLOGGED TABLE bench.legs AS
SELECT n, f.other_id AS posting_id, legs.leg, a.id AS account_id, legs.amount_minor, f.settled_at,
    a.version + row_number() OVER own AS entry_number,
    a.posted_minor + sum(legs.amount_minor) OVER own AS balance_after_minor
FROM bench.filling f
CROSS JOIN LATERAL (VALUES (1, debtor_name, -1), (2, creditor_name, 1)) AS legs (leg, name, amount_minor)
JOIN account.accounts a ON a.client_id = 'demo' AND a.reference = legs.name
WINDOW own AS (PARTITION BY a.id ORDER BY n);

INSERT INTO account.entries (posting_id, leg, account_id, entry_number, amount_minor, balance_after_minor,
    currency, posted_at)
SELECT posting_id, leg, account_id, entry_number, amount_minor, balance_after_minor, 'EUR', settled_at
FROM bench.legs ORDER BY n, leg;

UPDATE account.accounts a SET version = l.entry_number, posted_minor = l.balance_after_minor
FROM (SELECT DISTINCT ON (account_id) account_id, entry_number, balance_after_minor
      FROM bench.legs ORDER BY account_id, entry_number DESC) l
WHERE l.account_id = a.id;

INSERT INTO account.inbox (event_id, received_at)
SELECT third_id, settled_at FROM bench.filling ORDER BY n;

INSERT INTO fraud.decisions (payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reference,
    created_at, decision, score, reasons, rules_version, fired, velocity, event_id, decided_at)
SELECT id, 'demo', 'transfer', debtor_name, creditor_name, 1, 'EUR', key, created_at, 'approve', 0, '[]', 1,
    '[]', '{{}}', other_id, created_at
FROM bench.filling ORDER BY n;

INSERT INTO fraud.inbox (event_id, received_at)
SELECT other_id, created_at FROM bench.filling ORDER BY n;

INSERT INTO notification.inbox (event_id, received_at)
SELECT third_id, settled_at FROM bench.filling ORDER BY n;
