SET SESSION default_collation_for_utf8mb4 = utf8mb4_general_ci;
CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(9)) CHARSET utf8mb4;
ALTER TABLE shop.t ADD w VARCHAR(9) CHARACTER SET utf8mb4;
INSERT INTO shop.t VALUES (1, 'a', 'b');
