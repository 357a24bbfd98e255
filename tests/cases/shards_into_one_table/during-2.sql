DELETE FROM shop_2.orders_1 WHERE id = 21;
INSERT INTO shop_2.orders_1 VALUES (23, NULL);
