-- The two tables that grow with users and items, in sixteen parts each by a hash of their key, so
-- that vacuum, backups and index builds work on parts. The program's statements stay as they are.
--
--   psql --single-transaction --set ON_ERROR_STOP=1 --file deploy/postgresql/partitions.sql URL
--
-- Once, after `clickwise migrate`; run again it does nothing. With rows in them it copies the tables,
-- and nobody may write meanwhile. The log of event ids (`events`) cannot be split so: its primary
-- key and its unique key are different columns.
DO $$
DECLARE
    parts CONSTANT int := 16;
    one record;
BEGIN
    FOR one IN
        SELECT * FROM (VALUES
            ('profiles', 'user', '"user"'),
            ('item_vectors', 'key', 'key, model')
        ) AS them (name, hashed, keys)
    LOOP
        IF (SELECT relkind FROM pg_class WHERE oid = one.name::regclass) = 'p' THEN
            CONTINUE;
        END IF;
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', one.name);
        EXECUTE format('ALTER TABLE %I RENAME TO %I', one.name, one.name || '_whole');
        EXECUTE format(
            'CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING STORAGE) PARTITION BY HASH (%I)',
            one.name, one.name || '_whole', one.hashed);
        FOR part IN 0 .. parts - 1 LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
                format('%s_%s', one.name, part), one.name, parts, part);
        END LOOP;
        EXECUTE format('INSERT INTO %I SELECT * FROM %I', one.name, one.name || '_whole');
        EXECUTE format('DROP TABLE %I', one.name || '_whole');
        EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (%s)', one.name, one.keys);
    END LOOP;
END
$$;
