/** How long does an import of official rates take: to parse, and in the database? */

import { type CbrFile, parseCbrFile } from '../src/features/imports/currencies/cbr-file.ts'
import { saveRates } from '../src/features/imports/currencies/save-rates.ts'
import { type Database, openDatabase } from '../src/platform/database/database.ts'
import { fullFile } from '../test/support/cbr.ts'
import { readOptions } from './lib/options.ts'
import { openPostgres } from './lib/postgres.ts'
import { median } from './lib/stats.ts'
import { printTable, verdict } from './lib/table.ts'

const options = readOptions('Rates of the bank: time to parse a file, and to save it.')
const ROUNDS = options.quick ? 1 : 20
const TARGETS = { parseMs: 5, saveMs: 20 }
const TABLES = ['currencies', 'currency_rates', 'imported_currencies', 'currency_days', 'events']

const parsed: number[] = []
const bytes = fullFile('13.12.2025')
// The first one loads the parser.
const loading = await timed(() => parseCbrFile(bytes))
for (let i = 0; i < ROUNDS; i++) parsed.push(await timed(() => parseCbrFile(bytes)))

await using postgres = await openPostgres(options)
await postgres.createMigrated('template')
const saved = { first: [] as number[], same: [] as number[], next: [] as number[] }
let written = 0
const [friday, monday] = [await parseCbrFile(bytes), await parseCbrFile(fullFile('16.12.2025', 1))]
for (let i = 0; i < ROUNDS; i++) {
  const name = `currencies_${i}`
  const url = await postgres.create(name, 'template')
  {
    await using db = openDatabase({ connectionString: url }, () => {})
    // A server has its connections open and its catalogue read.
    await db.transaction((transaction) => transaction.query({ text: 'SELECT count(*) FROM currencies' }))
    saved.first.push(await timed(() => save(db, friday)))
    const mark = await versions(db)
    saved.same.push(await timed(() => save(db, friday)))
    written += (await versions(db)).difference(mark).size
    saved.next.push(await timed(() => save(db, monday)))
  }
  await postgres.drop(name)
}

const row = (what: string, values: number[], target?: number) => [
  what,
  `${median(values).toFixed(1)} ms`,
  `${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`,
  ...(target === undefined ? ['', ''] : [`${target} ms`, verdict(median(values) <= target)]),
]
printTable(
  `${friday.rates.length} rates, ${bytes.length} bytes; saved from BEGIN to COMMIT as the client sees it, events and history included, medians of ${ROUNDS}`,
  ['what', 'median', 'range', 'target', 'reached'],
  [
    row('parse', parsed, TARGETS.parseMs),
    row('parse, the first: loads the parser', [loading]),
    row('save into empty tables', saved.first, TARGETS.saveMs),
    row('save a new day', saved.next, TARGETS.saveMs),
    row(`save an unchanged file: ${written} rows written`, saved.same),
  ],
)

function save(db: Database, file: CbrFile): Promise<unknown> {
  return db.transaction((transaction) => saveRates(transaction, file))
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** Every version of every row there is. */
async function versions(db: Database): Promise<Set<string>> {
  const { rows } = await db.query<{ version: string }>({
    text: TABLES.map((table) => `SELECT '${table} ' || ctid || ' ' || xmin AS version FROM ${table}`).join(
      ' UNION ALL ',
    ),
  })
  return new Set(rows.map(({ version }) => version))
}
