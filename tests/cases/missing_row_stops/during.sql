UPDATE shop.t SET v = 'uno' WHERE id = 1; UPDATE shop.t SET v = 'dos' WHERE id = 2; DELETE FROM shop.t WHERE id = 3; INSERT INTO shop.t VALUES (4, 'four');
