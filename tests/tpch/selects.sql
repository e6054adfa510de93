-- SELECTs that DuckDB takes, of the kind that other parsers stumble over. One statement to a paragraph; the
-- line before it names it. The tables are people, prices, trades and docs of test_selects.py.

-- from first
FROM people ORDER BY id

-- from first, select after
FROM people SELECT name, age WHERE age > 30 ORDER BY ALL

-- group by all, order by all
SELECT city, count(*) AS n, avg(age) AS age FROM people GROUP BY ALL ORDER BY ALL

-- list comprehension
SELECT id, [x * 2 FOR x IN range(id) IF x % 2 = 0] AS evens FROM people ORDER BY id

-- lambda
SELECT list_transform([1, 2, 3], lambda x: x + 1) AS plus_one, list_filter([4, 5, 6], lambda x, i: i > 1) AS rest

-- lambda as reduction
SELECT list_reduce([1, 2, 3, 4], lambda acc, x: acc * x) AS factorial

-- pivot
PIVOT (SELECT *, age > 30 AS over FROM people) ON city USING count(*) GROUP BY over ORDER BY ALL

-- pivot in from
SELECT * FROM (PIVOT people ON city IN ('Oslo', 'Rome') USING sum(age), max(id) GROUP BY name) ORDER BY name

-- unpivot
UNPIVOT (SELECT id, age, id * 10 AS points FROM people) ON age, points INTO NAME what VALUE score ORDER BY ALL

-- unpivot with columns
SELECT * FROM (UNPIVOT (SELECT id, age FROM people) ON COLUMNS(* EXCLUDE id)) ORDER BY ALL

-- asof join
SELECT t.ts, t.symbol, p.price FROM trades t ASOF JOIN prices p ON t.symbol = p.symbol AND t.ts >= p.ts ORDER BY ALL

-- asof left join using
SELECT * FROM trades t ASOF LEFT JOIN prices p USING (symbol, ts) ORDER BY ALL

-- qualify
SELECT city, name, age FROM people QUALIFY row_number() OVER (PARTITION BY city ORDER BY age DESC, id) = 1 ORDER BY ALL

-- exclude
SELECT * EXCLUDE (age, city) FROM people ORDER BY id

-- replace
SELECT * REPLACE (upper(name) AS name, age + 1 AS age) FROM people ORDER BY id

-- rename
SELECT * RENAME (name AS who) FROM people ORDER BY id

-- columns by pattern
SELECT COLUMNS('^(id|age)$') + 1 FROM people ORDER BY ALL

-- columns by lambda
SELECT COLUMNS(lambda c: c LIKE '%a%e%') FROM people ORDER BY ALL

-- columns in an aggregate
SELECT min(COLUMNS(* EXCLUDE (city))), max(COLUMNS(['id', 'age'])) FROM people

-- columns renamed by pattern
SELECT COLUMNS('(.*)e') AS 'e_\1' FROM people ORDER BY ALL

-- unpacked columns
SELECT id, coalesce(*COLUMNS(['city', 'name'])) AS first FROM people ORDER BY id

-- star with a pattern
SELECT * LIKE '%i%' FROM people ORDER BY ALL

-- alias before the expression
SELECT answer: 42, doubled: answer * 2

-- table alias before the table
SELECT p.name FROM p: people WHERE p.id = 1

-- alias used in where and group by
SELECT age // 10 AS decade, count(*) AS n FROM people WHERE decade > 2 GROUP BY decade ORDER BY decade

-- slices
SELECT 'hello'[1:2] AS head, 'hello'[-2:] AS tail, [1, 2, 3, 4][2:3] AS middle, [1, 2, 3, 4][:-1:2] AS stepped

-- struct
SELECT s.a, s['b'] AS b, s.* FROM (SELECT {'a': 1, 'b': 'two', 'c': [1.5, NULL]} AS s)

-- struct by row and packing
SELECT struct_pack(x := 1, y := 'z') AS packed, row(1, 'a')::VARCHAR AS unnamed

-- named arguments
SELECT struct_insert({'a': 1}, b := 2) AS s, unnest([[1, 2], [3]], recursive := true) AS n

-- map
SELECT MAP {'a': 1, 'b': 2} AS m, m['a'] AS a, map_keys(m) AS keys, cardinality(m) AS n

