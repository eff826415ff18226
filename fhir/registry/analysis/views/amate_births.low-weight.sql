-- ¿Qué proporción de los nacimientos de cada año y entidad pesó menos de 2,500 g?
-- What share of each year's and state's births weighed less than 2,500 g?
SELECT SUBSTR(b.birth_month, 1, 4) AS year, COALESCE(SUBSTR(p.birth_municipality, 1, 2), 'unknown') AS state,
       COUNT(DISTINCT b.certificate_id) AS births,
       COUNT(DISTINCT CASE WHEN w.grams > 0 THEN b.certificate_id END) AS weighed,
       COUNT(DISTINCT CASE WHEN w.grams < 2500 THEN b.certificate_id END) AS low_weight,
       ROUND(100.0 * COUNT(DISTINCT CASE WHEN w.grams < 2500 THEN b.certificate_id END)
             / NULLIF(COUNT(DISTINCT CASE WHEN w.grams > 0 THEN b.certificate_id END), 0), 1) AS percent_low_weight
FROM amate_births b
LEFT JOIN amate_patients p ON p.patient_id = b.newborn_id
LEFT JOIN (SELECT patient_id, MIN(CASE value_unit WHEN 'kg' THEN 1000 * value_number ELSE value_number END) AS grams
           FROM amate_observations
           WHERE code = '8339-4' AND value_unit IN ('g', 'kg') AND value_number > 0
           GROUP BY patient_id) w ON w.patient_id = b.newborn_id
GROUP BY SUBSTR(b.birth_month, 1, 4), COALESCE(SUBSTR(p.birth_municipality, 1, 2), 'unknown')
ORDER BY year, state
