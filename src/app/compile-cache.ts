import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

/**
 * Caches compiled and type-stripped modules for the next start, which then saves time and about 15 MB. Call it before
 * importing the rest. The folder is our own, because others may write to the shared one in the temporary directory.
 */
export function useCompileCache(): void {
  enableCompileCache(join(import.meta.dirname, '../../node_modules/.cache/taskwire'))
}
