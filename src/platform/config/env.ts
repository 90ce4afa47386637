import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

export interface Environment {
  /** Names and values; the process environment takes precedence over `.env`. */
  values: Record<string, string | undefined>
  /** The names in `.env`. */
  fileNames: string[]
}

/** Reads the process environment and the file `.env` of the working directory, if there is one. */
export function readEnvironment(file = '.env'): Environment {
  let fromFile: Record<string, string | undefined> = {}
  try {
    fromFile = parseEnv(readFileSync(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return { values: { ...fromFile, ...process.env }, fileNames: Object.keys(fromFile) }
}
