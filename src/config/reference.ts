import { settings } from './settings.ts'

/** The reference of all settings, as Markdown. */
export function settingsReference(): string {
  const rows = Object.entries(settings).map(([name, { fallback, help }]) => {
    const shown = fallback === undefined || String(fallback) === '' ? '' : `\`${fallback}\``
    return `| \`${name}\` | ${shown} | ${help} |`
  })
  return `# Settings

Generated from \`src/config/settings.ts\` by the test suite (\`npm test -- -u\`); do not edit.

All settings are environment variables; the file \`.env\` of the working directory is read too, and
the environment wins over it. \`NAME_FILE\` reads the value of \`NAME\` from a file. An empty value counts
as absent. A wrong value stops the start with one line that says what is wrong.

| Setting | Default | Meaning |
|---|---|---|
${rows.join('\n')}
`
}
