UPDATE shop.t SET id = id + 10;
UPDATE shop.t SET code = 'c' WHERE id = 11;
UPDATE shop.t SET code = 'a' WHERE id = 12;
DELETE FROM shop.t WHERE id = 13;
INSERT INTO shop.t VALUES (13, 'b', 33);
DELETE FROM shop.loose WHERE a = 2 LIMIT 1;
ALTER TABLE shop.t DROP KEY code;
ALTER TABLE shop.t ADD KEY code2 (code);
INSERT INTO shop.t VALUES (14, 'b', 34);
