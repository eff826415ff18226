-- ¿Cuántas atenciones hubo cada mes por clase, y cuánto duran las estancias hospitalarias?
-- How many encounters were there each month by class, and how long are inpatient stays?
SELECT start_month, class, COUNT(*) AS encounters,
       ROUND(AVG(CASE WHEN class = 'IMP' THEN 1.0 * stay_days END), 1) AS mean_stay_days
FROM amate_encounters
WHERE start_month IS NOT NULL AND status NOT IN ('planned', 'cancelled')
GROUP BY start_month, class
ORDER BY start_month, class
