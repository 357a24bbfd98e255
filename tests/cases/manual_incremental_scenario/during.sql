INSERT INTO log.messages VALUES (4, 'msg4'), (5, 'msg5');
INSERT INTO user.information VALUES (1); INSERT INTO store.store_bj VALUES (1);
