/** The page of the setup link: a plain form, so that it needs no script. */
export function setupPage(token: string, state: { mistake?: string } = {}): string {
  const mistake = state.mistake ? `<p role="alert">${escaped(state.mistake)}</p>` : ''
  return page(`
<h1>The first admin <span lang="ru">· Первый администратор</span></h1>
${mistake}
<form method="post" action="/auth/setup">
<input type="hidden" name="token" value="${escaped(token)}">
<label>User name <span lang="ru">· Имя</span>
<input name="username" autocomplete="username" required minlength="3" maxlength="64" autofocus></label>
<label>Password, at least 8 characters <span lang="ru">· Пароль, от 8 знаков</span>
<input name="password" type="password" autocomplete="new-password" required minlength="8" maxlength="128"></label>
<button>Make the admin <span lang="ru">· Создать</span></button>
</form>`)
}

export function setupDonePage(username: string): string {
  return page(`
<h1>Done <span lang="ru">· Готово</span></h1>
<p>${escaped(username)} is the admin now: <a href="/docs">log in and go on</a>.</p>
<p lang="ru">${escaped(username)} теперь администратор: <a href="/docs">войти и продолжить</a>.</p>`)
}

export function setupClosedPage(): string {
  return page(`
<h1>This link is not valid <span lang="ru">· Ссылка недействительна</span></h1>
<p>It works for 30 minutes, and only until there is an admin. Start the server again for a new one, or use
<code>taskwire user create --admin</code>.</p>
<p lang="ru">Она действует 30 минут и только пока администратора нет. Перезапустите сервер, чтобы получить новую, или
выполните <code>taskwire user create --admin</code>.</p>`)
}

function page(body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Taskwire</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 10vh auto; padding: 0 1rem }
h1 { font-size: 1.25rem }
[lang=ru] { opacity: .75 }
label { display: block; margin: 1rem 0 }
input { display: block; box-sizing: border-box; width: 100%; font: inherit; padding: .5rem; margin-top: .25rem }
button { font: inherit; padding: .5rem 1rem }
[role=alert] { border-left: .25rem solid #c33; padding-left: .75rem }
</style>
</head>
<body>${body}
</body>
</html>
`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
