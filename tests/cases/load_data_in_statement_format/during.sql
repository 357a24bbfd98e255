SET SESSION binlog_format = 'STATEMENT'; LOAD DATA INFILE '/etc/hosts' INTO TABLE shop.lines (line);
