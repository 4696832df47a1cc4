CREATE TABLE kinds (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  label VARCHAR(80) NOT NULL,
  text_value TEXT NULL,
  latin TEXT CHARACTER SET latin1 NULL,
  wide VARCHAR(60) CHARACTER SET ucs2 NULL,
  fixed CHAR(8) NULL,
  raw VARBINARY(300) NULL,
  fixed_raw BINARY(4) NULL,
  big LONGBLOB NULL,
  flags BIT(11) NULL,
  document JSON NULL,
  amount DECIMAL(38, 10) NULL,
  ratio DOUBLE NULL,
  small FLOAT NULL,
  choice ENUM('a', 'b', 'it''s') NULL,
  many SET('x', 'y', 'z') NULL DEFAULT 'x,y',
  moment DATETIME(6) NULL,
  day DATE NOT NULL DEFAULT '0000-00-00',
  expires DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00',
  stamped TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  seen TIMESTAMP NOT NULL DEFAULT '2024-03-31 01:30:00',
  never TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00',
  lasted TIME(3) NULL,
  born YEAR NULL,
  hidden INT INVISIBLE DEFAULT 7,
  from_document VARCHAR(40) AS (JSON_UNQUOTE(JSON_EXTRACT(document, '$.name'))) VIRTUAL,
  doubled DECIMAL(38, 10) AS (amount * 2) STORED,
  age INT AS (TO_DAYS(NOW()) - TO_DAYS(stamped)) VIRTUAL
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
  KEY `odd ``index` (`c d`(5), `%s`)
) ENGINE = InnoDB DEFAULT CHARSET = latin1
;;
CREATE TABLE no_key (a INT, b VARCHAR(20)) ENGINE = InnoDB
;;
CREATE TABLE empty_one (a INT PRIMARY KEY) ENGINE = InnoDB
;;
CREATE TABLE parent (
  id INT NOT NULL AUTO_INCREMENT, a INT, b VARCHAR(30), c DATE, d VARCHAR(30), e TEXT,
  PRIMARY KEY (id), UNIQUE KEY u_b (b), KEY k_a (a), KEY k_ac (a, c), KEY k_d (d(10)), FULLTEXT KEY f_e (e),
  CONSTRAINT positive CHECK (a >= 0)
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
`{schema}`.x 😀' AS note FROM b_first WHERE id IN (SELECT parent_id FROM child)
;;
CREATE SQL SECURITY INVOKER VIEW `odd view ``1` AS SELECT `a``b` AS `x y`, '%s' AS p FROM `odd``name "with" 'quotes', spaces und Ü 日本`
;;
CREATE PROCEDURE `do it`(IN x INT, OUT y INT) COMMENT 'a; b'
BEGIN
  -- 💾 ends with CR LF
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
  SET NEW.d = CONCAT(NEW.d, '2'); /* ; 😀 */
END
;;
CREATE TRIGGER logged AFTER INSERT ON child FOR EACH ROW INSERT INTO audit (what) VALUES (NEW.path)
;;
CREATE EVENT every_second ON SCHEDULE EVERY 1 SECOND STARTS '2024-01-01 00:00:00' ON COMPLETION PRESERVE ENABLE COMMENT 'a ENABLE b' DO INSERT INTO audit (what) VALUES ('tick')
;;
CREATE EVENT `ON COMPLETION PRESERVE ENABLE` ON SCHEDULE EVERY 1 DAY DISABLE DO BEGIN SET @a = '😀'; /* kept */ SET @b = 2; END
;;
CREATE EVENT soon ON SCHEDULE AT CURRENT_TIMESTAMP + INTERVAL 1 HOUR DO SET @x = 1
;;
INSERT INTO parent (id, a, b, c, d, e) VALUES (1, 1, 'one', '2024-02-29', NULL, 'search me'), (2, 2, 'Straße', NULL, 'x', NULL), (3, 0, NULL, '9999-12-31', '', '')
;;
INSERT INTO child VALUES (1, 1, '/data/berlin/a'), (2, 1, 'http://berlin.example/x'), (3, 2, 'a\tb')
;;
INSERT INTO selfish VALUES (1, NULL), (2, 1), (3, 3)
;;
UPDATE selfish SET boss = 2 WHERE id = 1
;;
INSERT INTO parted VALUES (1, 1), (20, 2)
;;
INSERT INTO no_key VALUES (1, 'same'), (1, 'same'), (1, 'same'), (NULL, NULL), (NULL, ''), (2, NULL)
;;
INSERT INTO `odd``name "with" 'quotes', spaces und Ü 日本` VALUES (1, 'x', '%s', 'ü'), (2, 'y', NULL, '')
