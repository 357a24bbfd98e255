DELETE FROM user.log WHERE id = 1; UPDATE user.log SET v = v + 100; INSERT INTO user.log VALUES (3, 1);
INSERT INTO user.information VALUES (2, 'new'); DELETE FROM user.information WHERE id = 1;
INSERT INTO log.messages VALUES (100);
DELETE FROM store.store_bj WHERE id = 2; INSERT INTO store.store_bj VALUES (3, 'third'); UPDATE store.store_bj SET v = 'changed' WHERE id = 1;
DELETE FROM store.store_tj WHERE id = 2; INSERT INTO store.store_tj VALUES (3, 'third'); UPDATE store.store_tj SET v = 'changed' WHERE id = 1;
