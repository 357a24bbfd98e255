CREATE DATABASE shop_1; CREATE DATABASE other;
CREATE TABLE shop_1.orders_1 (id INT PRIMARY KEY, v VARCHAR(20)); CREATE TABLE shop_1.orders_2 LIKE shop_1.orders_1;
CREATE TABLE other.orders_1 (id INT PRIMARY KEY);
INSERT INTO shop_1.orders_1 VALUES (1, 'one'), (2, 'two'); INSERT INTO shop_1.orders_2 VALUES (11, 'eleven');
