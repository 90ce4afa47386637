import { type Command, Option } from 'commander'
import { StartupError } from '../core/errors.ts'
import { type FileFormat, fileFormats } from '../features/tasks/index.ts'
import { type ProgramContext, serverToken, serverUrl, TOKEN_HELP, URL_HELP } from './context.ts'
import { exportCommand } from './export.ts'
import { importCommand } from './import.ts'
import { importTasksCommand } from './import-tasks.ts'

interface ImportOptions {
  url?: string
  format?: FileFormat
  dryRun: boolean
  again: boolean
}

/** `taskwire import` of a file or by an importer, and `taskwire export`. */
export function addTransferCommands(program: Command, context: ProgramContext): void {
  const { environment, console } = context
  const urlOf = (given: string | undefined) => serverUrl(given, environment())
  const formatOption = () =>
    new Option('--format <format>', 'of the file, if not by its name').choices(fileFormats)

  program
    .command('import')
    .description('make tasks from a file, or run an importer now')
    .argument(
      '<file or importer>',
      'a file of .jsonl or .csv, - for standard input; or a name, such as todos',
    )
    .option('--url <url>', URL_HELP)
    .addOption(formatOption())
    .option('--dry-run', 'file: look through all of it, import nothing', false)
    .option('--again', 'file: import also what was imported from it before', false)
    .addHelpText(
      'after',
      `
A file is imported by the running server, 500 tasks at a time. Its first mistake ends it; what is before
it is imported, and not imported twice when the file is imported again. An importer is run by the
server or, if there is none, directly.

Examples:
  $ taskwire import tasks.csv --dry-run
  $ taskwire import - --format jsonl < tasks
  $ taskwire import todos --url http://localhost:8000
${TOKEN_HELP}`,
    )
    .action((name: string, options: ImportOptions) => {
      const format = options.format ?? formatIn(name)
      if (!format && !isFile(name)) return importCommand(name, options, environment(), console)
      if (!format) throw formatless(name)
      const token = serverToken(environment())
      return importTasksCommand(name, { ...options, url: urlOf(options.url), token, format }, context)
    })

  program
    .command('export')
    .description('write the tasks that you may see to a file')
    .argument('[file]', 'of .jsonl or .csv; - for standard output', '-')
    .option('--url <url>', URL_HELP)
    .addOption(formatOption())
    .option('--filter <query>', 'which tasks, as GET /tasks takes it, such as status=todo', '')
    .addHelpText(
      'after',
      `\nExamples:\n  $ taskwire export tasks.csv\n  $ taskwire export --filter 'status=done' | jq .title\n${TOKEN_HELP}`,
    )
    .action(
      (file: string, { url, format, filter }: { url?: string; format?: FileFormat; filter: string }) => {
        // Piped output has no file name that shows the format.
        const chosen = format ?? (file === '-' ? 'jsonl' : formatIn(file))
        if (!chosen) throw formatless(file)
        const token = serverToken(environment())
        return exportCommand(file, { url: urlOf(url), token, format: chosen, filter }, context)
      },
    )
}

function formatless(name: string): StartupError {
  return new StartupError(
    `${name}: the format is not clear from the name; give --format ${fileFormats.join(' or ')}`,
  )
}

/** No importer has such a name. */
function isFile(name: string): boolean {
  return name === '-' || /[./\\]/.test(name)
}

function formatIn(name: string): FileFormat | undefined {
  if (/\.(jsonl|ndjson)$/i.test(name)) return 'jsonl'
  return /\.csv$/i.test(name) ? 'csv' : undefined
}
