/** Runs the benches that are named, or all, one after the other, each in a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { readOptions, say } from './lib/options.ts'
import { openPostgres } from './lib/postgres.ts'
import { node } from './lib/process.ts'

const benches: Record<string, URL> = {
  start: new URL('./start.ts', import.meta.url),
  http: new URL('./http.ts', import.meta.url),
  fanout: new URL('./fanout.ts', import.meta.url),
  import: new URL('./import.ts', import.meta.url),
  delivery: new URL('./delivery.ts', import.meta.url),
  storm: new URL('./storm.ts', import.meta.url),
  memory: new URL('./memory.ts', import.meta.url),
  tokens: new URL('./tokens.ts', import.meta.url),
  logins: new URL('./logins.ts', import.meta.url),
  currencies: new URL('./currencies.ts', import.meta.url),
  queue: new URL('./queue.ts', import.meta.url),
  'queue-faults': new URL('./queue-faults.ts', import.meta.url),
  attachments: new URL('./attachments.ts', import.meta.url),
  analytics: new URL('./analytics.ts', import.meta.url),
  queries: new URL('./queries.ts', import.meta.url),
  batch: new URL('./batch.ts', import.meta.url),
  export: new URL('./export.ts', import.meta.url),
}
const known = Object.keys(benches)

const { names, embedded, quick } = readOptions(
  `npm run bench [-- ${known.join(' ')}]: runs those named, or all. Each is also a script of its own.`,
)
const unknown = names.filter((name) => !known.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`There is no bench ${unknown.join(', ')}; there are ${known.join(', ')}.\n`)
  process.exit(2)
}
const flags = process.argv.slice(2).filter((argument) => !names.includes(argument))

say(`### ${new Date().toISOString().slice(0, 10)}\n`)
say(`- machine: ${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores`)
say(`- Node ${await outputOf(node, '--version')}, PostgreSQL ${await postgresVersion()}`)
say(`- command: npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`)
if (quick) say('- **smoke run: the figures mean nothing**')

for (const name of names.length > 0 ? names : known) {
  const child = spawn(node, [fileURLToPath(benches[name]!), ...flags], { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  if (code !== 0) {
    process.stderr.write(`bench ${name} failed\n`)
    process.exitCode = 1
  }
}

async function postgresVersion(): Promise<string> {
  await using postgres = await openPostgres({ embedded })
  return `${postgres.version}${embedded ? '' : ' (start: the embedded one)'}`
}

async function outputOf(command: string, ...commandArguments: string[]): Promise<string> {
  const child = spawn(command, commandArguments, { stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks = await child.stdout.toArray()
  return Buffer.concat(chunks).toString().trim()
}
