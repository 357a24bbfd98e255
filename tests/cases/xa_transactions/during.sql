USE shop;
XA START 'a'; INSERT INTO t VALUES (1, 1); INSERT INTO loose VALUES (1), (1); XA END 'a'; XA PREPARE 'a'; XA COMMIT 'a';
XA START 'b', 'branch', 7; INSERT INTO t VALUES (2, 2); XA END 'b', 'branch', 7; XA PREPARE 'b', 'branch', 7; XA ROLLBACK 'b', 'branch', 7;
XA START 'c'; INSERT INTO t VALUES (3, 3); XA END 'c'; XA COMMIT 'c' ONE PHASE;
INSERT INTO t VALUES (2, 20);
