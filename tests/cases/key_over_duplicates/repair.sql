DELETE FROM shop.t WHERE id = 1;
