import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isCommonPassword } from './common-passwords.ts'

const families = {
  'the list':
    'password iloveyou trustno1 letmeinnow !qaz@wsx 13579246 administrator йцуйцуйцу наташенька люблютебя',
  'any case': 'PASSWORD Password SunShine ЙЦУКЕНГШ ЛюблюТебя',
  'one character': 'aaaaaaaa 00000000000 ........ яяяяяяяяя',
  'a short block': 'abababab abcabcabc abcdabcd 12121212 x7kqx7kqx7 ёлкаёлка',
  'a known word over and over': 'dragondragon monkeymonkeymonkey приветпривет',
  'straight runs': '12345678 1234567890 87654321 abcdefgh hgfedcba абвгдежз зжедгвба',
  'keyboard rows': 'qwertyui poiuytrewq asdfghjk zxcvbnm, йцукенгш фывапрол ячсмитьбю !@#$%^&* !"№;%:?*',
  'keyboard columns': '1qaz2wsx 1qaz2wsx3edc qazwsxedc zaq1xsw2 147258369',
  'several runs':
    'qwer1234 1234qwer abc12345 qweasdzxc 111222333 qwertytrewq 12344321 abcdefg123456 йцу123фыв',
  'a word and digits': 'password1 Dragon2024 qwerty12 sunshine99 привет2020 пароль12',
  'a word and marks': 'password! dragon!?! monkey_1! letmein... пароль!!',
  'a word and runs': 'password12345678 dragonqwerty admin123456789 приветйцукен',
  'runs and marks': '1234567!! qwertyu1! asdfgh?!',
  'look-alikes for letters': 'p@ssw0rd P@$$w0rd p4ssword1 adm1n1strat0r $unshine! welc0me1',
  'the other keyboard': 'gfhjkm123 ghbdtnghbdtn gfhjkmgfhjkm ,f,eirf зфыыцщкв',
  'another Unicode form': 'ｐａｓｓｗｏｒｄ любимы\u0438\u0306',
}

test.each(
  Object.entries(families).flatMap(([family, texts]) => texts.split(' ').map((text) => [text, family])),
)('%s is common: %s', (text) => {
  expect(isCommonPassword(text!)).toBe(true)
})

test.each([
  'correct horse battery staple',
  'correcthorsebatterystaple',
  'dragon eats sunshine',
  'dragonmonkeysunshine',
  'dragon12345x',
  'mydragonhasfleas',
  'password-for-the-shed',
  'password13579',
  'Tr0ub4dor&3',
  'kX9#mQ2$vL',
  'quietlamp',
  'квантовыйслон',
  'уИЩ5№вкБ',
  'wszystko-jedno',
  '山田太郎の秘密の言葉',
])('%s is not', (text) => {
  expect(isCommonPassword(text)).toBe(false)
})

test('random passwords are nearly never common', () => {
  const letters = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ')
  const random = fc.string({ unit: letters, minLength: 12, maxLength: 40 })
  expect(fc.sample(fc.noBias(random), { numRuns: 20_000, seed: 42 }).filter(isCommonPassword)).toEqual([])
})

test('random passwords of eight digits are seldom common', () => {
  const random = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 8, maxLength: 8 })
  const common = fc.sample(fc.noBias(random), { numRuns: 10_000, seed: 42 }).filter(isCommonPassword)
  expect(common.length).toBeLessThan(200)
})

const mark = fc.constantFrom(...'0123456789!?.-_$#')
const tail = fc.string({ unit: mark, maxLength: 4 })

test('any known word of eight letters is, with any four digits or marks, in any case', () => {
  const word = fc.constantFrom('password', 'princess', 'chocolate', 'принцесса')
  const property = fc.property(word, tail, fc.boolean(), (word, tail, upper) => {
    expect(isCommonPassword(`${upper ? word.toUpperCase() : word}${tail}`)).toBe(true)
  })
  fc.assert(property)
})

test('any block of up to four characters, over and over, is', () => {
  const block = fc.string({ unit: fc.constantFrom(...'abЙя01 !'), minLength: 1, maxLength: 4 })
  const property = fc.property(block, fc.integer({ min: 8, max: 128 }), (block, length) => {
    expect(isCommonPassword(block.repeat(length).slice(0, length))).toBe(true)
  })
  fc.assert(property)
})

test('no password takes long to judge', () => {
  const longest = ['a', 'abcdefghijklmnopqrstuvwxyz', '123454321', 'qwertytrewq', 'dragon']
  for (const part of longest) {
    const start = performance.now()
    isCommonPassword(`${part.repeat(128).slice(0, 120)}~x~x~x~x`)
    expect(performance.now() - start).toBeLessThan(100)
  }
})
