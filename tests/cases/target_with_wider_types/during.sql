UPDATE shop.t SET i = i - 1, d = d + 0.5, s = CONCAT('ü', COALESCE(s, '')), e = 'a' WHERE id = 1;
DELETE FROM shop.t WHERE id = 4294967295;
INSERT INTO shop.t VALUES (4294967294, 7, 0.01, 'new', 'abc', '9999-12-31 23:59:59', 'b', 2.25);
UPDATE shop.t SET id = 2 WHERE id = 1;
