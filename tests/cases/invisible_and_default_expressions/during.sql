INSERT INTO shop.t (id, v) VALUES (3, 30); UPDATE shop.t SET v = 9 WHERE id = 1;
