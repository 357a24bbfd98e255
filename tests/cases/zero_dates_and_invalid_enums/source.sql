SET SESSION sql_mode = '';
CREATE DATABASE shop;
CREATE TABLE shop.z (id INT PRIMARY KEY, d DATE, dt DATETIME, ts TIMESTAMP NULL, e ENUM('a', 'b'), s SET('x', 'y'), y YEAR);
INSERT INTO shop.z VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', 'nosuch', '', 0), (2, '2024-00-00', '2024-02-00 01:02:03', NULL, 'b', 'x,y', 2155);
