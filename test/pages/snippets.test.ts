import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { emptyDatabase } from '../support/empty-database.ts'
import { type Block, blocksOf } from '../support/pages/markdown.ts'
import { pages, root } from '../support/pages/pages.ts'
import { programs } from '../support/pages/programs.ts'
import { missingTools, type Setting, startSetting } from '../support/pages/setting.ts'

// What a reader copies from a page works, in the order of the page, on a server that has just been started. Of the
// Russian pages only README.ru.md is run: outline.test.ts proves that the code of the others is the same, but for words.

const pagesToRun = pages.filter((page) => !page.endsWith('.ru.md') || page === 'README.ru.md')

/** TypeScript of the client's page is compiled and run by the client's own tests. */
const elsewhere = (page: string, { language }: Block) =>
  page.startsWith('packages/client/') && language === 'ts'

describe.skipIf(missingTools.length > 0)('what stands in a page works:', () => {
  test.each(pagesToRun)(
    '%s',
    async (page) => {
      const text = readFileSync(join(root, page), 'utf8')
      const databaseUrl = await emptyDatabase()
      await using setting = await startSetting(databaseUrl, text)
      const wrong: string[] = []
      for (const block of blocksOf(text)) {
        if (elsewhere(page, block)) continue
        const problem = await tryOut(block, setting)
        if (problem) wrong.push(`${page}:${block.line}: ${problem}`)
      }
      expect(wrong).toEqual([])
    },
    300_000,
  )
})

/** What is wrong with it; undefined if nothing is. */
async function tryOut(block: Block, setting: Setting): Promise<string | undefined> {
  const code = setting.here(block.code)
  if (block.language === '') return undefined
  if (block.language === 'json') return isJson(code) ? undefined : 'is no JSON'
  if (block.language === 'sh') return await setting.shell(code)
  const program = programs.find(({ language, about }) => language === block.language && about.test(code))
  if (!program) return 'there is nothing that runs this'
  return program.isPossible ? await program.run(code, setting) : undefined
}

/** One value, or one in each line. */
function isJson(text: string): boolean {
  const parses = (one: string) => {
    try {
      JSON.parse(one)
      return true
    } catch {
      return false
    }
  }
  return parses(text) || text.trim().split('\n').every(parses)
}
