-- ¿Qué proporción de cada cohorte que ya tiene esa edad recibió tres dosis contra tos ferina antes de cumplir un año, y una contra sarampión antes de los dos, por municipio?
-- Of each cohort that is of that age by now, what share had three doses against pertussis before the first birthday, and one against measles before the second, by municipality?
SELECT p.birth_year, COALESCE(p.municipality, 'unknown') AS municipality, COUNT(*) AS children,
       CASE WHEN p.birth_year + 1 < n.year THEN ROUND(100.0 * SUM(CASE WHEN c.pertussis >= 3 THEN 1 ELSE 0 END) / COUNT(*), 1) END AS percent_pertussis_3,
       CASE WHEN p.birth_year + 2 < n.year THEN ROUND(100.0 * SUM(CASE WHEN c.measles >= 1 THEN 1 ELSE 0 END) / COUNT(*), 1) END AS percent_measles_1
FROM amate_patients p
CROSS JOIN (SELECT CAST(SUBSTR(MAX(month), 1, 4) AS INTEGER) AS year FROM amate_coverage) n
LEFT JOIN (SELECT patient_id,
                  COUNT(DISTINCT CASE WHEN antigen = 'Pertussis' AND age_months < 12 THEN dose_id END) AS pertussis,
                  COUNT(DISTINCT CASE WHEN antigen = 'Measles' AND age_months < 24 THEN dose_id END) AS measles
           FROM amate_coverage
           GROUP BY patient_id) c ON c.patient_id = p.patient_id
WHERE p.birth_year >= 2015
GROUP BY p.birth_year, COALESCE(p.municipality, 'unknown'), n.year
ORDER BY p.birth_year, municipality
