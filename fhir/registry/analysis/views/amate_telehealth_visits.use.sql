-- ¿Cuántas consultas a distancia terminan cada mes, cuánto duran y cuántas no se hicieron?
-- How many visits at a distance are finished each month, how long are they, and how many did not take place?
SELECT month, COUNT(*) AS visits,
       SUM(CASE WHEN status = 'finished' THEN 1 ELSE 0 END) AS finished,
       SUM(CASE WHEN status = 'cancelled' THEN 1 ELSE 0 END) AS cancelled,
       ROUND(AVG(CASE WHEN status = 'finished' THEN 1.0 * minutes END), 1) AS mean_minutes
FROM amate_telehealth_visits
WHERE month IS NOT NULL
GROUP BY month
ORDER BY month
