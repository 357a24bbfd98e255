CREATE DATABASE user; CREATE DATABASE store; CREATE DATABASE log;
CREATE TABLE user.information (id INT PRIMARY KEY, name VARCHAR(20)); CREATE TABLE user.log (id INT PRIMARY KEY, v INT);
CREATE TABLE log.messages (id INT PRIMARY KEY);
INSERT INTO user.information VALUES (1, 'from 1'); INSERT INTO user.log VALUES (1, 1), (2, 1); INSERT INTO log.messages VALUES (1);
CREATE TABLE store.store_bj (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO store.store_bj VALUES (1, 'bj of 1'), (2, 'second');
CREATE TABLE store.store_tj (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO store.store_tj VALUES (1, 'tj of 1'), (2, 'second');
