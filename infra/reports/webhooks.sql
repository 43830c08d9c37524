-- Counts the deliveries whose goal was reached in the period, by their latest status, with all their attempts and the
-- time from the goal to the delivery.
WITH latest AS (
  SELECT
    CAST(provider AS varchar) AS provider,
    CAST(delivery_hash AS varchar) AS delivery_hash,
    max_by(CAST(campaign AS varchar), revision) AS campaign,
    max_by(status, revision) AS status,
    min(CAST(occurred_at AS timestamp)) AS occurred_at,
    min(CAST(ended_at AS timestamp)) FILTER (WHERE status = 'delivered') AS delivered_at
  FROM deliveries
  WHERE day >= '${first_day}'
    AND provider ${provider}
  GROUP BY provider, delivery_hash
),
tries AS (
  SELECT provider AS of_provider, delivery_hash AS of_delivery, count(*) AS attempts
  FROM (
    SELECT DISTINCT
      CAST(provider AS varchar) AS provider,
      CAST(delivery_hash AS varchar) AS delivery_hash,
      round, n, late
    FROM attempts
    WHERE day >= '${first_day}'
      AND provider ${provider}
  ) AS once
  GROUP BY provider, delivery_hash
),
labelled AS (
  SELECT
    spans.label,
    ${partner} AS partner,
    ${campaign} AS campaign,
    ${outcome} AS outcome,
    coalesce(tries.attempts, 0) AS attempts,
    CASE status WHEN 'delivered' THEN date_diff('millisecond', occurred_at, delivered_at) END AS wait_ms
  FROM latest
  JOIN (VALUES ${spans}) AS spans (utc_day, begins, ends, label)
    ON spans.utc_day = CAST(occurred_at AS date) AND occurred_at >= spans.begins AND occurred_at < spans.ends
  LEFT JOIN tries ON of_provider = provider AND of_delivery = delivery_hash
),
ranked AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY label, partner, campaign, outcome ORDER BY wait_ms NULLS LAST) AS place,
    count(wait_ms) OVER (PARTITION BY label, partner, campaign, outcome) AS delivered
  FROM labelled
)
SELECT
  label, partner, campaign, outcome,
  count(*) AS deliveries,
  CAST(sum(attempts) AS bigint) AS attempts,
  min(wait_ms) FILTER (WHERE place * 100 >= delivered * 50) AS p50_ms,
  min(wait_ms) FILTER (WHERE place * 100 >= delivered * 95) AS p95_ms
FROM ranked
GROUP BY label, partner, campaign, outcome
ORDER BY label, partner, campaign, outcome
