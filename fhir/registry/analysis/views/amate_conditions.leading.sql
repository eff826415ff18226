-- ¿Cuáles son los diez diagnósticos que tienen más personas, por grupo de edad?
-- Which ten diagnoses do most people have, and at what ages?
SELECT code_system, code, COUNT(DISTINCT patient_id) AS people,
       COUNT(DISTINCT CASE WHEN age_band IN ('<1', '1-4', '5-9', '10-14', '15-19') THEN patient_id END) AS under_20,
       COUNT(DISTINCT CASE WHEN age_band IN ('60-64', '65-69', '70-74', '75-79', '80-84', '85-89', '90+') THEN patient_id END) AS from_60
FROM amate_conditions
WHERE code IS NOT NULL
GROUP BY code_system, code
ORDER BY people DESC, code
LIMIT 10
