-- ¿Qué proporción de los nacimientos se certifica a más tardar al día siguiente, por establecimiento y mes?
-- What share of births is certified by the day after, by establishment and month?
SELECT facility_id, birth_month, COUNT(*) AS births,
       ROUND(100.0 * SUM(CASE WHEN certified_within = '0-1' THEN 1 ELSE 0 END) / COUNT(*), 1) AS percent_within_a_day,
       SUM(CASE WHEN certified_within IN ('61-365', '366+') THEN 1 ELSE 0 END) AS after_60_days
FROM amate_birth_certification
WHERE certified_within IS NOT NULL
GROUP BY facility_id, birth_month
ORDER BY birth_month, facility_id
