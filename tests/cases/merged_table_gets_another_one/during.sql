RENAME TABLE shop.x TO shop.orders_3;
