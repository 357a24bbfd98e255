UPDATE user.information SET name = 'new' WHERE uid = 202; INSERT INTO user.information (uid) VALUES (203); DELETE FROM user.information WHERE uid = 201;
INSERT INTO user.log_bak VALUES (2);
DELETE FROM store_01.sale_01 WHERE sid = 210; UPDATE store_02.sale_02 SET pid = 9 WHERE sid = 241; INSERT INTO store_01.sale_02 VALUES (222, 5, 'late');
TRUNCATE TABLE store_02.sale_01;
DROP DATABASE store_02;
