-- Counts the uses of tracking links, and those whose click became a conversion: a transaction that is approved now and
-- not negative. Shows how long the first conversion of a click took.
WITH starts AS (
  SELECT
    CAST(provider AS varchar) AS provider,
    CAST(click_hash AS varchar) AS click_hash,
    min(CAST(landing AS varchar)) AS landing,
    min(CAST(clicked_at AS timestamp)) AS clicked_at
  FROM clicks
  WHERE day >= '${first_day}'
    AND provider ${provider}
  GROUP BY provider, click_hash
),
revisions AS (
  SELECT
    CAST(provider AS varchar) AS provider,
    CAST(transaction_hash AS varchar) AS transaction_hash,
    revision,
    correction * 3 + CASE state WHEN 'pending' THEN 0 WHEN 'approved' THEN 1 ELSE 2 END AS place,
    state,
    coalesce(try_cast(amount AS decimal(18, 8)), CAST(amount AS decimal(23, 8))) AS amount,
    CAST(click_hash AS varchar) AS click_hash,
    CAST(received_at AS timestamp) AS received_at
  FROM transactions
  WHERE day >= '${first_day}'
    AND provider ${provider}
),
latest AS (
  SELECT
    provider,
    max_by(click_hash, place) AS click_hash,
    max_by(state, place) AS state,
    max_by(amount, place) AS amount,
    min(received_at) FILTER (WHERE revision = 0) AS received_at
  FROM revisions
  GROUP BY provider, transaction_hash
),
paid AS (
  SELECT
    provider AS of_provider, click_hash AS of_click, count(*) AS conversions, min(received_at) AS first_at
  FROM latest
  WHERE state = 'approved' AND amount >= 0 AND received_at IS NOT NULL
  GROUP BY provider, click_hash
),
labelled AS (
  SELECT
    spans.label,
    ${partner} AS partner,
    ${landing} AS landing,
    coalesce(paid.conversions, 0) AS conversions,
    date_diff('millisecond', clicked_at, first_at) AS wait_ms
  FROM starts
  JOIN (VALUES ${spans}) AS spans (utc_day, begins, ends, label)
    ON spans.utc_day = CAST(clicked_at AS date) AND clicked_at >= spans.begins AND clicked_at < spans.ends
  LEFT JOIN paid ON of_provider = provider AND of_click = click_hash
)
SELECT
  label, partner, landing,
  count(*) AS clicks,
  count(*) FILTER (WHERE conversions > 0) AS converted,
  CAST(sum(conversions) AS bigint) AS conversions,
  count(*) FILTER (WHERE wait_ms < 60000) AS within_minute,
  count(*) FILTER (WHERE wait_ms >= 60000 AND wait_ms < 3600000) AS within_hour,
  count(*) FILTER (WHERE wait_ms >= 3600000 AND wait_ms < 86400000) AS within_day,
  count(*) FILTER (WHERE wait_ms >= 86400000 AND wait_ms < 604800000) AS within_week,
  count(*) FILTER (WHERE wait_ms >= 604800000) AS later
FROM labelled
GROUP BY label, partner, landing
ORDER BY label, partner, landing
