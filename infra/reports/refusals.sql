-- Counts calls that were refused or conflicted, and the different contents among them. A call with several codes counts
-- under each code.
WITH calls AS (
  SELECT
    CAST(provider AS varchar) AS provider,
    CAST(content_hash AS varchar) AS content_hash,
    min(CAST(codes AS varchar)) AS codes,
    min(CAST(seen_at AS timestamp)) AS seen_at
  FROM refusals
  WHERE day >= '${first_day}'
    AND provider ${provider}
  GROUP BY provider, content_hash, first_received_at, times
),
labelled AS (
  SELECT
    spans.label,
    ${partner} AS partner,
    ${code} AS code,
    provider || content_hash AS content
  FROM calls
  JOIN (VALUES ${spans}) AS spans (utc_day, begins, ends, label)
    ON spans.utc_day = CAST(seen_at AS date) AND seen_at >= spans.begins AND seen_at < spans.ends
  CROSS JOIN UNNEST(split(${codes}, ',')) AS named (name)
)
SELECT label, partner, code, count(*) AS calls, count(DISTINCT content) AS contents
FROM labelled
GROUP BY label, partner, code
ORDER BY label, partner, code
