-- ¿Cuántas dosis se aplican cada mes y a qué edad, por vacuna?
-- How many doses of each vaccine are given each month, and at what age?
SELECT month, cvx_code, COUNT(*) AS doses,
       SUM(CASE WHEN age_months < 12 THEN 1 ELSE 0 END) AS before_first_birthday,
       MIN(age_months) AS youngest_months, MAX(age_months) AS oldest_months
FROM amate_doses
WHERE status = 'completed' AND cvx_code IS NOT NULL
GROUP BY month, cvx_code
ORDER BY month, cvx_code
