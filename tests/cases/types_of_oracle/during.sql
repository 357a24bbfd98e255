SET sql_mode = ORACLE;
CREATE TABLE shop.t (id NUMBER(9) PRIMARY KEY, d DATE, v VARCHAR2(9), c CLOB, r RAW(3), b BLOB, m mariadb_schema.date);
INSERT INTO shop.t VALUES (1, '2024-01-01 10:11:12', 'a' || 'b', 'c', 'r', 'b', '2024-02-03');
ALTER TABLE shop.t ADD "w" VARCHAR2(5) DEFAULT 'x', ADD e DATE;
INSERT INTO shop.t VALUES (2, '2024-01-01 10:11:12', 'v', 'c', 'r', 'b', '2024-02-03', 'w', '2024-01-01 01:02:03');
