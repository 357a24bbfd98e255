CREATE DATABASE shop;
CREATE TABLE shop.t (id INT PRIMARY KEY, code VARCHAR(10), v INT, UNIQUE KEY code (code), KEY v (v));
CREATE TABLE shop.loose (a INT, b INT);
INSERT INTO shop.t VALUES (1, 'a', 1), (2, 'b', 2), (3, NULL, 3);
INSERT INTO shop.loose VALUES (1, 1), (2, 2), (2, 2);
