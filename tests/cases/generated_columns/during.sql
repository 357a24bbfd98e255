USE shop;
INSERT INTO g (id, a, b) VALUES (3, 3, 3);
UPDATE g SET a = 30 WHERE id = 3; UPDATE g SET a = 5 WHERE id = 2; DELETE FROM g WHERE id = 1;
