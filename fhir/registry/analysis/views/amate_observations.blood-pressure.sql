-- ¿Qué proporción de las tomas de presión arterial de cada año es de 140 mmHg o más?
-- What share of each year's blood pressures is 140 mmHg or more?
SELECT SUBSTR(month, 1, 4) AS year, COUNT(*) AS readings,
       ROUND(100.0 * SUM(CASE WHEN value_number >= 140 THEN 1 ELSE 0 END) / COUNT(*), 1) AS percent_high
FROM amate_observations
WHERE code_system = 'http://loinc.org' AND code = '8480-6' AND value_unit = 'mm[Hg]' AND month IS NOT NULL
GROUP BY SUBSTR(month, 1, 4)
ORDER BY year
