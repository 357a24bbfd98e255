UPDATE user.information SET name = 'new' WHERE uid = 102; INSERT INTO user.information (uid) VALUES (103); DELETE FROM user.information WHERE uid = 101;
INSERT INTO user.log_bak VALUES (2);
DELETE FROM store_01.sale_01 WHERE sid = 110; UPDATE store_02.sale_02 SET pid = 9 WHERE sid = 141; INSERT INTO store_01.sale_02 VALUES (122, 5, 'late');
