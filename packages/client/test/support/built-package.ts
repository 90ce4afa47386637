import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const packageFolder = join(import.meta.dirname, '../..')
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

/** Runs the compiler; throws what it prints when something is wrong. */
export function compile(...args: string[]): void {
  try {
    execFileSync(process.execPath, [tsc, ...args], { encoding: 'utf8' })
  } catch (error) {
    throw new Error((error as { stdout?: string }).stdout || String(error))
  }
}

export interface Consumer extends Disposable {
  /** A project that has the package installed, as from the registry. */
  folder: string
  /** The package in it. */
  installed: string
}

/** Builds the package, packs it, and unpacks it where a project would have it. */
export function installBuiltPackage(): Consumer {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-client-'))
  const source = join(folder, 'source')
  const installed = join(folder, 'node_modules/@taskwire/client')
  compile('-p', packageFolder, '--outDir', join(source, 'dist'))
  for (const name of readdirSync(packageFolder)) {
    if (/^(?:package\.json|LICENSE|README.*)$/.test(name))
      cpSync(join(packageFolder, name), join(source, name))
  }
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: source })
  const [archive] = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', join(folder, archive!), '-C', installed, '--strip-components=1'])
  return {
    folder,
    installed,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** What the TypeScript project of somebody who uses the package may look like. */
export function consumerConfig(options: object): object {
  return {
    compilerOptions: {
      strict: true,
      noEmit: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      ...options,
    },
  }
}
