-- ¿Cuántas niñas y niños menores de cinco años hay en cada municipio?
-- How many girls and boys under five live in each municipality?
SELECT COALESCE(municipality, 'unknown') AS municipality,
       SUM(CASE WHEN gender = 'female' THEN 1 ELSE 0 END) AS girls,
       SUM(CASE WHEN gender = 'male' THEN 1 ELSE 0 END) AS boys,
       COUNT(*) AS children
FROM amate_patients
WHERE age_band IN ('<1', '1-4')
GROUP BY COALESCE(municipality, 'unknown')
ORDER BY children DESC, municipality
