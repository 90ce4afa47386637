import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// Spares the next start parsing and type stripping, and the memory they take. In our own folder:
// what is in the shared one below /tmp may be somebody else's.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/taskwire'))
const { serve } = await import('./serve.ts')
process.exitCode = await serve()
