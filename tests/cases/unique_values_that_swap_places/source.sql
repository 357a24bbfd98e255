CREATE DATABASE shop; CREATE TABLE shop.k (id INT PRIMARY KEY, u VARCHAR(9) UNIQUE, n INT);
INSERT INTO shop.k VALUES (1, 'a', 0), (3, 'c', 0), (10, 'x', 0), (11, 'y', 0);
