// Run after the installation, so that the first start finds a warm compile cache.
import { useCompileCache } from './app/compile-cache.ts'

useCompileCache()
await import('./serve.ts')
