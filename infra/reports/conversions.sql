-- Counts transactions and sums their amounts. A transaction counts once, as its current revision says, in the span in
-- which its original was received. A negative transaction is rejected with the transaction that it reverses, and its
-- amount then counts as nothing, because the rejection takes everything.
-- Short amounts are tried first, because DuckDB reads long decimals slowly.
WITH revisions AS (
  SELECT
    CAST(provider AS varchar) AS provider,
    CAST(transaction_hash AS varchar) AS transaction_hash,
    revision,
    correction * 3 + CASE state WHEN 'pending' THEN 0 WHEN 'approved' THEN 1 ELSE 2 END AS place,
    state,
    currency,
    coalesce(try_cast(amount AS decimal(18, 8)), CAST(amount AS decimal(23, 8))) AS amount,
    coalesce(CAST(event_id AS varchar), '') AS event_id,
    coalesce(CAST(reverses AS varchar), '') AS reverses,
    CAST(received_at AS timestamp) AS received_at
  FROM transactions
  WHERE day >= '${first_day}'
    AND provider ${provider}
    AND CAST(recorded_at AS timestamp) <= TIMESTAMP '${as_of}'
),
latest AS (
  SELECT
    provider,
    transaction_hash,
    min(received_at) FILTER (WHERE revision = 0) AS received_at,
    max_by(state, place) AS state,
    max_by(currency, place) AS currency,
    max_by(amount, place) AS amount,
    max_by(event_id, place) AS event_id,
    max(reverses) AS reverses
  FROM revisions
  GROUP BY provider, transaction_hash
),
-- A transaction and those that reverse it share a root. The rejection of the root came after its reversals, so its row
-- is among the rows read here whenever theirs are. The order lets the engines read the rows once.
settled AS (
  SELECT
    *,
    max(CASE WHEN root = transaction_hash AND state = 'rejected' THEN 1 ELSE 0 END)
      OVER (PARTITION BY provider, root ORDER BY CASE WHEN root = transaction_hash THEN 0 ELSE 1 END)
      AS root_rejected
  FROM (
    SELECT *, CASE WHEN reverses IN ('', 'unknown') THEN transaction_hash ELSE reverses END AS root
    FROM latest
  ) AS rooted
),
labelled AS (
  SELECT
    spans.label,
    ${partner} AS partner,
    ${event} AS event,
    currency,
    CASE root_rejected WHEN 1 THEN 'rejected' ELSE state END AS state,
    CASE WHEN root_rejected = 1 AND root <> transaction_hash THEN 0 ELSE amount END AS amount
  FROM settled
  JOIN (VALUES ${spans}) AS spans (utc_day, begins, ends, label)
    ON spans.utc_day = CAST(received_at AS date) AND received_at >= spans.begins AND received_at < spans.ends
)
SELECT label, partner, event, currency, state, count(*) AS transactions, CAST(sum(amount) AS varchar) AS amount
FROM labelled
GROUP BY label, partner, event, currency, state
ORDER BY label, partner, event, currency, state
