import type { TestDatabase } from './database.ts'

/**
 * The schema as SQL-like text, from the catalogs: columns, constraints, indexes, triggers, functions,
 * text search and comments of ours. It is the same on every supported version of PostgreSQL, which pg_dump's output is not.
 */
export async function dumpSchema(database: TestDatabase): Promise<string> {
  const tables = await database.rows<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname`,
  )
  const functions = await lines(
    database,
    `SELECT rtrim(replace(pg_get_functiondef(oid), 'public.', ''), E'\n') || E';\n' AS line FROM pg_proc
     WHERE pronamespace = $1::regnamespace ORDER BY proname`,
    'public',
  )
  const searches = await lines(
    database,
    `SELECT format('-- text search configuration %s: %s by %s (%s)',
        cfgname, string_agg(alias, ', ' ORDER BY alias), dictname, dictinitoption) AS line
     FROM pg_ts_config c JOIN pg_ts_config_map ON mapcfg = c.oid JOIN pg_ts_dict d ON mapdict = d.oid,
       LATERAL ts_token_type(cfgparser) WHERE tokid = maptokentype AND cfgnamespace = $1::regnamespace
     GROUP BY cfgname, dictname, dictinitoption ORDER BY 1`,
    'public',
  )
  const parts = await Promise.all(tables.map(({ name }) => dumpTable(database, name)))
  return `-- Generated from the migrations by the test suite (npm test -- -u); do not edit.\n\n${[...parts, ...functions, ...searches, ''].join('\n')}`
}

async function dumpTable(database: TestDatabase, table: string): Promise<string> {
  const columns = await lines(
    database,
    `SELECT format('  %I %s%s%s%s', attname, format_type(atttypid, atttypmod),
        CASE attcollation WHEN 'pg_catalog."C"'::regcollation THEN ' COLLATE "C"' ELSE '' END,
        CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END,
        CASE WHEN attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
          WHEN attgenerated = 's' THEN format(' GENERATED ALWAYS AS %s STORED', pg_get_expr(adbin, adrelid))
          ELSE coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '') END) AS line
     FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    table,
  )
  const constraints = await lines(
    database,
    `SELECT format('  CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)) AS line FROM pg_constraint
     WHERE conrelid = $1::regclass AND contype <> 'n' ORDER BY conname`,
    table,
  )
  const indexes = await lines(
    database,
    `SELECT pg_get_indexdef(indexrelid) || ';' AS line FROM pg_index
     WHERE indrelid = $1::regclass AND NOT indisprimary ORDER BY 1`,
    table,
  )
  const comments = await lines(
    database,
    `SELECT format('COMMENT ON %s IS %L;', CASE objsubid WHEN 0 THEN 'TABLE ' || $1
        ELSE format('COLUMN %s.%I', $1, attname) END, description) AS line
     FROM pg_description LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid
     WHERE objoid = $1::regclass AND classoid = 'pg_class'::regclass ORDER BY objsubid`,
    table,
  )
  const triggers = await lines(
    database,
    `SELECT pg_get_triggerdef(oid) || ';' AS line FROM pg_trigger
     WHERE tgrelid = $1::regclass AND NOT tgisinternal ORDER BY tgname`,
    table,
  )
  const body = [...columns, ...constraints].join(',\n')
  return [`CREATE TABLE ${table} (\n${body}\n);`, ...indexes, ...triggers, ...comments, ''].join('\n')
}

async function lines(database: TestDatabase, query: string, name: string): Promise<string[]> {
  return (await database.rows<{ line: string }>(query, [name])).map(({ line }) => line)
}
