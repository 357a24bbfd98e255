USE shop;
INSERT INTO items (name, n) VALUES ('d', NULL), ('e', 7);
UPDATE items SET n = n + 1 WHERE name IN ('a', 'e');
DELETE FROM items WHERE name = 'b';
BEGIN; INSERT INTO items (name) VALUES ('rolled back'); INSERT INTO bare VALUES (1); ROLLBACK;
BEGIN; INSERT INTO bare VALUES (2); SAVEPOINT s; INSERT INTO bare VALUES (3); ROLLBACK TO s; INSERT INTO bare VALUES (4); COMMIT;
REPLACE INTO items (id, name) VALUES (1, 'c');
INSERT INTO items (name, n) VALUES ('d', 1) ON DUPLICATE KEY UPDATE n = 99;
