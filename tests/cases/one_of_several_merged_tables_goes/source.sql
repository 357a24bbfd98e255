CREATE DATABASE shop; CREATE TABLE shop.orders_1 (id INT PRIMARY KEY); CREATE TABLE shop.orders_2 LIKE shop.orders_1;
CREATE TABLE shop.orders_3 LIKE shop.orders_1; CREATE TABLE shop.plain LIKE shop.orders_1;
INSERT INTO shop.orders_1 VALUES (1), (2); INSERT INTO shop.orders_2 VALUES (21); INSERT INTO shop.orders_3 VALUES (31); INSERT INTO shop.plain VALUES (1);
