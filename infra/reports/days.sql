-- Lists the days on which rows arrived.
SELECT CAST(day AS varchar) AS arrived, count(*) AS stored
FROM ${table}
WHERE day >= '${first_day}'
  AND provider ${provider}
GROUP BY day
ORDER BY day
