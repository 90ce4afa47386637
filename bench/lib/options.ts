import { parseArgs } from 'node:util'

export interface Options {
  /** A smoke run of seconds: it shows that everything works, not how fast. */
  quick: boolean
  /** PostgreSQL for the benches: an embedded cluster of their own instead of DATABASE_URL. */
  embedded: boolean
  /** Folder for CPU profiles of the server under load. */
  profile: string | undefined
  /** Load generator of HTTP requests; undefined: wrk where it is installed. */
  load: string | undefined
  names: string[]
}

const FLAGS = `
  --quick          a smoke run of seconds; its figures mean nothing
  --embedded       on an embedded PostgreSQL of its own instead of DATABASE_URL
                   (default postgresql://postgres@127.0.0.1:5432/postgres)
  --profile DIR    http: write a CPU profile of the server to DIR
  --load NAME      http, logins, queries: wrk or sockets; without it wrk where it is installed
  --help           this text
`

/** Reads the flags that all benches share; `help` says what this one does. */
export function readOptions(help: string): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      embedded: { type: 'boolean', default: false },
      profile: { type: 'string' },
      load: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    say(`${help}\n${FLAGS}`)
    process.exit(0)
  }
  const { quick, embedded, profile, load } = values
  return { quick, embedded, profile, load, names: positionals }
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
