CREATE DATABASE shop; CREATE DATABASE stock; CREATE DATABASE other;
CREATE TABLE shop.a (id INT PRIMARY KEY); INSERT INTO shop.a VALUES (1);
CREATE TABLE shop.b LIKE shop.a; INSERT INTO shop.b VALUES (2);
CREATE TABLE shop.gone LIKE shop.a; CREATE TABLE shop.no1 LIKE shop.a; CREATE TABLE stock.gone LIKE shop.a; CREATE TABLE other.t LIKE shop.a;
CREATE TABLE shop.keep LIKE shop.a; CREATE TABLE shop.left_it LIKE shop.a; INSERT INTO shop.left_it VALUES (5);
