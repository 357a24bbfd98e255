SET NAMES latin1;
INSERT INTO shop.l VALUES (2, X'E9E8'); CREATE TABLE shop.later (id INT PRIMARY KEY, v VARCHAR(9) DEFAULT 'x', w TEXT);
INSERT INTO shop.later VALUES (1, X'E9', NULL);
SET NAMES gbk; INSERT INTO shop.g VALUES (2, X'D6D0');
ALTER TABLE shop.l ADD c VARCHAR(9) COMMENT 'in the table''s charset'; UPDATE shop.l SET c = v;
