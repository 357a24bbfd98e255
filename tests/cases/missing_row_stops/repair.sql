INSERT INTO shop.t VALUES (2, 'two'), (3, 'three');
