import { Readable, Writable } from 'node:stream'
import type { Input } from '../../src/cli/password.ts'
import { createProgram } from '../../src/cli/program.ts'

/** Runs a command in this process; what it throws becomes `error`. */
export function taskwire(
  args: string[],
  values: Record<string, string> = {},
  { signal = new AbortController().signal, input = Readable.from([]) as Input } = {},
) {
  const out: string[] = []
  const err: string[] = []
  const written: Buffer[] = []
  const program = createProgram({
    environment: () => ({ values, fileNames: [] }),
    console: { out: (line) => void out.push(line), err: (line) => void err.push(line), progress() {} },
    input,
    output: new Writable({ write: (chunk, _encoding, done) => done(void written.push(chunk)) }),
    signal,
    serve: async () => void out.push('served'),
  })
  const done = program.parseAsync(args, { from: 'user' }).then(
    () => '',
    (error: Error) => error.message,
  )
  return { out, err, done, written: () => Buffer.concat(written).toString() }
}

/** Runs it to its end; `piped` is its standard input. */
export async function finished(args: string[], values: Record<string, string> = {}, piped = '') {
  const { out, err, done } = taskwire(args, values, { input: Readable.from([Buffer.from(piped)]) as Input })
  return { error: await done, out, err }
}
