/** The most common passwords. Short ones are the start of longer ones, such as `dragon123`. */
const list = `
  password passwort passw0rd passwords mypassword newpassword oldpassword yourpassword thepassword nopassword
  passpass pass1234 passport passcode passphrase drowssap motdepasse contrasena wachtwoord parolparol changeme
  changeit changemenow letmein letmeinnow welcome welcomehome welcometo admin administrator adminadmin
  administrador superadmin superuser sysadmin webadmin rootroot toortoor rootpass rootuser useruser username
  usuario guestguest testtest testuser testpass testing tester temporary temppass default defaultpassword
  sample example database postgres postgresql mysqlroot oracle server service system security secret
  supersecret topsecret mysecret secretpassword private confidential nothing whatever anything something
  everything qwerty azerty qwertz dvorak qwertyqwerty 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y q1w2e3r4 q1w2e3r4t5
  zaq12wsx zaq1zaq1 1qazxsw2 1qaz1qaz !qaz2wsx !qaz@wsx qazwsx qazxsw qweasd qweasdzxc asdasd asdqwe zxcasd
  zxcasdqwe asdfjkl asdfasdf qweqweqwe 1a2b3c4d a1b2c3d4 abc12345 abcd1234 a1234567 a12345678 aa123456
  aa12345678 aaa111 asd123 zxc123 qwe123 abc123 123abc 123qwe 1234qwer 12qwaszx 12341234 123123123 11223344
  1122334455 112233445566 12344321 123454321 1234554321 123321123 12301230 10203040 102030405060 13579246
  147258369 159357456 14789632 147896325 987456321 741852963 789456123 456123789 741258963 123654789 963852741
  159753456 31415926 314159265 27182818 01012000 01011980 01011990 12121212 13131313 20202020 11235813
  52013140 5201314 woaini woaini1314 1314520 woaini520 7758521 iloveyou iloveyou1 iloveyou2 iloveu iloveme
  ilovegod ilovemom ilovejesus iloveyousomuch loveyou lovelove lovelife loveme loverboy lovergirl lover mylove
  mylover truelove foreverlove forever foreveryoung babygirl babyboy babylove babyface sweetheart sweetie
  sweetpea sweetness beautiful handsome princess princesa prettygirl pretty sunshine sunflower moonlight
  starlight starwars startrek stargate superman superstar supernova spiderman batman ironman wolverine
  deadpool captain captainamerica avengers avatar naruto narutouzumaki pokemon pikachu charizard dragon
  dragonball dragonfly monkey monkeyboy football baseball basketball volleyball softball hockey soccer
  footballer baseballer lacrosse wrestling swimming snowboard skateboard surfing fishing hunting running
  michael michelle jennifer jessica jordan jordan23 michaeljordan ashley nicole daniel danielle andrew anthony
  alexander alexandra alexandre alejandro alejandra christian christina christine christopher elizabeth
  benjamin brandon brittany charlie charlotte chelsea cristina cristian cristiano ronaldo ronaldinho fernando
  francisco francesco giovanni gabriel gabriela gabrielle isabella jonathan joseph joshua katherine kimberly
  lauren leonardo madison margaret matthew melissa mercedes mohammed muhammad nathalie natasha nicholas
  patricia patrick penelope rebecca richard robert roberto samantha samuel sebastian stephanie stephen steven
  theresa thomas valentina valentin valentine vanessa veronica victoria vincent vladimir william zachary
  barbara beatrice caroline catherine danilo eduardo estrella amanda andrea angela antonio carlos diego george
  hannah harley heather hunter killer maggie martin master maverick mickey minnie morgan oliver pepper phoenix
  ranger robbie scooter shadow silver summer taylor tigger trustno1 trustnoone justin justinbieber
  onedirection metallica nirvana ironmaiden slipknot linkinpark greenday blink182 evanescence rammstein
  megadeth pinkfloyd rollingstones beatles liverpool liverpoolfc arsenal arsenalfc manchester manchesterunited
  manutd chelseafc barcelona fcbarcelona realmadrid juventus bayern bayernmunich borussia schalke04 werder
  galatasaray fenerbahce besiktas corinthians flamengo palmeiras santosfc bocajuniors riverplate steelers
  cowboys redskins packers patriots yankees redsox lakers broncos raiders dolphins eagles chicago newyork
  newyorkcity california florida america american australia canada england scotland ireland germany
  deutschland frankfurt hamburg schalke berlin london paris france francais portugal argentina colombia mexico
  brazil brasil indonesia malaysia singapore philippines pakistan hindustan india bangladesh computer
  computers computador internet notebook keyboard monitor windows windows10 windowsxp microsoft macintosh
  apple iphone samsung nokia motorola blackberry android google googlecom facebook instagram linkedin twitter
  myspace youtube whatsapp telegram yahoo hotmail gmail outlook dropbox amazon netflix playstation nintendo
  xbox360 gamecube minecraft fortnite roblox counterstrike warcraft worldofwarcraft starcraft diablo
  battlefield callofduty blackops assassin assassins creative developer programmer hacker hackers cracker
  matrix javascript chocolate strawberry blueberry raspberry pineapple watermelon cinnamon butterfly
  butterflies butterscotch buttercup marshmallow cupcake cookie cookies brownie brownies icecream pumpkin
  cheese cheesecake hamburger spaghetti sandwich tequila whiskey budweiser heineken guinness corvette mustang
  ferrari porsche lamborghini mercedesbenz volkswagen mitsubishi chevrolet chevelle camaro toyota yamaha
  kawasaki harleydavidson motorcycle motocross elephant dolphin penguin crocodile alligator panther leopard
  tiger tigers scorpion scorpio aquarius capricorn sagittarius gemini blackcat blackdog blackjack blacklabel
  bulldog bulldogs labrador rottweiler greyhound doggie kittycat kitten hellokitty whiskers snoopy snowball
  snowflake snowman rainbow rainbows thunder thunderbird lightning hurricane tornado volcano mountain freedom
  friends friendship bestfriend bestfriends forgetit fantasy happiness happyday hello helloworld hellohello
  goodluck godbless godisgood godislove jesus jesuschrist jesuslovesme christ blessing blessed heaven angel
  angels angelica angelina angelito destiny infinity serenity tinkerbell cinderella snowwhite disneyland
  disney mickeymouse winnie winniethepooh spongebob simpsons scoobydoo garfield gandalf lordoftherings
  harrypotter hogwarts dumbledore voldemort skywalker lukeskywalker darthvader darkside jedimaster chewbacca
  kenobi terminator rockstar rocknroll musicman musica guitar trombone drummer december november october
  september january february thursday wednesday saturday monday friday sunday tuesday springtime summertime
  winter autumn spring president business finance marketing student students teacher university college
  highschool school classof family familia mommy daddy mother father brother sister grandma grandpa daughter
  teamo teamomucho tequiero tequieromucho mivida miamor corazon cariño chocolat bonjour soleil doudou loulou
  marseille jetaime schatz schatzi hallo hallowelt fuckyou asshole bullshit pussycat maserati trinity badboy
  badgirl bigdaddy bigboy playboy cowboy gangster goldfish goldberg golfer midnight mistress nicotine operator
  overlord paradise patience peaches peanut peanuts pictures platinum precious purple redwings remember
  rosebud sapphire slayer stephane sterling sunlight superfly swordfish telephone titanic treasure trouble
  undertaker unicorn vacation valhalla viking vampire virginia warrior warriors westside whitney wildcats
  wildcat wizard yellow access accessdenied access14 taskwire пароль парольпароль мойпароль новыйпароль привет
  приветпривет приветик йцукен йцуйцуйцу йцукенйцукен любовь любимая любимый люблютебя ятебялюблю ялюблютебя
  люблю моялюбовь солнце солнышко котенок котёнок зайчик зайка малыш малышка красота красотка красавица
  красавчик принцесса ангелочек звездочка звезда максим максимка марина мариночка наташа наталья настя
  настенька наташенька анастасия александр александра алексей алексейка андрей анатолий антонина валентин
  валентина валерия василий василиса вероника виктория викторович виталий владимир владислав вячеслав геннадий
  григорий дмитрий евгений евгения екатерина катерина катюша елизавета кристина ксения леонид людмила
  маргарита михаил надежда николай николаев полина руслан светлана светочка сергей сергеевна станислав степан
  татьяна танечка юлечка ярослав иванов иванова петров сидоров кузнецов смирнов спартак спартакчемпион динамо
  локомотив зенит цскачемпион футбол хоккей россия россиявперед москва московский санктпетербург петербург
  питер новосибирск екатеринбург краснодар владивосток украина беларусь казахстан компьютер клавиатура
  интернет телефон админ администратор секрет секретно доступ начальник директор бухгалтер программист студент
  универ школа учитель здравствуй здравствуйте черепаха крокодил собака собачка кошка кошечка медведь
  медвежонок тигренок дракон дельфин бабочка ромашка роза березка апельсин мандарин клубника шоколад шоколадка
  конфетка картошка ночнойдозор бригада терминатор властелин гаррипоттер наруто чемпион победа победитель
  свобода счастье судьба вечность дружба семья мамочка мамапапа мамамама папочка бабушка дедушка сестра
  братишка доченька сыночек январь февраль сентябрь октябрь ноябрь декабрь понедельник воскресенье незнаю
  незабудка непомню забылпароль неважно
`

