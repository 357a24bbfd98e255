INSERT INTO shop.t VALUES (2, 'short'); INSERT INTO shop.t VALUES (3, 'longer than five'); INSERT INTO shop.t VALUES (4, 'four');
