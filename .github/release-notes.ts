import { readFileSync } from 'node:fs'

// node .github/release-notes.ts v1.2.3: what the changelog says of that version, for the release of that tag.

/**
 * The section of a version in a changelog in the form of Keep a Changelog.
 *
 * @throws Error where there is none, or nothing stands in it
 */
export function releaseNotes(changelog: string, version: string): string {
  const sections = changelog.split(/^(?=## )/m)
  const section = sections.find((text) => text.startsWith(`## [${version}]`))
  if (!section) throw new Error(`the changelog has no section ## [${version}]`)
  const notes = section.slice(section.indexOf('\n')).trim()
  if (notes === '') throw new Error(`the changelog says nothing of ${version}`)
  return notes
}

if (import.meta.main) {
  const root = new URL('..', import.meta.url)
  const version = process.argv[2]?.replace(/^v/, '') ?? ''
  const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }
  if (manifest.version !== version)
    throw new Error(`package.json has ${manifest.version}, the tag ${version}`)
  process.stdout.write(`${releaseNotes(readFileSync(new URL('CHANGELOG.md', root), 'utf8'), version)}\n`)
}
