CREATE DATABASE shop;
CREATE TABLE shop.t (id INT PRIMARY KEY, v INT);
CREATE TABLE shop.d (n INT PRIMARY KEY);
INSERT INTO shop.d VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
INSERT INTO shop.t SELECT a.n + 10 * b.n + 100 * c.n, 0 FROM shop.d a, shop.d b, shop.d c;