-- union
SELECT u, union_tag(u)::VARCHAR AS tag FROM (SELECT union_value(num := 7) AS u UNION ALL SELECT union_value(num := 8)) ORDER BY u.num

-- typed literals
SELECT DATE '2024-02-29' AS d, TIMESTAMP '2024-02-29 12:30:00.5' AS t, TIME '23:59:59' AS c, '1.10'::DECIMAL(5,2) AS m

-- casts
SELECT '42'::INT + TRY_CAST('x' AS INT) IS NULL AS failed, '7'::HUGEINT * 10::HUGEINT ** 2 AS big, '0xff'::VARCHAR AS text

-- number spellings
SELECT 1_000_000 AS million, 1e3 AS thousand, .5 AS half, 2 ** 10 AS power, 7 // 2 AS whole, 7 / 2 AS exact, 7 % 4 AS rest

-- positional join
SELECT * FROM (SELECT id FROM people ORDER BY id) POSITIONAL JOIN (FROM range(3) r(n))

-- lateral
SELECT p.id, l.n FROM people p, LATERAL (SELECT unnest(range(p.id)) AS n) l WHERE p.id < 3 ORDER BY ALL

-- lateral without the word
SELECT id, n FROM people, range(id) r(n) ORDER BY ALL

-- semi and anti join
SELECT name FROM people SEMI JOIN (SELECT 'Oslo' AS city) USING (city) UNION ALL BY NAME SELECT name FROM people ANTI JOIN (SELECT 'Oslo' AS city) USING (city) ORDER BY name

-- union by name
SELECT id, name FROM people UNION ALL BY NAME SELECT age AS extra, id FROM people ORDER BY ALL

-- except all and intersect
(SELECT city FROM people EXCEPT ALL SELECT 'Oslo') INTERSECT SELECT city FROM people ORDER BY ALL

-- recursive cte
WITH RECURSIVE fib(a, b) AS (SELECT 0, 1 UNION ALL SELECT b, a + b FROM fib WHERE b < 100) SELECT a FROM fib ORDER BY a

-- recursive cte using key
WITH RECURSIVE steps(k, v) USING KEY (k) AS (SELECT 1 AS k, 10 AS v UNION SELECT k, v - 3 FROM steps WHERE v > 3) FROM steps ORDER BY ALL

-- materialized ctes
WITH a AS MATERIALIZED (SELECT 1 AS x), b AS NOT MATERIALIZED (FROM a) SELECT * FROM a, b

-- values
VALUES (1, 'one'), (2, 'two')

-- values in from
FROM (VALUES (1, 'one'), (2, NULL)) t(n, word) ORDER BY n DESC

-- summarize
SUMMARIZE SELECT id, age FROM people

-- describe
DESCRIBE SELECT id, name, age::DECIMAL(10,2) AS age FROM people

-- sample
SELECT range * 2 AS n FROM range(1000) TABLESAMPLE reservoir(50 ROWS) REPEATABLE (42)

-- using sample
SELECT count(*) AS n FROM range(1000) USING SAMPLE 10 ROWS

-- dollar quotes
SELECT $$it's "fine" {{ not a parameter }}$$ AS text, $tag$ $$ $tag$ AS nested

-- quoting
SELECT 'it''s' AS "a ""quoted"" name", E'tab\there' AS escaped, ':x {{ y }} -- ' AS literal

-- comments
SELECT /* a :comment {{ here }} */ 1 AS one -- and :there {{ too }}

-- json arrows
SELECT doc->'tags'->0 AS first, doc->>'name' AS name, doc->>'$.size.w' AS width, (doc->'size')::VARCHAR AS size FROM docs ORDER BY name

-- json functions
SELECT json_extract(doc, ['name', '$.tags[1]']) AS several, json_array_length(doc->'tags') AS n FROM docs ORDER BY n

-- regular expressions
SELECT 'abc123' SIMILAR TO '[a-z]+\d+' AS whole, regexp_extract('ab-12', '(\w+)-(\d+)', ['word', 'number']) AS parts, 'abc' !~ '^b' AS not_b

-- like, glob and similar operators
SELECT 'Duck' ILIKE 'd%' AS i, 'Duck' GLOB 'D*k' AS g, 'Duck' ~~ 'D%' AS l, 'Duck' !~~* 'd%' AS n, 'Duck' ^@ 'Du' AS s

