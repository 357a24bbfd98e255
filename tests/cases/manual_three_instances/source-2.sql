CREATE DATABASE user; CREATE DATABASE store; CREATE DATABASE log;
CREATE TABLE user.information (id INT PRIMARY KEY, name VARCHAR(20)); CREATE TABLE user.log (id INT PRIMARY KEY, v INT);
CREATE TABLE log.messages (id INT PRIMARY KEY);
INSERT INTO user.information VALUES (1, 'from 2'); INSERT INTO user.log VALUES (1, 2), (2, 2); INSERT INTO log.messages VALUES (2);
CREATE TABLE store.store_sh (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO store.store_sh VALUES (1, 'sh of 2'), (2, 'second');
CREATE TABLE store.store_sz (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO store.store_sz VALUES (1, 'sz of 2'), (2, 'second');
