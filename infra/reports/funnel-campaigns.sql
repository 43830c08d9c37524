-- Counts the users who opened a partner's link to GG3 in the period, and for each campaign those who then reached its
-- goal and whose webhook was delivered. Shows how long a user took from the first opening of the period to the goal.
WITH starts AS (
  SELECT provider, user_hash, min(opened_at) AS opened_at
  FROM (
    SELECT
      CAST(provider AS varchar) AS provider,
      CAST(user_hash AS varchar) AS user_hash,
      CAST(opened_at AS timestamp) AS opened_at
    FROM openings
    WHERE day >= '${first_day}'
      AND provider ${provider}
  ) AS opened
  WHERE opened_at >= TIMESTAMP '${from}' AND opened_at < TIMESTAMP '${to}'
  GROUP BY provider, user_hash
),
latest AS (
  SELECT
    CAST(provider AS varchar) AS provider,
    max_by(CAST(user_hash AS varchar), revision) AS user_hash,
    max_by(CAST(campaign AS varchar), revision) AS campaign,
    max_by(status, revision) AS status,
    min(CAST(occurred_at AS timestamp)) AS occurred_at
  FROM deliveries
  WHERE day >= '${first_day}'
    AND provider ${provider}
  GROUP BY provider, delivery_hash
),
labelled AS (
  SELECT spans.label, starts.provider AS partner, starts.user_hash, starts.opened_at
  FROM starts
  JOIN (VALUES ${spans}) AS spans (utc_day, begins, ends, label)
    ON spans.utc_day = CAST(opened_at AS date) AND opened_at >= spans.begins AND opened_at < spans.ends
),
opened AS (
  SELECT label, partner, count(*) AS users
  FROM labelled
  GROUP BY label, partner
),
reached AS (
  SELECT
    labelled.label,
    labelled.partner,
    latest.campaign,
    latest.status,
    date_diff('millisecond', labelled.opened_at, latest.occurred_at) AS wait_ms
  FROM labelled
  JOIN latest
    ON latest.provider = labelled.partner
    AND latest.user_hash = labelled.user_hash
    AND latest.occurred_at >= labelled.opened_at
),
counted AS (
  SELECT
    label, partner, campaign,
    count(*) AS deliveries,
    count(*) FILTER (WHERE status = 'delivered') AS delivered,
    count(*) FILTER (WHERE wait_ms < 60000) AS within_minute,
    count(*) FILTER (WHERE wait_ms >= 60000 AND wait_ms < 3600000) AS within_hour,
    count(*) FILTER (WHERE wait_ms >= 3600000 AND wait_ms < 86400000) AS within_day,
    count(*) FILTER (WHERE wait_ms >= 86400000 AND wait_ms < 604800000) AS within_week,
    count(*) FILTER (WHERE wait_ms >= 604800000) AS later
  FROM reached
  GROUP BY label, partner, campaign
)
SELECT
  opened.label, opened.partner, coalesce(counted.campaign, '') AS campaign,
  users,
  coalesce(deliveries, 0) AS deliveries,
  coalesce(delivered, 0) AS delivered,
  coalesce(within_minute, 0) AS within_minute,
  coalesce(within_hour, 0) AS within_hour,
  coalesce(within_day, 0) AS within_day,
  coalesce(within_week, 0) AS within_week,
  coalesce(later, 0) AS later
FROM opened
LEFT JOIN counted ON counted.label = opened.label AND counted.partner = opened.partner
ORDER BY label, partner, campaign
