UPDATE shop.t SET a = b, b = a WHERE id = 1;
INSERT INTO shop.t VALUES (3, 30, 300, 'three');
ALTER TABLE shop.t ADD COLUMN c INT DEFAULT 7 AFTER a;
INSERT INTO shop.t VALUES (4, 40, 41, 400, 'four');
ALTER TABLE shop.t DROP COLUMN b;
UPDATE shop.t SET id = 5 WHERE id = 2;
