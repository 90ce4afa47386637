import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../..', import.meta.url))
/** Written by a program, from one list. */
const GENERATED = ['docs/configuration.md', 'docs/configuration.ru.md']

/** Pages for contributors have no Russian counterpart. */
export const englishOnly: readonly string[] = ['docs/style.md']

/** The pages that people read, below the root of the project, in both languages. */
export const pages: readonly string[] = ['', 'docs', 'packages/client']
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)))
  .filter((path) => /(^|\/)README(\.ru)?\.md$|^docs\/.*\.md$/.test(path) && !GENERATED.includes(path))
