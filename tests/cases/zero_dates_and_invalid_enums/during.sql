SET SESSION sql_mode = '';
INSERT INTO shop.z VALUES (3, '2024-01-00', '0000-01-01 00:00:00', '0000-00-00 00:00:00', 'nosuch', NULL, 1901), (0, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE shop.z SET e = 'a', d = '0000-00-00' WHERE id = 2;
UPDATE shop.z SET e = 'nosuch' WHERE id = 2;