/** Keyboard rows. Runs along a row are recognized in both directions. */
const rowsOfKeys = `
  01234567890 abcdefghijklmnopqrstuvwxyz qwertyuiop[] asdfghjkl;' zxcvbnm,./ qwertzuiop yxcvbnm azertyuiop
  1qaz 2wsx 3edc 4rfv 5tgb 6yhn 7ujm 8ik, 9ol. 0p;/ 147 258 369 159 357 !@#$%^&*()_+ !"№;%:?*()_+
  абвгдеёжзийклмнопрстуфхцчшщъыьэюя абвгдежзийклмн йцукенгшщзхъ фывапролджэ ячсмитьбю йфя цыч увс кам епи нрт гоь
`
// The separator occurs in no password, so no run continues from one row to the next.
const rows = folded(rowsOfKeys).trim().split(/\s+/).join('\0')
const rowsBothWays = `${rows}\0${[...rows].reverse().join('')}`

const latinKeys = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`"
const russianKeys = 'йцукенгшщзхъфывапролджэячсмитьбюё'
const otherKeyboard = new Map([...zip(latinKeys, russianKeys), ...zip(russianKeys, latinKeys)])
const letterMeant = new Map(zip('@4031!$57', 'aaoeiisst'))

const words = new Set(list.trim().split(/\s+/))
// An example is `gfhjkm`: `пароль` typed with the English layout.
for (const word of [...words]) words.add(mapped(word, otherKeyboard))

/**
 * Returns true if a password, in any letter case, is guessed early. That is a password in the list; an optional
 * common password followed by runs of at least three keys or letters and up to four digits or marks; or a repeated
 * block of up to four characters or a common password. After zxcvbn (Wheeler, USENIX Security 2016).
 */
export function isCommonPassword(password: string): boolean {
  const text = folded(password)
  return isRepetition(text) || isWordAndRuns(text)
}

function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

function isRepetition(text: string): boolean {
  for (let size = 1; size * 2 <= text.length; size++) {
    const block = text.slice(0, size)
    if (size > 4 && !words.has(block)) continue
    if (block.repeat(Math.ceil(text.length / size)).startsWith(text)) return true
  }
  return false
}

function isWordAndRuns(text: string): boolean {
  // Positions up to which the patterns cover the text.
  const explained = new Set([0])
  for (let end = 1; end <= text.length; end++) {
    const head = text.slice(0, end)
    if (words.has(head) || words.has(mapped(head, letterMeant))) explained.add(end)
  }
  for (let start = 0; start <= text.length; start++) {
    if (!explained.has(start)) continue
    if (/^[\p{N}\p{P}\p{S}]{0,4}$/u.test(text.slice(start))) return true
    // A longer run consists of runs of three to five.
    const last = Math.min(text.length, start + 5)
    for (let end = start + 3; end <= last && isRun(text.slice(start, end)); end++) explained.add(end)
  }
  return false
}

function isRun(text: string): boolean {
  return text === text[0]!.repeat(text.length) || rowsBothWays.includes(text)
}

function zip(from: string, to: string): [string, string][] {
  return [...from].map((character, i) => [character, to[i]!])
}

function mapped(text: string, characters: Map<string, string>): string {
  return text.replace(/./gsu, (character) => characters.get(character) ?? character)
}
