INSERT INTO dbname.a VALUES (3, 'z'); DELETE FROM dbname.a WHERE id = 2; INSERT INTO other.c VALUES (1);
