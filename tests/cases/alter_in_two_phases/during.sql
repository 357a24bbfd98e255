USE shop; SET SESSION binlog_alter_two_phase = 1;
-- Run for each half, columns would change their names and change back.
ALTER TABLE t CHANGE b a INT AFTER id, CHANGE a b INT AFTER a;
INSERT INTO t VALUES (3, 4, 5);
ALTER TABLE t ADD COLUMN c INT DEFAULT 7; ALTER TABLE t ENGINE = InnoDB;
CREATE TABLE _t_gho LIKE t; ALTER TABLE _t_gho ADD COLUMN d INT DEFAULT 8;
INSERT INTO _t_gho SELECT *, 8 FROM t; RENAME TABLE t TO _t_del, _t_gho TO t; DROP TABLE _t_del;
UPDATE t SET d = 9 WHERE id = 2;
