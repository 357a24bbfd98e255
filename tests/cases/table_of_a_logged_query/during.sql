SET SESSION binlog_format = 'STATEMENT';
CREATE TABLE shop.n SELECT * FROM shop.t;
