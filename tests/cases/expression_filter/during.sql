USE shop;
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, NULL);
UPDATE t SET c = 1001 WHERE id = 1;
UPDATE t SET c = 33 WHERE id = 3;
DELETE FROM t WHERE id IN (3, 5);
