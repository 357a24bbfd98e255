CREATE TABLE shop.copy (PRIMARY KEY (id)) SELECT id, UPPER(v) AS v FROM shop.t;
INSERT INTO shop.copy VALUES (3, 'c');
