USE shop;
DROP TABLE no1, gone, stock.gone, other.t, keep;
CREATE TABLE gone (id INT PRIMARY KEY, v INT); INSERT INTO gone VALUES (1, 1);
RENAME TABLE a TO no_tmp, b TO a, no_tmp TO b;
INSERT INTO a VALUES (20); INSERT INTO b VALUES (10);
CREATE TABLE no2 (id INT); CREATE TABLE c LIKE a;
RENAME TABLE no2 TO no3, c TO stock.c, left_it TO no4; INSERT INTO stock.c VALUES (7);
ALTER TABLE stock.c RENAME no5;
DROP TABLE IF EXISTS no4, no5;
