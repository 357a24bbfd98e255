TRUNCATE TABLE shop.orders_1; INSERT INTO shop.orders_1 VALUES (3);
DROP TABLE shop.plain, shop.orders_2;
CREATE TABLE shop.orders_2 (id INT PRIMARY KEY); INSERT INTO shop.orders_2 VALUES (22);
DROP TABLE shop.orders_3;
