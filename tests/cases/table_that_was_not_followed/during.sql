RENAME TABLE shop.t TO shop.no_old, shop.no_new TO shop.t;
INSERT INTO shop.t VALUES (11);
