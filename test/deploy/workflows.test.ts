import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { releaseNotes } from '../../.github/release-notes.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, '.github/workflows')

interface Step {
  uses?: string
  run?: string
  with?: Record<string, unknown>
}
interface Job {
  'runs-on': string
  'timeout-minutes': number
  container?: { image: string }
  strategy?: { matrix: { include: Record<string, unknown>[] } }
  permissions?: Record<string, string>
  steps: Step[]
}
interface Workflow {
  permissions: Record<string, string>
  jobs: Record<string, Job>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
  dependencies: Record<string, string>
}
const workflows = readdirSync(folder).map((name) => {
  const text = readFileSync(join(folder, name), 'utf8')
  const workflow = parse(text) as Workflow
  const jobs = Object.values(workflow.jobs)
  return { name, text, workflow, jobs, steps: jobs.flatMap((job) => job.steps) }
})

test.for(workflows)(
  '$name: every action is pinned to a commit, beside which its version stands',
  ({ text, steps }) => {
    const used = steps.flatMap(({ uses }) => uses ?? [])
    const lines = [...text.matchAll(/^\s*(?:- )?uses: (.*)$/gm)].map(([, line]) => line!)
    expect(lines.length).toBe(used.length)
    for (const line of lines) expect(line).toMatch(/^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  },
)

test('an action has one version in all workflows', () => {
  const used = new Set(workflows.flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? [])))
  const names = [...used].map((uses) => uses.split('@')[0])
  expect(new Set(names).size).toBe(names.length)
})

test.for(workflows)('$name: it may read, and a job that writes says what', ({ name, workflow, jobs }) => {
  expect(workflow.permissions).toEqual({ contents: 'read' })
  for (const job of jobs) {
    expect(job['timeout-minutes']).toBeGreaterThan(0)
    if (name !== 'release.yml') expect(job.permissions).toBeUndefined()
  }
})

test.for(workflows)(
  '$name: no text of others gets into a shell, and no credentials stay in the checkout',
  ({ steps }) => {
    for (const { run = '', uses = '', with: inputs } of steps) {
      expect(run).not.toContain('${{')
      if (uses.startsWith('actions/checkout@')) expect(inputs).toMatchObject({ 'persist-credentials': false })
    }
  },
)

test.for(workflows)('$name: what it runs is here', ({ steps }) => {
  const commands = steps.map(({ run = '' }) => run).join('\n')
  for (const [, script] of commands.matchAll(/npm run ([\w-]+)/g))
    expect(manifest.scripts).toHaveProperty(script!)
  for (const [, path] of commands.matchAll(/(?:^|\s)(\.(?:ci|github)\/\S+)/g))
    expect(existsSync(join(root, path!))).toBe(true)
})

test('tests run on Linux with all services, and with nothing on macOS and Windows', () => {
  const { jobs } = workflows.find(({ name }) => name === 'checks.yml')!.workflow
  expect(jobs.linux!.container!.image).toBe(`node:${manifest.dependencies.node}-bookworm`)
  expect(jobs.linux!.steps.at(-1)!.run).toBe('.ci/run')
  const { include } = jobs.embedded!.strategy!.matrix
  expect(include.map(({ os }) => String(os).split('-')[0])).toEqual(['macos', 'windows', 'ubuntu'])
  for (const { tests } of include) {
    for (const path of String(tests).split(' ').filter(Boolean))
      expect(existsSync(join(root, path)) || existsSync(join(root, `${path}.ts`)), path).toBe(true)
  }
})

test('everything that has versions is kept up to date', () => {
  const { updates } = parse(readFileSync(join(root, '.github/dependabot.yml'), 'utf8')) as {
    updates: { 'package-ecosystem': string }[]
  }
  expect(updates.map((update) => update['package-ecosystem'])).toEqual([
    'npm',
    'github-actions',
    'docker',
    'docker-compose',
  ])
})

test('the notes of a release are its section of the changelog', () => {
  const changelog =
    '# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-01-02\n\n### Added\n\n- This.\n\n## [1.1.0] - 2026-01-01\n\n- That.\n'
  expect(releaseNotes(changelog, '1.2.0')).toBe('### Added\n\n- This.')
  expect(releaseNotes(changelog, '1.1.0')).toBe('- That.')
  expect(() => releaseNotes(changelog, '1.2')).toThrow('no section ## [1.2]')
  expect(() => releaseNotes(changelog, 'Unreleased')).toThrow('says nothing')
  expect(releaseNotes(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), 'Unreleased')).toContain('### Added')
})
