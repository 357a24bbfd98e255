USE shop;
INSERT INTO n SELECT * FROM n;
UPDATE n SET b = 'one of them' WHERE a = 1 LIMIT 1;
DELETE FROM n WHERE a IS NULL LIMIT 3;
UPDATE n SET c = c / 3, e = REPEAT('e', 300);
INSERT INTO n VALUES (2, 'trail ', 1e300, NULL, X'00'), (2, 'trail', 1e300, NULL, X'00');
DELETE FROM n WHERE HEX(b) = HEX('trail') LIMIT 1;
