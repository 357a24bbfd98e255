SET SESSION binlog_format = 'STATEMENT';
CREATE TEMPORARY TABLE shop.n (id INT); CREATE TABLE shop.m LIKE shop.n;
