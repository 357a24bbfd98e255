CREATE DATABASE user;
CREATE TABLE user.information (id bigint(20) NOT NULL AUTO_INCREMENT, uid bigint(20) DEFAULT NULL, name varchar(255) DEFAULT NULL, data varchar(255) DEFAULT NULL, INDEX (id), UNIQUE KEY uid (uid)) ENGINE=InnoDB DEFAULT CHARSET=latin1;
