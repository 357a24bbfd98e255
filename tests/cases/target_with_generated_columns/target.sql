CREATE DATABASE shop;
CREATE TABLE shop.t (id INT PRIMARY KEY, price INT, amount INT, total INT);
CREATE TABLE shop.plain (id INT PRIMARY KEY, price INT, doubled INT GENERATED ALWAYS AS (price * 2) VIRTUAL, amount INT, total INT GENERATED ALWAYS AS (price * amount) STORED, UNIQUE KEY total (total, id));
