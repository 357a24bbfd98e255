CREATE DATABASE shop_2;
CREATE TABLE shop_2.orders_1 (id INT PRIMARY KEY, v VARCHAR(20));
INSERT INTO shop_2.orders_1 VALUES (21, 'x'), (22, 'y');
