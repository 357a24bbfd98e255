USE shop;
UPDATE t SET v = v + 1 WHERE id % 3 = 0;
DELETE FROM t WHERE id % 7 = 0;
INSERT INTO t SELECT id + 1000, v FROM t WHERE id < 300;
UPDATE t SET id = id + 5000 WHERE id % 11 = 0;
