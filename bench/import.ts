/** How long does an import of todos take in the database, and what does one write that finds nothing new? */

import { saveTodos } from '../src/features/imports/todos/save-todos.ts'
import { parseTodos } from '../src/features/imports/todos/todo-source.ts'
import { type Database, openDatabase, type Transaction } from '../src/platform/database/database.ts'
import { readOptions } from './lib/options.ts'
import { openPostgres, run } from './lib/postgres.ts'
import { median } from './lib/stats.ts'
import { printTable, verdict } from './lib/table.ts'
import { makeTodos } from './lib/todos.ts'
import { saveOneByOne } from './peers/import-one-by-one.ts'

const options = readOptions('Import: time in the database, beside one INSERT for each row.')
const SIZES = options.quick ? [200] : [200, 2_000, 20_000]
const ROUNDS = options.quick ? 1 : 5
const TARGET = { todos: 200, ms: 10 }
const TABLES = ['tasks', 'imported_todos', 'events']

await using postgres = await openPostgres(options)
await postgres.createMigrated('template')

let databases = 0
const rows: string[][] = []
for (const size of SIZES) {
  const todos = parseTodos(Buffer.from(JSON.stringify(makeTodos(size))))
  const first: number[] = []
  const later: number[] = []
  const second: number[] = []
  const oneByOne: number[] = []
  let written = 0
  for (let i = 0; i < ROUNDS; i++) {
    await onFreshDatabase(async (db, url) => {
      first.push(await timed(db, (transaction) => saveTodos(transaction, todos)))
      const mark = await currentTransaction(url)
      second.push(await timed(db, (transaction) => saveTodos(transaction, todos)))
      written += await rowsWrittenSince(url, mark)
      await empty(url)
      later.push(await timed(db, (transaction) => saveTodos(transaction, todos)))
    })
    await onFreshDatabase(async (db) => {
      oneByOne.push(await timed(db, (transaction) => saveOneByOne(transaction, todos)))
    })
  }
  rows.push(describe(size, first, later, second, oneByOne, written))
}
printTable(
  `Import: one transaction from BEGIN to COMMIT seen by the client, events included, medians of ${ROUNDS} (fresh database each)`,
  [
    'todos',
    'into an empty table',
    'range',
    'target',
    'reached',
    'on the same connection again',
    'unchanged',
    'rows it wrote',
    'an INSERT a row',
    'ratio',
  ],
  rows,
)

function describe(
  size: number,
  first: number[],
  later: number[],
  second: number[],
  oneByOne: number[],
  written: number,
): string[] {
  const isAim = size === TARGET.todos
  const ms = (values: number[]) => `${median(values).toFixed(1)} ms`
  return [
    ...[size.toLocaleString('en'), ms(first)],
    `${Math.min(...first).toFixed(1)} to ${Math.max(...first).toFixed(1)}`,
    ...(isAim ? [`${TARGET.ms} ms`, verdict(median(first) <= TARGET.ms)] : ['', '']),
    ...[ms(later), ms(second), String(written), ms(oneByOne)],
    `${(median(oneByOne) / median(first)).toFixed(0)}x`,
  ]
}

async function onFreshDatabase(work: (db: Database, url: string) => Promise<void>): Promise<void> {
  const name = `import_${++databases}`
  const url = await postgres.create(name, 'template')
  {
    await using db = openDatabase({ connectionString: url }, () => {})
    // A server has its connections open and its catalogue read.
    await db.transaction((transaction) => transaction.query({ text: 'SELECT count(*) FROM tasks' }))
    await work(db, url)
  }
  await postgres.drop(name)
}

/** Deletes what was imported, on a connection of its own: the others keep what they know. */
async function empty(url: string): Promise<void> {
  await run(url, ...TABLES.map((table) => `DELETE FROM ${table}`), `VACUUM ${TABLES.join(', ')}`)
}

async function timed(db: Database, work: (transaction: Transaction) => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await db.transaction(work)
  return performance.now() - started
}

async function currentTransaction(url: string): Promise<string> {
  const [row] = await run<{ id: string }>(url, 'SELECT pg_current_xact_id()::text AS id')
  return row!.id
}

/** Row versions that a later transaction made (the database is too young for ids to wrap around). */
async function rowsWrittenSince(url: string, mark: string): Promise<number> {
  const counts = TABLES.map((table) => `(SELECT count(*) FROM ${table} WHERE xmin::text::bigint > ${mark})`)
  const [row] = await run<{ n: string }>(url, `SELECT ${counts.join(' + ')} AS n`)
  return Number(row!.n)
}
