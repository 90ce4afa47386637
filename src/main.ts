import { useCompileCache } from './app/compile-cache.ts'

useCompileCache()
const { serve } = await import('./serve.ts')
process.exitCode = await serve()