-- window frames
SELECT id, sum(age) OVER w AS around, first_value(age) OVER w AS first FROM people WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) ORDER BY id

-- window range by interval
SELECT ts, count(*) OVER (ORDER BY ts RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND CURRENT ROW EXCLUDE TIES) AS n FROM prices ORDER BY ALL

-- window with filter and ignore nulls
SELECT id, count(*) FILTER (age > 30) OVER (ORDER BY id) AS n, lag(age IGNORE NULLS) OVER (ORDER BY id) AS before FROM people ORDER BY id

-- aggregate with order, distinct and filter
SELECT string_agg(name, ', ' ORDER BY name DESC) AS names, list(DISTINCT city ORDER BY city) AS cities, count(*) FILTER (WHERE age IS NULL) AS unknown FROM people

-- arg_max with several
SELECT max(age, 2) AS oldest, arg_max(name, age) AS who, mode(age) AS usual FROM people

-- grouping sets
SELECT city, age > 30 AS over, count(*) AS n, grouping_id(city, over) AS g FROM people GROUP BY GROUPING SETS ((city, over), (city), ()) ORDER BY ALL

-- rollup and cube
SELECT city, count(*) AS n FROM people GROUP BY ROLLUP (city) ORDER BY ALL

-- distinct on
SELECT DISTINCT ON (city) city, name FROM people ORDER BY city, age DESC NULLS LAST, id

-- limit by percentage
SELECT id FROM people ORDER BY id LIMIT 50%

-- limit from a query
SELECT id FROM people ORDER BY id LIMIT (SELECT count(*) - 3 FROM people) OFFSET 1

-- trailing commas
SELECT id, name, FROM people GROUP BY ALL ORDER BY id

-- method chains
SELECT name.upper().reverse() AS chained, [3, 1, 2].list_sort().list_transform(lambda x: x * 2) AS numbers FROM people ORDER BY id

-- in with a list
SELECT id FROM people WHERE city IN ['Oslo', 'Rome'] AND id = ANY ([1, 2, 3]) ORDER BY id

-- is not distinct from, case without operand
SELECT id, age IS NOT DISTINCT FROM NULL AS unknown, CASE WHEN age BETWEEN 20 AND 40 THEN 'middle' END AS band FROM people ORDER BY id

-- generate_series and unnest in select
SELECT unnest(generate_series(1, 3)) AS n, unnest(['a', 'b', 'c']) AS letter

-- unnest with ordinality
SELECT * FROM unnest(['a', 'b']) WITH ORDINALITY AS t(letter, n)

-- nested types
SELECT [{'k': 'a', 'v': [1, 2]}, {'k': 'b', 'v': []}] AS nested, array_value(1.0, 2.0)::FLOAT[2] AS fixed

-- intervals
SELECT DATE '2024-01-31' + INTERVAL 1 MONTH AS month_end, age(DATE '2024-03-01', DATE '2024-01-31')::VARCHAR AS apart, to_days(3)::VARCHAR AS days

-- time zones
SELECT TIMESTAMPTZ '2024-07-01 12:00:00+02' AT TIME ZONE 'America/New_York' AS there, TIMETZ '12:30:00+02'::VARCHAR AS clock

-- bits and hashes
SELECT 5 & 3 AS a, 5 | 3 AS o, xor(5, 3) AS x, 1 << 4 AS l, ~5 AS n, md5('a') AS m

-- functions of the system
SELECT current_setting('threads') > 0 AS threads, if(1 > 0, 'yes', 'no') AS answer, nullif(1, 1) IS NULL AS none

-- query as text
FROM query('SELECT 1 AS one')

-- subquery forms
SELECT (SELECT max(age) FROM people) AS oldest, ARRAY(SELECT id FROM people ORDER BY id) AS ids, EXISTS (FROM people WHERE id = 99) AS there

-- correlated lateral aggregate
SELECT city, (SELECT list(q.name ORDER BY q.id) FROM people q WHERE q.city IS NOT DISTINCT FROM p.city) AS names FROM (SELECT DISTINCT city FROM people) p ORDER BY ALL

-- try
SELECT TRY(1 / 0) IS NULL OR true AS safe, TRY_CAST('1x' AS INT) AS none

-- emoji and identifiers of other alphabets
SELECT 1 AS "🦆", 'größe' AS größe, 2 AS 数
