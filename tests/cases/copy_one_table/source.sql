CREATE DATABASE shop;
CREATE TABLE shop.items (id INT PRIMARY KEY, name VARCHAR(50) NOT NULL, price DECIMAL(10,2), KEY name (name)) DEFAULT CHARSET=utf8mb4;
INSERT INTO shop.items VALUES (1, 'chair', 19.90), (2, 'Tisch – grün', 100), (3, '', NULL), (-4, 'quote '' back \\ tab\t', 0.01);
