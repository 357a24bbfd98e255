INSERT INTO shop_1.orders_2 VALUES (12, 'twelve');
UPDATE shop_1.orders_1 SET v = 'ONE' WHERE id = 1;
INSERT INTO other.orders_1 VALUES (1);
CREATE TABLE shop_1.orders_3 LIKE shop_1.orders_1; INSERT INTO shop_1.orders_3 VALUES (31, 'new');
