import { settings } from './settings.ts'
import { settingsInRussian } from './settings-ru.ts'

const beginnings = {
  en: `# Settings

[По-русски](configuration.ru.md)

Printed by \`taskwire config docs\`; do not edit.

All settings are environment variables; the file \`.env\` of the working directory is read too, and
the environment wins over it. \`NAME_FILE\` reads the value of \`NAME\` from a file. An empty value counts
as absent. A wrong value stops the start with one line that says what is wrong.

| Setting | Default | Meaning |`,
  ru: `# Настройки

[In English](configuration.md)

Печатается командой \`taskwire config docs --ru\`; не редактируйте.

Все настройки — переменные окружения; читается и файл \`.env\` в рабочем каталоге, но окружение важнее.
\`ИМЯ_FILE\` читает значение \`ИМЯ\` из файла. Пустое значение считается отсутствующим. Неверное значение
останавливает запуск, и одна строка говорит, что не так.

| Настройка | По умолчанию | Смысл |`,
}

/** The reference of all settings, as Markdown. */
export function settingsReference(language: keyof typeof beginnings): string {
  const rows = Object.entries(settings).map(([name, { fallback, help }]) => {
    const shown = fallback === undefined || String(fallback) === '' ? '' : `\`${fallback}\``
    return `| \`${name}\` | ${shown} | ${language === 'ru' ? settingsInRussian[name as keyof typeof settings] : help} |`
  })
  return `${beginnings[language]}
|---|---|---|
${rows.join('\n')}
`
}

/** Every setting with its default, as a file `.env` that changes nothing. */
export function environmentExample(): string {
  const entries = Object.entries(settings).map(
    ([name, { fallback, help }]) => `# ${help}\n#${name}=${fallback ?? ''}\n`,
  )
  return `# Printed by \`taskwire config docs --env\`; do not edit. Copied to .env, it is yours: take the # from what you set.\n
${entries.join('\n')}`
}
