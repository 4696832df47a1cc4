CREATE TABLE kinds (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  label VARCHAR(80) NOT NULL DEFAULT (UPPER('x')),
  text_value TEXT NULL,
  latin TEXT CHARACTER SET latin1 NULL,
  wide VARCHAR(60) CHARACTER SET utf16 NULL,
  cased VARCHAR(20) COLLATE utf8mb4_0900_as_cs,
  fixed CHAR(8) NULL,
  raw VARBINARY(300) NULL,
  fixed_raw BINARY(4) NULL,
  big LONGBLOB NULL,
  flags BIT(11) NULL,
  document JSON NULL,
  spot GEOMETRY NULL,
  place POINT NOT NULL SRID 4326,
  direction VECTOR(3) NULL,
  amount DECIMAL(38, 10) NULL,
  ratio DOUBLE NULL,
  small FLOAT NULL,
  choice ENUM('a', 'b', 'it''s') NULL,
  many SET('x', 'y', 'z') NULL DEFAULT 'x,y',
  moment DATETIME(6) NULL,
  day DATE NOT NULL DEFAULT '0000-00-00',
  stamped TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  seen TIMESTAMP NULL DEFAULT '2024-03-31 01:30:00',
  lasted TIME(3) NULL,
  born YEAR NULL,
  hidden INT DEFAULT 7 INVISIBLE,
  from_document VARCHAR(40) AS (JSON_UNQUOTE(JSON_EXTRACT(document, '$.name'))) VIRTUAL,
  doubled DECIMAL(38, 10) AS (amount * 2) STORED,
  SPATIAL KEY at_place (place)
) ENGINE = InnoDB COMMENT = 'quotes '' and "double", a \\ backslash'
;;
CREATE TABLE `odd``name "with" 'quotes', spaces und Ü 日本` (
  `a``b` INT NOT NULL COMMENT 'first
second line, `x`',
  `c d` VARCHAR(20) DEFAULT 'a,
  `b',
  `%s` VARCHAR(20) DEFAULT '%(x)s %',
  `ü` TEXT,
  PRIMARY KEY (`a``b`),
  KEY `odd ``index` (`c d`(5), `%s` DESC),
  KEY by_expression ((UPPER(`c d`))),
  KEY unseen (`%s`) INVISIBLE
) ENGINE = InnoDB DEFAULT CHARSET = latin1
;;
CREATE TABLE no_key (a INT, b VARCHAR(20)) ENGINE = InnoDB
;;
CREATE TABLE empty_one (a INT PRIMARY KEY) ENGINE = InnoDB
;;
CREATE TABLE parent (
  id INT NOT NULL AUTO_INCREMENT, a INT, b VARCHAR(30), c DATE, d VARCHAR(30), e TEXT, tags JSON,
  PRIMARY KEY (id), UNIQUE KEY u_b (b), KEY k_ac (a, c DESC), KEY k_d (d(10)), FULLTEXT KEY f_e (e) WITH PARSER ngram,
  KEY each_tag ((CAST(tags->'$[*]' AS UNSIGNED ARRAY))),
  CONSTRAINT positive CHECK (a >= 0), CONSTRAINT wished CHECK (a < 0) NOT ENFORCED
) ENGINE = InnoDB
;;
CREATE TABLE child (
  id INT NOT NULL, parent_id INT NOT NULL, path VARCHAR(200) NOT NULL,
  PRIMARY KEY (id), CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE = InnoDB
;;
CREATE TABLE selfish (
  id INT PRIMARY KEY, boss INT, CONSTRAINT boss_of FOREIGN KEY (boss) REFERENCES selfish (id)
) ENGINE = InnoDB
;;
CREATE TABLE parted (id INT PRIMARY KEY, v INT) ENGINE = InnoDB
  PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)
;;
CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(100), at TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3)) ENGINE = InnoDB
;;
CREATE FUNCTION shout(t VARCHAR(100) CHARACTER SET utf8mb4) RETURNS VARCHAR(110) CHARACTER SET utf8mb4 DETERMINISTIC
RETURN CONCAT(UPPER(t), '!')
;;
CREATE VIEW b_first AS SELECT id, shout(b) AS loud FROM parent WHERE a < 100
;;
CREATE VIEW a_second AS SELECT loud, `{schema}`.shout(loud) AS louder, 'don''t; -- 
`{schema}`.x ß' AS note FROM b_first WHERE id IN (SELECT parent_id FROM child)
;;
CREATE SQL SECURITY INVOKER VIEW `odd view ``1` AS SELECT `a``b` AS `x y`, '%s' AS p FROM `odd``name "with" 'quotes', spaces und Ü 日本`
;;
CREATE PROCEDURE `do it`(IN x INT, OUT y INT) COMMENT 'a; b'
BEGIN
  -- ß a comment
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET y = -1;
  INSERT INTO `{schema}`.audit (what) VALUES (CONCAT('x;', x, '\\', "''"));
  SET y = x + 1;
END
;;
CREATE /* a */ TRIGGER IF NOT EXISTS `{schema}` . first_one
  BEFORE INSERT -- why FOR EACH ROW
  ON {schema}.parent FOR EACH # one
ROW SET NEW.d = CONCAT(COALESCE(NEW.d, ''), 'ä1')
;;
CREATE TRIGGER `a second` BEFORE INSERT ON parent FOR EACH ROW FOLLOWS first_one
BEGIN
  SET NEW.d = CONCAT(NEW.d, '2'); /* ; ß */
END
;;
CREATE TRIGGER logged AFTER INSERT ON child FOR EACH ROW INSERT INTO audit (what) VALUES (NEW.path)
;;
CREATE EVENT every_second ON SCHEDULE EVERY 1 SECOND STARTS '2024-01-01 00:00:00' ON COMPLETION PRESERVE ENABLE COMMENT 'a ENABLE b' DO INSERT INTO audit (what) VALUES ('tick')
;;
CREATE EVENT at_the_replica ON SCHEDULE EVERY 1 DAY DISABLE ON SLAVE DO SET @a = 1
;;
CREATE EVENT soon ON SCHEDULE AT CURRENT_TIMESTAMP + INTERVAL 1 HOUR DO SET @x = 1
;;
INSERT INTO kinds (label, text_value, latin, wide, cased, fixed, raw, fixed_raw, big, flags, document, spot, place, direction, amount, ratio, small, choice, many, moment, day, seen, lasted, born, hidden) VALUES
 ('all', '😀👨‍👩‍👧 𝄞 é', 'é€ß', '日本 ß', 'aA', 'ab  ', 0x00FF0D0A27, 0x0061, REPEAT(0x00FF, 70000), b'10000000001', '{"name": "😀 \\"q\\"", "none": null, "n": 1.0, "big": 12345678901234567890, "e": 1e300}', ST_GeomFromText('LINESTRING(0 0,1 1.5)'), ST_GeomFromText('POINT(52.5 13.4)', 4326), STRING_TO_VECTOR('[1,-2.5,3e-8]'), '-1234567890123456789012345678.0123456789', 0.1e0 + 0.2e0, 0.5, 'it''s', 'x,z', '2024-03-31 02:30:00.123456', '2024-02-29', '2024-10-27 01:30:00', '-838:59:59.000', 2024, 9),
 ('extremes', '', '', '', '', '', '', '', '', 0, 'null', NULL, ST_GeomFromText('POINT(-90 180)', 4326), NULL, 0, 1.7976931348623157e308, 1e-10, NULL, '', NULL, '2024-00-00', NULL, '0:0:0', 0, NULL),
 ('text', '\ta\nc\r\nd\\N ''"` \0\Z %s #1#', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[1, 2.50, "x"]', NULL, ST_GeomFromText('POINT(0 0)', 4326), NULL, NULL, 1e0, NULL, NULL, NULL, NULL, '0000-00-00', NULL, NULL, NULL, 7)
;;
INSERT INTO parent (id, a, b, c, d, e, tags) VALUES (1, 1, 'one', '2024-02-29', NULL, 'search me', '[1, 2]'), (2, 2, 'Straße', NULL, 'x', NULL, NULL), (3, 0, NULL, '9999-12-31', '', '', '[]')
;;
INSERT INTO child VALUES (1, 1, '/data/berlin/a'), (2, 1, 'http://berlin.example/x'), (3, 2, 'a\tb')
;;
INSERT INTO selfish VALUES (1, NULL), (2, 1), (3, 3)
;;
INSERT INTO parted VALUES (1, 1), (20, 2)
;;
INSERT INTO no_key VALUES (1, 'same'), (1, 'same'), (1, 'same'), (NULL, NULL), (NULL, ''), (2, NULL)
;;
INSERT INTO `odd``name "with" 'quotes', spaces und Ü 日本` VALUES (1, 'x', '%s', 'ü'), (2, 'y', NULL, '')
