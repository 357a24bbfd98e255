DROP TABLE shop.plain;
TRUNCATE TABLE shop.orders_1;
INSERT INTO shop.orders_2 VALUES (22);
