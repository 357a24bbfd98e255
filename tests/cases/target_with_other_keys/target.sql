CREATE DATABASE shop;
CREATE TABLE shop.t (surrogate BIGINT AUTO_INCREMENT PRIMARY KEY, id INT NOT NULL, code VARCHAR(10), v INT, UNIQUE KEY pk (id), KEY code (code), KEY mine (v, code));
CREATE TABLE shop.loose (a INT, b INT, KEY b (b));
