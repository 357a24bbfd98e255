CREATE DATABASE user; CREATE DATABASE store; CREATE DATABASE log;
CREATE TABLE user.information (id INT PRIMARY KEY); CREATE TABLE store.store_bj (id INT PRIMARY KEY);
CREATE TABLE log.messages (id int(11) NOT NULL, message varchar(255) DEFAULT NULL, PRIMARY KEY (id));
INSERT INTO log.messages VALUES (1, 'msg1'), (2, 'msg2'), (3, 'msg3');
