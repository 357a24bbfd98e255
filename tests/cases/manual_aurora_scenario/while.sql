UPDATE dbname.a SET v = 'while' WHERE id = 1; INSERT INTO dbname.b VALUES (2), (3); DELETE FROM dbname.b WHERE id = 1;
