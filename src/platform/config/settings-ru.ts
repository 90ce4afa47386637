import type { settings } from './settings.ts'

/** What `help` of each setting says, in Russian. */
export const settingsInRussian: Record<keyof typeof settings, string> = {
  PORT: 'Порт TCP; 0 — любой свободный',
  HOST: 'Адрес, на котором слушать; 0.0.0.0 или :: — на всех',
  DATA_DIR: 'Папка встроенного PostgreSQL и других локальных данных',
  DATABASE_URL: 'Ваш PostgreSQL (15 или новее); не задан — встроенный в DATA_DIR',
  AUTH_MODE:
    'Кто может обращаться: required (с токеном), open (каждый — локальный оператор), auto (open только на loopback)',
  SECRET_KEY:
    'Ключ токенов доступа и обновления, не короче 32 байт; для смены — несколько через запятую: первый подписывает, принимаются все. Не задан — создаётся и хранится в DATA_DIR',
  ACCESS_TOKEN_EXPIRE_MINUTES: 'Сколько минут действует токен доступа',
  REFRESH_TOKEN_EXPIRE_MINUTES: 'Через сколько минут завершается сеанс, который не обновляли',
  ADMIN_USERNAME: 'Первый администратор; создаётся при запуске, если нет ни одного',
  ADMIN_PASSWORD: 'Пароль для ADMIN_USERNAME',
  RATE_LIMIT_PER_MINUTE:
    'Сколько запросов в минуту может сделать каждый пользователь, а без пользователя — каждый адрес; 0 — без лимита',
  TRUST_PROXY: 'Адреса или сети прокси, чьему X-Forwarded-For верить, через запятую',
  REDIS_URL: 'Redis для сеансов, лимитов и кэша погоды; не задан — база данных и память',
  ROLES:
    'Чем занят процесс, через запятую: api (запросы, сокеты), worker (задания), scheduler (импорт, очистка), relay (вебхуки, брокеры)',
  WORKERS: 'Сколько одинаковых процессов за одним портом; ещё один следит за ними',
  NATS_URL:
    'NATS для событий и для курсов от других сервисов; учётные данные — user:password@ или token@. Не задан — без NATS',
  NATS_HOST: 'Хост NATS, вместо NATS_URL',
  NATS_PORT: 'Порт для NATS_HOST',
  NATS_SUBJECT: 'Тема NATS (subject), в которой сервисы сообщают друг другу курсы',
  ALLOWED_HOSTS: 'Имена хостов, кроме loopback, на которые отвечать при открытом доступе, через запятую',
  CORS_ORIGINS: 'Источники (origin), чьи страницы могут обращаться к серверу, через запятую',
  STATUS_LABELS: 'Как писать статус: snake (todo, in_progress, …) или title (New, In Progress, …)',
  WORKER_CONCURRENCY: 'Сколько заданий исполняемых задач процесс выполняет одновременно; 0 — ни одного',
  JOB_HTTP_ALLOW: 'Непубличные хосты, к которым разрешено обращаться заданиям http, через запятую',
  RABBITMQ_URL: 'RabbitMQ, чьи сообщения становятся задачами; не задан — без него',
  RABBITMQ_QUEUE:
    'Очередь этих сообщений; объявляется только по имени, без параметров; при перезапуске RabbitMQ сообщения теряются',
  RABBITMQ_DURABLE_QUEUE: 'Вторая очередь, типа quorum, для тех, кому нельзя терять сообщения',
  IMPORTS: 'Импорт по расписанию; вручную он работает всегда',
  TODO_SOURCE_URL: 'Откуда читает импорт todos',
  BACKGROUND_TASK_INTERVAL: 'Сколько секунд между запусками импорта todos',
  WEBHOOK_ALLOW: 'Непубличные хосты (имена или IP), на которые разрешены вебхуки, через запятую',
  CBR_URL: 'Откуда читает импорт currencies',
  CURRENCY_INTERVAL: 'Сколько секунд между запусками импорта currencies',
  CURRENCY_BACKFILL_DAYS:
    'За сколько дней до сегодняшнего дополнять историю официальными курсами; 0 — не дополнять',
  WEATHER:
    'Узнавать ли погоду для задач с городом: у OpenWeather, если задан OPENWEATHER_API_KEY, иначе у Open-Meteo',
  OPENWEATHER_API_KEY: 'Ключ OpenWeather',
  OPENWEATHER_URL: 'Где OpenWeather сообщает текущую погоду в городе',
  OPEN_METEO_URL: 'Где Open-Meteo сообщает текущую погоду в точке',
  OPEN_METEO_GEOCODING_URL: 'Где Open-Meteo сообщает, в какой точке город',
  WEATHER_REQUESTS_PER_MINUTE:
    'Сколько запросов в минуту к источнику погоды; остальные задачи получат её позже',
  EVENT_RETENTION_DAYS: 'Сколько дней хранятся события',
  TRASH_DAYS: 'Через сколько дней удалённая задача исчезает насовсем',
  ATTACHMENT_MAX_BYTES: 'Предел для одного вложения, в байтах',
  ATTACHMENT_QUOTA_BYTES:
    'Предел для вложений всех задач одного пользователя вместе, в байтах; 0 — без предела',
  S3_BUCKET: 'Бакет для вложений; не задан — папка attachments в DATA_DIR',
  S3_ENDPOINT: 'Адрес S3, если это не AWS; имя бакета тогда — часть пути',
  S3_REGION: 'Регион бакета',
  S3_ACCESS_KEY_ID: 'Ключ доступа S3; не задан — то, что найдёт AWS SDK, например роль машины',
  S3_SECRET_ACCESS_KEY: 'Секрет для S3_ACCESS_KEY_ID',
  LOG_LEVEL: 'С какого уровня писать в журнал',
  LOG_FILE: 'Файл, куда журнал пишется ещё и строками JSON; off — не писать',
}
