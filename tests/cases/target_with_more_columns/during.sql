INSERT INTO shop.t VALUES (2, 2); UPDATE shop.t SET v = 10 WHERE id = 1; UPDATE shop.t SET id = 3 WHERE id = 2;
