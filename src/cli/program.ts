import { Command, Option } from 'commander'
import { version } from '../core/version.ts'
import { configCheck, configDocs, configPrint } from './config.ts'
import { type ProgramContext, serverToken, serverUrl, TOKEN_HELP, URL_HELP } from './context.ts'
import { doctorCommand } from './doctor/doctor.ts'
import { healthCommand } from './health.ts'
import { migrateCommand } from './migrate.ts'
import { addTokenCommands } from './token.ts'
import { addTransferCommands } from './transfer.ts'
import { addUserCommands } from './user.ts'
import { watchCommand } from './watch.ts'

/** The commands of `taskwire`. A mistake of the user is thrown as an error of one or more lines. */
export function createProgram(context: ProgramContext): Command {
  const { environment, console, signal, serve } = context
  const program = new Command('taskwire')
    .description('A task server with live events. Settings come from the environment and from .env.')
    .version(version, '-V, --version', 'print the version')
    .showHelpAfterError('(see taskwire --help)')
    .addHelpText(
      'after',
      `
Examples:
  $ taskwire serve                          start the server
  $ PORT=9000 taskwire serve                the same on another port
  $ taskwire watch                          print every change as it happens
  $ taskwire watch --json | jq .data.task   the same for programs
  $ taskwire import todos                   run an importer now
  $ taskwire export tasks.csv               write the tasks to a file
  $ taskwire import tasks.csv               make tasks from a file
  $ taskwire user create anna --admin       make an admin; the password is asked for
  $ taskwire config print                   the settings in force
  $ taskwire doctor                         what is wrong, and what to do
${TOKEN_HELP}`,
    )

  program.command('serve').description('start the server; SIGINT or SIGTERM stops it in order').action(serve)

  program
    .command('migrate')
    .description('bring the database schema up to date')
    .action(() => migrateCommand(environment(), console))

  addTransferCommands(program, context)

  program
    .command('watch')
    .description('print events as they come; after a break it goes on where it was')
    .option('--url <url>', URL_HELP)
    .option('--path <path>', 'stream to listen to', '/ws/tasks')
    .option('--json', 'print each event as one line of JSON', false)
    .option('--after <id>', 'begin with what came after this event')
    .addHelpText('after', `\nExample:\n  $ taskwire watch --json --path /ws\n${TOKEN_HELP}`)
    .action((options: { url?: string; path: string; json: boolean; after?: string }) => {
      const url = serverUrl(options.url, environment())
      const { path, json, after } = options
      return watchCommand({ url, path, json, after, token: serverToken(environment()) }, console, signal)
    })

  program
    .command('health')
    .description('ask the running server whether it is ready; exit code 1 if it is not')
    .option('--url <url>', URL_HELP)
    .action((options: { url?: string }) => healthCommand(options, environment(), console))

  program
    .command('doctor')
    .description('look at settings, disk, database, services and upstreams; say what is wrong and what to do')
    .option('--json', 'print the findings as JSON', false)
    .addHelpText('after', '\nIt may run beside a server. Exit code 1: a check failed; warnings do not count.')
    .action((options: { json: boolean }) => doctorCommand(options, environment(), console))

  addUserCommands(program, context)
  addTokenCommands(program, context)

  const config = program.command('config').description('look at the settings')
  config
    .command('check')
    .description('check the settings; exit code 1 and a line for each mistake')
    .action(() => configCheck(environment(), console))
  config
    .command('print')
    .description('print the settings in force, passwords hidden')
    .action(() => configPrint(environment(), console))
  config
    .command('docs')
    .description('print the reference of all settings, as docs/configuration.md has it')
    .option('--env', 'print .env.example instead', false)
    .addOption(new Option('--ru', 'print it in Russian').default(false).conflicts('env'))
    .action((options: { env: boolean; ru: boolean }) => configDocs(options, console))
  return program
}
