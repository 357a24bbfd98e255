DELETE FROM user.log WHERE id = 1; UPDATE user.log SET v = v + 100; INSERT INTO user.log VALUES (3, 2);
INSERT INTO user.information VALUES (2, 'new'); DELETE FROM user.information WHERE id = 1;
INSERT INTO log.messages VALUES (100);
DELETE FROM store.store_sh WHERE id = 2; INSERT INTO store.store_sh VALUES (3, 'third'); UPDATE store.store_sh SET v = 'changed' WHERE id = 1;
DELETE FROM store.store_sz WHERE id = 2; INSERT INTO store.store_sz VALUES (3, 'third'); UPDATE store.store_sz SET v = 'changed' WHERE id = 1;
