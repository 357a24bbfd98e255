CREATE DATABASE log;
CREATE TABLE log.messages (id int(11) NOT NULL, message varchar(255) DEFAULT NULL, PRIMARY KEY (id));
