#!/usr/bin/env node
import { useCompileCache } from '../app/compile-cache.ts'
import { errorText } from '../core/errors.ts'
import { readEnvironment } from '../platform/config/env.ts'
import { processConsole } from './console.ts'

useCompileCache()
const { createProgram } = await import('./program.ts')
const interrupted = new AbortController()
const program = createProgram({
  environment: readEnvironment,
  console: processConsole,
  input: process.stdin,
  output: process.stdout,
  signal: interrupted.signal,
  serve: async () => {
    const { serve } = await import('../serve.ts')
    process.exitCode = await serve()
  },
})
// `serve` ends by itself in order; for the others the first signal is a request, the second an order.
if (process.argv[2] !== 'serve') {
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => (interrupted.signal.aborted ? process.exit(130) : interrupted.abort()))
  }
}
// The reader of a pipe may leave first, as in `taskwire watch | head`.
process.stdout.on('error', () => process.exit(0))

try {
  await program.parseAsync()
} catch (error) {
  processConsole.err(errorText(error))
  process.exitCode = 1
}
