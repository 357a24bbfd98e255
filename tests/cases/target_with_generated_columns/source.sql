CREATE DATABASE shop;
CREATE TABLE shop.t (id INT PRIMARY KEY, price INT, amount INT, total INT GENERATED ALWAYS AS (price * amount) STORED);
CREATE TABLE shop.plain (id INT PRIMARY KEY, price INT, amount INT);
INSERT INTO shop.t (id, price, amount) VALUES (1, 2, 3), (2, NULL, 5);
INSERT INTO shop.plain VALUES (1, 2, 3);
