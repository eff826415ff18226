-- Number 12 is of another table, whose file takes the place of this one.
SELECT 12;
