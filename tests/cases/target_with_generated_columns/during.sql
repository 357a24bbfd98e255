UPDATE shop.t SET price = 7;
INSERT INTO shop.t (id, price, amount) VALUES (3, 1, 1);
UPDATE shop.plain SET amount = 10;
INSERT INTO shop.plain VALUES (2, 5, 5);
ALTER TABLE shop.plain ADD COLUMN note VARCHAR(9) DEFAULT 'n';
UPDATE shop.plain SET id = 3 WHERE id = 2;
