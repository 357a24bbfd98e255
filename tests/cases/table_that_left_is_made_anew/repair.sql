RENAME TABLE shop.t TO shop.before;
