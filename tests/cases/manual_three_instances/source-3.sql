CREATE DATABASE user; CREATE DATABASE store; CREATE DATABASE log;
CREATE TABLE user.information (id INT PRIMARY KEY, name VARCHAR(20)); CREATE TABLE user.log (id INT PRIMARY KEY, v INT);
CREATE TABLE log.messages (id INT PRIMARY KEY);
INSERT INTO user.information VALUES (1, 'from 3'); INSERT INTO user.log VALUES (1, 3), (2, 3); INSERT INTO log.messages VALUES (3);
CREATE TABLE store.store_gz (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO store.store_gz VALUES (1, 'gz of 3'), (2, 'second');
CREATE TABLE store.store_sz (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO store.store_sz VALUES (1, 'sz of 3'), (2, 'second');
