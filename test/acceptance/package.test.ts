import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { databaseIsDown, kill } from '../support/processes.ts'
import { temporaryFolder } from '../support/server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Packs Taskwire and lays it into `node_modules` of the folder, with those packages only that it says it needs. */
function installInto(folder: string): void {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root, stdio: 'pipe' })
  const { name, version, bin } = manifestOf(root)
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  execFileSync('tar', ['xzf', join(folder, `${name}-${version}.tgz`), '-C', modules])
  execFileSync('mv', [join(modules, 'package'), join(modules, name)])
  for (const [command, path] of Object.entries(bin)) {
    const program = join(modules, name, path)
    execFileSync('chmod', ['+x', program]) // As npm does.
    symlinkSync(program, join(modules, '.bin', command))
  }
  for (const path of neededPackages()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    symlinkSync(realpathSync(join(root, path)), join(folder, path))
  }
  symlinkSync('../node/bin/node', join(modules, '.bin/node'))
}

function manifestOf(folder: string): { name: string; version: string; bin: Record<string, string> } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** Folders of the packages, as in `node_modules/pg`, that an installation without those for development has here. */
function neededPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: true }>
  }
  return Object.entries(packages)
    .filter(([path, { dev }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && !dev)
    .map(([path]) => path)
    .filter((path) => existsSync(join(root, path))) // Those for other platforms are not.
}

function npx(folder: string, args: string[], settings: Record<string, string>) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, DATA_DIR: join(folder, 'data'), ...settings }
  return spawn('npx', ['--offline', 'taskwire', ...args], {
    cwd: folder,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

test('the package runs by npx in an empty folder, several processes and all', async ({ skip }) => {
  if (process.platform === 'win32') return skip('it takes links and process groups')
  const folder = temporaryFolder()
  installInto(folder)
  const { version } = manifestOf(root)
  const printed = execFileSync('npx', ['--offline', 'taskwire', '-V'], { cwd: folder, encoding: 'utf8' })
  expect(printed).toBe(`${version}\n`)
  const server = npx(folder, ['serve'], { PORT: '0', WORKERS: '2', IMPORTS: 'off', LOG_FILE: 'off' })
  const lines: string[] = []
  createInterface(server.stdout!).on('line', (line) => void lines.push(line))
  const ready = await eventually(
    () => {
      if (server.exitCode !== null) throw new Error(lines.join('\n'))
      return lines.find((line) => line.includes('taskwire is ready at '))
    },
    'the server is ready',
    40_000,
  )
  const [url] = /http:\/\/localhost:\d+/.exec(ready)!

  const created = await fetch(`${url}/tasks`, { method: 'POST' })
  expect(created.status).toBe(201)
  expect(await (await fetch(`${url}/openapi.json`)).json()).toMatchObject({ info: { version } })
  for (const path of ['/docs', '/redoc']) expect((await fetch(url + path)).status).toBe(200)
  expect(lines.map((line) => JSON.parse(line).level).filter((level) => level !== 'info')).toEqual([])

  kill(-server.pid!, 'SIGTERM')
  await eventually(() => lines.some((line) => line.includes('"stopped"')), 'it stops in order', 20_000)
  await databaseIsDown(join(folder, 'data'))
}, 240_000)
