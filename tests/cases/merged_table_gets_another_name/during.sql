RENAME TABLE shop.orders_1 TO shop.old_1; INSERT INTO shop.orders_2 VALUES (3);
