import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { blocksOf, outlineOf } from '../support/pages/markdown.ts'
import { englishOnly, pages, root } from '../support/pages/pages.ts'

const english = pages.filter((page) => !page.endsWith('.ru.md') && !englishOnly.includes(page))
const both = (page: string) =>
  [page, page.replace(/\.md$/, '.ru.md')].map((name) => readFileSync(join(root, name), 'utf8'))

test.each(english)('%s says in Russian what it says in English', (page) => {
  const [theirs, ours] = both(page).map(outlineOf)
  expect(ours).toEqual(theirs)
})

test.each(english)('the code of %s is the same in Russian, but for words', (page) => {
  const [theirs, ours] = both(page).map((text) =>
    blocksOf(text)
      .filter(({ language }) => language !== '')
      .map(({ code }) => code),
  )
  for (const [i, code] of ours!.entries()) expect(theirs![i]).toMatch(butForWords(code))
})

test.each(pages)('every link of %s leads somewhere', (page) => {
  const text = readFileSync(join(root, page), 'utf8')
  const targets = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
  for (const [, path, anchor] of targets) {
    const target = path ? join(root, dirname(page), path) : join(root, page)
    expect(existsSync(target), `${page}: ${path}`).toBe(true)
    if (anchor) expect(anchorsOf(readFileSync(target, 'utf8')), `${page}: ${path}`).toContain(anchor)
  }
})

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  )
}

/** What is as `code`, with anything where that has Russian words. */
function butForWords(code: string): RegExp {
  const parts = code.split(/\p{Script=Cyrillic}(?:[^\n"'`]*\p{Script=Cyrillic})?/u)
  return new RegExp(`^${parts.map((part) => RegExp.escape(part.replace(/^ +| +$/g, ''))).join('[^\\n]*')}$`)
}
